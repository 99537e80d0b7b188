{{/* What a schema can't say. Each refusal names the value, and what to set instead. */}}

{{- define "hocba.validate" -}}
{{- range $name, $given := .Values.schedules -}}
{{- if not (hasKey $.Values.services $given.beside) -}}
{{- fail (printf "schedules.%s.beside names %s, which is no entry of services" $name $given.beside) -}}
{{- end -}}
{{- if hasKey $.Values.services $name -}}
{{- fail (printf "schedules.%s has the name of an entry of services: their objects would be the same" $name) -}}
{{- end -}}
{{- if and (eq (first $given.command) "register") (ne $given.enabled false) (lt (len ($given.options | default list)) 2) -}}
{{- fail (printf "schedules.%s is on: its options say which province submits, by which key, to which register (README, \"The national register\")" $name) -}}
{{- end -}}
{{- end -}}
{{- range $name, $given := .Values.services -}}
{{- $entry := fromYaml (include "hocba.entry" (dict "root" $ "entry" $given)) -}}
{{- if $entry.enabled -}}
{{- if lt (int $entry.terminationGracePeriodSeconds) (add $entry.preStopSeconds $entry.drainSeconds (mul 3 $entry.graceSeconds) 5 | int) -}}
{{- fail (printf "services.%s.terminationGracePeriodSeconds is %v: it must leave 5 s beyond preStopSeconds + drainSeconds + 3 x graceSeconds, or Kubernetes kills what is still finishing" $name $entry.terminationGracePeriodSeconds) -}}
{{- end -}}
{{- range $store := $entry.objectStores -}}
{{- if not (get $.Values.objectStores $store) -}}
{{- fail (printf "services.%s needs the object store %s: set objectStores.%s to a URL such as s3://bucket/prefix" $name $store $store) -}}
{{- end -}}
{{- end -}}
{{- if eq $entry.service "archive" -}}
{{- if not $.Values.timeStamps.url -}}
{{- fail (printf "services.%s needs a time-stamp authority: set timeStamps.url to its address (RFC 3161 over HTTP), or admission would stop after four hours" $name) -}}
{{- end -}}
{{- range $file := list "log_key_file" "log_policy_file" -}}
{{- if not (get $entry.settings $file) -}}
{{- fail (printf "services.%s.settings.%s is empty: the transparency log needs its key and the policy that names its witnesses" $name $file) -}}
{{- end -}}
{{- end -}}
{{- if and (hasPrefix "/etc/hocba/log/" $entry.settings.log_key_file) (not $entry.secrets.more.log) -}}
{{- fail (printf "services.%s.secrets.more.log is empty: name the Secret with the transparency log's key and policy" $name) -}}
{{- end -}}
{{- if not (or $entry.settings.wrapping_keys_dir $entry.settings.wrapping_pkcs11_library) -}}
{{- fail (printf "services.%s has no home of wrapping keys: set settings.wrapping_keys_dir, or settings.wrapping_pkcs11_library, _token and _pin_file" $name) -}}
{{- end -}}
{{- end -}}
{{- range $peer := $entry.calls -}}
{{- if not (hasKey $.Values.services $peer) -}}
{{- fail (printf "services.%s.calls names %s, which is no entry of services" $name $peer) -}}
{{- end -}}
{{- end -}}
{{- with $entry.autoscaling -}}
{{- if and (ne .kind "none") (gt (int .min) (int .max)) -}}
{{- fail (printf "services.%s.autoscaling: min %v is more than max %v" $name .min .max) -}}
{{- end -}}
{{- if eq .kind "keda" -}}
{{- if and $.Values.kafka.tls (not $.Values.kafka.scalerTlsSecret) -}}
{{- fail (printf "services.%s.autoscaling.kind is keda and kafka.tls is on: name the scaler's certificate in kafka.scalerTlsSecret" $name) -}}
{{- end -}}
{{- if not (and .consumerGroup .lag) -}}
{{- fail (printf "services.%s.autoscaling.kind is keda: set consumerGroup and lag, or this process reads no topic and hpa is what it needs" $name) -}}
{{- end -}}
{{- $partitions := 0 -}}
{{- range .lag -}}
{{- if not (hasKey $.Values.kafka.topics .topic) -}}
{{- fail (printf "services.%s.autoscaling.lag: %s is no topic of kafka.topics" $name .topic) -}}
{{- end -}}
{{- $partitions = max $partitions (get $.Values.kafka.topics .topic).partitions -}}
{{- end -}}
{{- if gt (int .max) (int $partitions) -}}
{{- fail (printf "services.%s.autoscaling.max is %v, but its topics have %v partitions at the most: further pods would idle" $name .max $partitions) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.kafka.tls (not .Values.kafka.caSecret) -}}
{{- fail "kafka.tls is on: name the Secret with the brokers' CA (key ca.crt) in kafka.caSecret" -}}
{{- end -}}
{{- if and (eq .Values.kafka.topicsBy "strimzi") (not .Values.kafka.strimziCluster) -}}
{{- fail "kafka.topicsBy is strimzi: name the Kafka object in kafka.strimziCluster" -}}
{{- end -}}
{{- if and (eq .Values.telemetry.export "otlp") (not .Values.telemetry.otlpEndpoint) -}}
{{- fail "telemetry.export is otlp: set telemetry.otlpEndpoint to host:port of a collector" -}}
{{- end -}}
{{- if and .Values.alerts.enabled (ne .Values.telemetry.export "otlp") -}}
{{- fail "alerts.enabled is on: set telemetry.export to otlp, or there are no metrics for them" -}}
{{- end -}}
{{- end }}
