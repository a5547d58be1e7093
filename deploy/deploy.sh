#!/usr/bin/env bash
# Deploys the app to a project that setup-env.sh has made ready, and prints where it is. On Cloud Run
# the image is built by Cloud Build, so no Docker is needed here.
set -Eeuo pipefail
# shellcheck source=deploy/steps.sh
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

made=()
clean_up() {
  ((${#made[@]} == 0)) || rm -rf "${made[@]}"
}
trap clean_up EXIT

# What is between braces is filled in; anything else that looks so is a mistake of the template.
filled_in() {
  local text
  text=$(<"$1")
  shift
  local pair
  for pair in "$@"; do
    text=${text//"\${${pair%%=*}}"/${pair#*=}}
  done
  [[ $text != *"\${"* ]] || die "a place of a template is not filled in: ${text#*"\${"}"
  echo "$text"
}

# An entry of `env` more.
from_secret() {
  printf '\n            - name: %s\n              valueFrom: { secretKeyRef: { name: %s, key: latest } }' \
    "$1" "$(secret_of "$1")"
}

# with_settings SERVICE ENTRIES
with_settings() {
  local before=${1%%$'\n          env:\n'*} after=${1#*$'\n          env:\n'}
  printf '%s\n          env:%s\n%s\n' "$before" "$2" "$after"
}

# may_invoke SERVICE MEMBER
may_invoke() {
  grant gcloud run services add-iam-policy-binding "$1" --region="$REGION" \
    --member="$2" --role=roles/run.invoker
}

deploy_cloud_run() {
  local number tag image folder service
  number=$(project_number)
  # Each deployment has an image of its own, so that what runs is what was built.
  tag=${TAG:-$(date -u +%Y%m%d-%H%M%S)}
  image=$REGION-docker.pkg.dev/$PROJECT/$PREFIX/app:$tag

  say "Image $image"
  run gcloud builds submit "$ROOT" --config="$ROOT/deploy/cloudbuild.yaml" \
    --substitutions="_IMAGE=$image" --region="$REGION"

  say 'Services'
  folder=$(mktemp -d)
  made+=("$folder")
  local text
  text=$(filled_in "$ROOT/deploy/cloudrun.service.yaml" "PROJECT_ID=$PROJECT" "PROJECT_NUMBER=$number" "REGION=$REGION" "IMAGE=$image")
  local optional name worker='' api=''
  optional=$(optional_secrets)
  for name in $optional; do
    worker+=$(from_secret "$name")
    if is_for_api "$name"; then api+=$(from_secret "$name"); fi
  done
  with_settings "${text%%$'\n---\n'*}" "$worker" >"$folder/worker.yaml"
  with_settings "${text##*$'\n---\n'}" "$api" >"$folder/api.yaml"
  # The worker first: the API sends it tasks.
  for service in worker api; do
    run gcloud run services replace "$folder/$service.yaml" --region="$REGION"
  done

  say 'Who gets in'
  may_invoke "$PREFIX-worker" "serviceAccount:$(account tasks)"
  # Everybody gets as far as the API itself, which asks for a key.
  may_invoke "$PREFIX-api" allUsers

  say 'Done'
  cat <<TEXT
Service: https://$PREFIX-api-$number.$REGION.run.app
Worker:  https://$PREFIX-worker-$number.$REGION.run.app (tasks only)
Queue:   https://console.cloud.google.com/cloudtasks/queue/$REGION/default/tasks?project=$PROJECT
Logs:    https://console.cloud.google.com/run/detail/$REGION/$PREFIX-worker/logs?project=$PROJECT
TEXT
}

# Of a secret, its value; in a dry run only that it would be asked for.
secret_value() {
  shown gcloud secrets versions access latest --secret="$(secret_of "$1")" >&2
  if [[ $DRY_RUN ]]; then echo "$1"; else gcloud secrets versions access latest --secret="$(secret_of "$1")"; fi
}

# for_app_engine FILE HOST SECRET...: a copy beside it, with what is this project's. Nobody else may
# read it, and it goes when this ends: App Engine has no other way to hand a version its secrets.
for_app_engine() {
  local file=$ROOT/$1 copy=$ROOT/${1%.yaml}.deploy.yaml host=$2 text name value
  shift 2
  text=$(<"$file")
  text=${text//YOUR_PROJECT.REGION_ID.r.appspot.com/$host}
  text=${text//YOUR_PROJECT/$PROJECT}
  text=${text//LOCATION: us-central1/LOCATION: $REGION}
  for name in "$@"; do
    value=$(secret_value "$name")
    text+=$'\n'"  $name: '${value//\'/\'\'}'"
  done
  [[ -z $DRY_RUN ]] || return 0
  made+=("$copy")
  (umask 077 && echo "$text" >"$copy")
}

deploy_app_engine() {
  local host=$PROJECT.REGION_ID.r.appspot.com files=()
  [[ $DRY_RUN ]] || host=$(gcloud app describe --format='value(defaultHostname)')
  [[ -n $host ]] || die "there is no App Engine application: deploy/setup-env.sh app-engine --project $PROJECT"

  say 'Settings'
  local optional name store=()
  optional=$(optional_secrets)
  for name in $optional; do
    if is_for_api "$name"; then store+=("$name"); fi
  done
  # shellcheck disable=SC2086 # names are words
  for_app_engine app.yaml "$host" "${SECRETS[@]}" $optional
  # The relay has a journal too, and takes signed tasks.
  for_app_engine relay.app.yaml "$host" CALLBACK_SECRET "${store[@]}"
  if [[ $DRY_RUN ]]; then
    secret_value PRODUCER_KEYS >/dev/null
  elif [[ ! -f $ROOT/producer-keys.json ]]; then
    made+=("$ROOT/producer-keys.json")
    (umask 077 && secret_value PRODUCER_KEYS >"$ROOT/producer-keys.json")
  fi

  say 'Versions'
  # The default service first: without it there is no other.
  files=("$ROOT/app.deploy.yaml" "$ROOT/relay.app.deploy.yaml")
  [[ ! -f $ROOT/cron.yaml ]] || files+=("$ROOT/cron.yaml")
  run gcloud app deploy "${files[@]}"

  say 'Done'
  cat <<TEXT
Service: https://$host
Relay:   https://relay-dot-$host (tasks only)
Queue:   https://console.cloud.google.com/cloudtasks/queue/$REGION/default/tasks?project=$PROJECT
Logs:    https://console.cloud.google.com/logs/query;query=resource.type%3D%22gae_app%22?project=$PROJECT
TEXT
}

read_arguments -- "$@"
if [[ $PLATFORM == app-engine ]]; then deploy_app_engine; else deploy_cloud_run; fi
