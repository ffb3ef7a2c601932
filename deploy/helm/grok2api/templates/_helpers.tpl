{{- define "grok2api.labels" -}}
app.kubernetes.io/name: grok2api
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "grok2api.env" -}}
- name: GROK2API_STORAGE_MODE
  value: {{ .Values.storageMode | quote }}
- name: GROK2API_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.existingSecret }}, key: {{ .Values.secretKeys.databaseUrl }}}}
- name: GROK2API_REDIS_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.existingSecret }}, key: {{ .Values.secretKeys.redisUrl }}}}
- name: GROK2API_SECRET_KEY
  valueFrom: {secretKeyRef: {name: {{ .Values.existingSecret }}, key: {{ .Values.secretKeys.masterKey }}}}
- name: GROK2API_DATA_DIR
  value: /data
- name: GROK2API_LISTEN
  value: 0.0.0.0:8000
- name: GROK2API_WORKER__LISTEN
  value: 0.0.0.0:8000
- name: GROK2API_SCHEDULER__LISTEN
  value: 0.0.0.0:8000
- name: GROK2API_SERVER__DRAIN_DELAY_SECS
  value: {{ .Values.drain.delaySeconds | quote }}
- name: GROK2API_SERVER__SHUTDOWN_GRACE_SECS
  value: {{ .Values.drain.graceSeconds | quote }}
- name: GROK2API_WORKER__DRAIN_SECS
  value: {{ .Values.worker.drainSeconds | quote }}
{{- if .Values.serviceMonitor.enabled }}
- name: GROK2API_SERVER__METRICS_TOKEN
  valueFrom: {secretKeyRef: {name: {{ .Values.existingSecret }}, key: metrics-token}}
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "grok2api.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
{{ include "grok2api.env" . | indent 2 }}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: tmp, mountPath: /tmp}
{{- if .Values.media.existingClaim }}
  - {name: media, mountPath: /data/media}
{{- end }}
{{- end }}

{{- define "grok2api.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{ toYaml . | indent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
{{ toYaml . | indent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
{{ toYaml . | indent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
{{ toYaml . | indent 2 }}
{{- end }}
volumes:
  - {name: data, emptyDir: {}}
  - {name: tmp, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
{{- if .Values.media.existingClaim }}
  - name: media
    persistentVolumeClaim: {claimName: {{ .Values.media.existingClaim }}}
{{- end }}
{{- end }}
