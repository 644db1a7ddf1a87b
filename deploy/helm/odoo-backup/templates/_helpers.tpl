{{- /* The objects are named after the release: a release `odoo-backup` has the names of the manifests. */ -}}

{{- define "odoo-backup.labels" -}}
app.kubernetes.io/name: odoo-backup
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "odoo-backup.config" -}}
{{- required "the configuration is missing: pass it with --set-file config=config.toml" .Values.config -}}
{{- end -}}

{{- define "odoo-backup.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}
{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* One object of the manifests: {file, root}. */ -}}
{{- define "odoo-backup.object" -}}
{{- $values := .root.Values -}}
{{- $release := .root.Release.Name -}}
{{- $instance := dict "app.kubernetes.io/instance" $release -}}
{{- $object := .root.Files.Get (printf "manifests/%s" .file) | fromYaml -}}
{{- if not $object.kind }}{{ fail (printf "unable to read manifests/%s" .file) }}{{ end -}}
{{- $_ := set $object.metadata "name" (replace "odoo-backup" $release $object.metadata.name) -}}
{{- $_ := set $object.metadata "labels" (include "odoo-backup.labels" .root | fromYaml) -}}
{{- $pod := dict -}}
{{- if eq $object.kind "Deployment" -}}
{{- $pod = $object.spec.template -}}
{{- $_ := merge $object.spec.selector.matchLabels $instance -}}
{{- else if eq $object.kind "Service" -}}
{{- $_ := merge $object.spec.selector $instance -}}
{{- else if eq $object.kind "Job" -}}
{{- $pod = $object.spec.template -}}
{{- $_ := merge $object.metadata.annotations (dict "helm.sh/hook" "post-install,post-upgrade" "helm.sh/hook-delete-policy" "before-hook-creation") -}}
{{- else if eq $object.kind "CronJob" -}}
{{- $pod = $object.spec.jobTemplate.spec.template -}}
{{- $_ := set $object.spec "timeZone" $values.cronjob.timeZone -}}
{{- $_ := set $object.spec "schedule" (ternary $values.cronjob.drill $values.cronjob.backup (hasSuffix "drill.yaml" .file)) -}}
{{- else if eq $object.kind "PersistentVolumeClaim" -}}
{{- $_ := set $object.spec.resources.requests "storage" $values.state.size -}}
{{- with $values.state.storageClass }}{{ $_ := set $object.spec "storageClassName" . }}{{ end -}}
{{- else if eq $object.kind "ServiceMonitor" -}}
{{- $_ := merge $object.spec.selector.matchLabels $instance -}}
{{- $_ := set (first $object.spec.endpoints).authorization.credentials "name" $values.secrets.token -}}
{{- end -}}
{{- if $pod -}}
{{- include "odoo-backup.pod" (dict "pod" $pod "kind" $object.kind "root" .root) -}}
{{- end -}}
{{- toYaml $object -}}
{{- end -}}

{{- /* Changes a pod's template: {pod, kind, root}. Prints nothing. */ -}}
{{- define "odoo-backup.pod" -}}
{{- $values := .root.Values -}}
{{- $release := .root.Release.Name -}}
{{- $spec := .pod.spec -}}
{{- $_ := merge .pod.metadata.labels (dict "app.kubernetes.io/instance" $release) -}}
{{- /* A changed configuration starts a new pod. */ -}}
{{- $_ := set .pod.metadata "annotations" (dict "checksum/config" (include "odoo-backup.config" .root | sha256sum)) -}}
{{- $_ := set $spec "serviceAccountName" $release -}}
{{- $_ := set $spec.securityContext "runAsUser" $values.user.uid -}}
{{- $_ := set $spec.securityContext "runAsGroup" $values.user.gid -}}
{{- $_ := set $spec.securityContext "fsGroup" $values.user.gid -}}
{{- with $values.image.pullSecrets }}{{ $_ := set $spec "imagePullSecrets" . }}{{ end -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" -}}
{{- with get $values $key }}{{ $_ := set $spec $key . }}{{ end -}}
{{- end -}}
{{- $container := first $spec.containers -}}
{{- $_ := set $container "image" (include "odoo-backup.image" .root) -}}
{{- $_ := set $container "imagePullPolicy" $values.image.pullPolicy -}}
{{- if and $values.resources (ne .kind "Job") -}}
{{- $_ := set $container "resources" $values.resources -}}
{{- end -}}
{{- range $volume := $spec.volumes -}}
{{- with $volume.configMap }}{{ $_ := set . "name" $release }}{{ end -}}
{{- with $volume.secret }}{{ $_ := set . "secretName" $values.secrets.name }}{{ end -}}
{{- with $volume.projected -}}
{{- range $source := .sources -}}
{{- $_ := set $source.secret "name" (ternary $values.secrets.token $values.secrets.name (hasSuffix "-token" $source.secret.name)) -}}
{{- end -}}
{{- end -}}
{{- with $volume.persistentVolumeClaim -}}
{{- $_ := set . "claimName" (ternary (printf "%s-state" $release) $values.filestore.claim (eq $volume.name "state")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
