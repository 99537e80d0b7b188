{{/*
Environment and files of a process. Variables carry addresses and paths; every secret is a file from a Secret
that exists already, so nothing secret stands in a manifest or in `kubectl describe`.
*/}}

{{- define "hocba.postgresqlUrl" -}}
{{- $query := list -}}
{{- range $key, $value := .root.Values.postgresql.parameters -}}
{{- $query = append $query (printf "%s=%v" $key $value) -}}
{{- end -}}
{{- if .root.Values.postgresql.caSecret }}{{ $query = append $query "sslrootcert=/etc/hocba/postgresql/ca.crt" }}{{ end -}}
postgresql://{{ .role }}@{{ .entry.postgresqlHost | default .root.Values.postgresql.host }}:{{ .root.Values.postgresql.port }}/hocba_{{ .entry.service }}{{ with $query }}?{{ join "&" . }}{{ end }}
{{- end }}

{{/* Call with root, entry (merged), owner: whether the process migrates. Yields a YAML map of variables. */}}
{{- define "hocba.variables" -}}
{{- $v := .root.Values -}}
{{- $out := dict
  "DATABASE_URL" (include "hocba.postgresqlUrl" (dict "root" .root "entry" .entry "role" (printf "hocba_%s" .entry.service)))
  "DATABASE_PASSWORD_FILE" "/etc/hocba/database/password"
  "KAFKA_BOOTSTRAP" $v.kafka.bootstrapServers
  "KAFKA_REPLICAS" ($v.kafka.replicas | toString)
  "TLS_CA_FILE" "/etc/hocba/tls/ca.crt"
  "TLS_CERTIFICATE_FILE" "/etc/hocba/tls/tls.crt"
  "TLS_KEY_FILE" "/etc/hocba/tls/tls.key"
  "TOKEN_KEYS_FILE" "/etc/hocba/trust/token-keys.json"
  "ENVELOPE_READERS_FILE" "/etc/hocba/trust/envelope-readers.json"
  "TELEMETRY" $v.telemetry.export
  "LOG_LEVEL" $v.telemetry.logLevel -}}
{{- if eq $v.telemetry.export "otlp" }}{{ $_ := set $out "OTLP_ENDPOINT" $v.telemetry.otlpEndpoint }}{{ end -}}
{{- if $v.kafka.tls }}{{ $_ := set $out "KAFKA_CA_FILE" "/etc/hocba/kafka/ca.crt" }}{{ end -}}
{{- with $v.kafka.topicPrefix }}{{ $_ := set $out "TOPIC_PREFIX" . }}{{ end -}}
{{- if .entry.secrets.envelopeKey }}{{ $_ := set $out "ENVELOPE_KEY_FILE" "/etc/hocba/envelope/key.json" }}{{ end -}}
{{- if .owner -}}
{{- $_ := set $out "OWNER_URL" (include "hocba.postgresqlUrl" (dict "root" .root "entry" .entry "role" (printf "hocba_%s_owner" .entry.service))) -}}
{{- $_ := set $out "OWNER_PASSWORD_FILE" "/etc/hocba/owner/password" -}}
{{- else -}}
{{- $_ := set $out "LISTEN" (printf "0.0.0.0:%v" $v.ports.grpc) -}}
{{- $_ := set $out "HEALTH_LISTEN" (printf "0.0.0.0:%v" $v.ports.health) -}}
{{- if .entry.page }}{{ $_ := set $out "PAGE_LISTEN" (printf "0.0.0.0:%v" $v.ports.page) }}{{ end -}}
{{- $_ := set $out "DRAIN_SECONDS" (.entry.drainSeconds | toString) -}}
{{- $_ := set $out "GRACE_SECONDS" (.entry.graceSeconds | toString) -}}
{{- $_ := set $out "DATABASE_POOL" (.entry.databasePool | toString) -}}
{{- end -}}
{{- if has "staging" .entry.objectStores }}{{ $_ := set $out "STAGING_URL" $v.objectStores.staging }}{{ end -}}
{{- if has "archive" .entry.objectStores }}{{ $_ := set $out "STORE_URL" $v.objectStores.archive }}{{ end -}}
{{- if has "log" .entry.objectStores }}{{ $_ := set $out "LOG_URL" $v.objectStores.log }}{{ end -}}
{{- if eq .entry.service "archive" -}}
{{- $_ := set $out "TSA_URL" $v.timeStamps.url -}}
{{- with $v.timeStamps.policy }}{{ $_ := set $out "TSA_POLICY" . }}{{ end -}}
{{- end -}}
{{- range $peer := .entry.calls -}}
{{- $_ := set $out (printf "%s_ADDRESS" (upper $peer)) (printf "dns:///%s:%v" (include "hocba.component" (dict "root" $.root "name" $peer)) $v.ports.grpc) -}}
{{- end -}}
{{- range $name, $value := .entry.settings }}{{ $_ := set $out (upper $name) ($value | toString) }}{{ end -}}
{{- toYaml $out -}}
{{- end }}

