{{/* How many pods: by processor time (HPA), or by what waits in Kafka and in the service's own queue (KEDA). */}}

{{- define "hocba.scale.hpa" }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "hocba.component" . }}
  labels: {{- include "hocba.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "hocba.component" . }}}
  minReplicas: {{ .entry.autoscaling.min }}
  maxReplicas: {{ .entry.autoscaling.max }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ .entry.autoscaling.cpuPercent }}}
  behavior: {{- toYaml .entry.autoscaling.behavior | nindent 4 }}
{{- end }}

{{- define "hocba.scale.keda" }}
{{- $root := .root }}
{{- $entry := .entry }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ include "hocba.component" . }}
  labels: {{- include "hocba.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "hocba.component" . }}}
  pollingInterval: {{ $entry.autoscaling.pollingSeconds }}
  cooldownPeriod: 300
  minReplicaCount: {{ $entry.autoscaling.min }}
  maxReplicaCount: {{ $entry.autoscaling.max }}
  fallback:
    failureThreshold: 3
    replicas: {{ $entry.autoscaling.fallbackReplicas }}
    # A broker that can't be asked is no reason to send workers home.
    behavior: currentReplicasIfHigher
  advanced:
    restoreToOriginalReplicaCount: false
    horizontalPodAutoscalerConfig:
      behavior: {{- toYaml $entry.autoscaling.behavior | nindent 8 }}
  triggers:
    {{- range $entry.autoscaling.lag }}
    - type: kafka
      metadata:
        bootstrapServers: {{ $root.Values.kafka.bootstrapServers | quote }}
        consumerGroup: {{ printf "%s%s" $root.Values.kafka.topicPrefix $entry.autoscaling.consumerGroup | quote }}
        topic: {{ printf "%s%s" $root.Values.kafka.topicPrefix .topic | quote }}
        lagThreshold: {{ .threshold | quote }}
        activationLagThreshold: "0"
        # The consumers' own reset is "none": their offsets were made at the beginning. Earliest is the same for KEDA.
        offsetResetPolicy: earliest
        allowIdleConsumers: "false"
        excludePersistentLag: "false"
        {{- if $root.Values.kafka.tls }}
        tls: enable
        {{- end }}
      {{- if $root.Values.kafka.tls }}
      authenticationRef:
        name: {{ include "hocba.component" (dict "root" $root "name" "kafka") }}
      {{- end }}
    {{- end }}
    {{- with $entry.autoscaling.backlog }}
    - type: postgresql
      metadata:
        host: {{ $entry.postgresqlHost | default $root.Values.postgresql.host | quote }}
        port: {{ $root.Values.postgresql.port | quote }}
        userName: {{ printf "hocba_%s" $entry.service | quote }}
        dbName: {{ printf "hocba_%s" $entry.service | quote }}
        sslmode: {{ .sslmode | quote }}
        query: {{ .query | quote }}
        targetQueryValue: {{ .threshold | quote }}
        activationTargetQueryValue: "0"
      authenticationRef:
        name: {{ include "hocba.component" (dict "root" $root "name" (printf "%s-database" $entry.service)) }}
    {{- end }}
{{- end }}
