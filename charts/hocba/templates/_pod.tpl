{{/* What every pod has in common, long-running or not. Call with root, name, entry (merged), owner. */}}

{{- define "hocba.pod" -}}
serviceAccountName: {{ include "hocba.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .entry.podSecurityContext | nindent 2 }}
{{- with .entry.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .entry.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .entry.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .entry.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .entry.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .entry.hostAliases }}
hostAliases: {{- toYaml . | nindent 2 }}
{{- end }}
volumes: {{- include "hocba.volumes" . | nindent 2 }}
{{- end }}

{{- define "hocba.container" -}}
name: {{ .name }}
image: {{ include "hocba.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext: {{- toYaml .entry.securityContext | nindent 2 }}
env: {{- include "hocba.env" . | trim | nindent 2 }}
{{- $sources := .entry.extraEnvFrom -}}
{{- if and .entry.objectStores .root.Values.objectStores.credentialsSecret -}}
{{- $sources = append $sources (dict "secretRef" (dict "name" .root.Values.objectStores.credentialsSecret)) -}}
{{- end }}
{{- with $sources }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts: {{- include "hocba.mounts" . | nindent 2 }}
{{- end }}