{{/* The env list of a container. Kubernetes keeps the order, maps don't: sorted, so that a pod changes only with its content. */}}
{{- define "hocba.env" -}}
{{- $prefix := printf "HOCBA_%s_" (upper .entry.service) -}}
{{- $variables := fromYaml (include "hocba.variables" .) -}}
{{- range $name := keys $variables | sortAlpha }}
- name: {{ $prefix }}{{ $name }}
  value: {{ get $variables $name | quote }}
{{- end }}
- name: {{ $prefix }}INSTANCE
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- with .entry.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "hocba.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: tls, mountPath: /etc/hocba/tls, readOnly: true}
- {name: trust, mountPath: /etc/hocba/trust, readOnly: true}
- {name: database, mountPath: /etc/hocba/database, readOnly: true}
{{- if .root.Values.postgresql.caSecret }}
- {name: postgresql, mountPath: /etc/hocba/postgresql, readOnly: true}
{{- end }}
{{- if .root.Values.kafka.tls }}
- {name: kafka, mountPath: /etc/hocba/kafka, readOnly: true}
{{- end }}
{{- if .owner }}
- {name: owner, mountPath: /etc/hocba/owner, readOnly: true}
{{- end }}
{{- if .entry.secrets.envelopeKey }}
- {name: envelope, mountPath: /etc/hocba/envelope, readOnly: true}
{{- end }}
{{- range $name, $secret := .entry.secrets.more }}
- {name: {{ $name }}, mountPath: /etc/hocba/{{ $name }}, readOnly: true}
{{- end }}
{{- if not .owner }}
{{- range $name, $claim := .entry.claims }}
- {name: {{ $name }}, mountPath: /var/lib/hocba/{{ $name }}}
{{- end }}
{{- end }}
{{- with .entry.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "hocba.volumes" -}}
- name: tmp
  emptyDir: {}
- name: tls
  secret: {secretName: {{ .entry.secrets.tls | quote }}, defaultMode: 0440}
- name: trust
  secret: {secretName: {{ .root.Values.trust.existingSecret | quote }}, defaultMode: 0440}
- name: database
  secret: {secretName: {{ .entry.secrets.database | quote }}, defaultMode: 0440}
{{- with .root.Values.postgresql.caSecret }}
- name: postgresql
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- if .root.Values.kafka.tls }}
- name: kafka
  secret: {secretName: {{ .root.Values.kafka.caSecret | quote }}, defaultMode: 0440}
{{- end }}
{{- if .owner }}
- name: owner
  secret: {secretName: {{ .entry.secrets.owner | quote }}, defaultMode: 0440}
{{- end }}
{{- with .entry.secrets.envelopeKey }}
- name: envelope
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- range $name, $secret := .entry.secrets.more }}
- name: {{ $name }}
  secret: {secretName: {{ $secret | quote }}, defaultMode: 0440}
{{- end }}
{{- if not .owner }}
{{- range $name, $claim := .entry.claims }}
- name: {{ $name }}
  persistentVolumeClaim: {claimName: {{ $claim | quote }}}
{{- end }}
{{- end }}
{{- with .entry.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
