{{/* Names and labels, and what the process and its migration have in common. */}}

{{/* Call with root and component. */}}
{{- define "register.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "register.labels" -}}
{{ include "register.selector" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "register.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{/* Call with root and role. */}}
{{- define "register.database" -}}
{{- $query := list -}}
{{- range $key, $value := .root.Values.postgresql.parameters -}}
{{- $query = append $query (printf "%s=%v" $key $value) -}}
{{- end -}}
{{- if .root.Values.postgresql.caSecret }}{{ $query = append $query "sslrootcert=/etc/hocba/postgresql/ca.crt" }}{{ end -}}
postgresql://{{ .role }}@{{ .root.Values.postgresql.host }}:{{ .root.Values.postgresql.port }}/hocba_register{{ with $query }}?{{ join "&" . }}{{ end }}
{{- end }}

{{/* No token of Kubernetes, no root, nothing writable but what is mounted. Call with root and secrets (name of a mount -> Secret). */}}
{{- define "register.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "register.container" -}}
image: {{ include "register.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources: {{- toYaml .root.Values.resources | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- range $name, $secret := .secrets }}
  - {name: {{ $name }}, mountPath: /etc/hocba/{{ $name }}, readOnly: true}
  {{- end }}
{{- end }}

{{- define "register.volumes" -}}
- name: tmp
  emptyDir: {}
{{- range $name, $secret := .secrets }}
- name: {{ $name }}
  secret: {secretName: {{ $secret | quote }}, defaultMode: 0440}
{{- end }}
{{- end }}
