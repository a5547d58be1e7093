#!/usr/bin/env bash
# Deletes what setup-env.sh and deploy.sh have made, tasks and dead letters included, and leaves what
# is not theirs: the project, its APIs, and App Engine's application, which can't be deleted.
set -Eeuo pipefail
# shellcheck source=deploy/steps.sh
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

# gone LOOK... -- DELETE...: what isn't there needn't be deleted.
gone() {
  local look=()
  while [[ $1 != -- ]]; do
    look+=("$1")
    shift
  done
  shift
  if [[ $DRY_RUN ]] || exists "${look[@]}"; then quietly "$@"; fi
}

# Takes a role from somebody who may not have it any more.
taken() {
  local error
  shown "$@"
  [[ -z $DRY_RUN ]] || return 0
  if error=$("$@" 2>&1 >/dev/null) || grep -qiE 'not found|does not exist' <<<"$error"; then return 0; fi
  echo "$error" >&2
  return 1
}

read_arguments --yes -- "$@"
require_build
queues=$(queues)

if [[ -z $YES && -z $DRY_RUN ]]; then
  cat >&2 <<TEXT
This deletes the services, queues, secrets, images and accounts of project $PROJECT that begin with
$PREFIX- or that ${CONFIG##*/} names, with every task in them. A queue's name is free again after some days.
TEXT
  read -rp "To go on, write the project's id: " answer || die 'nobody has said yes: pass --yes'
  [[ $answer == "$PROJECT" ]] || die "expected $PROJECT, got '$answer': nothing is deleted"
fi

say 'Services'
if [[ $PLATFORM == cloud-run ]]; then
  for service in api worker; do
    gone gcloud run services describe "$PREFIX-$service" --region="$REGION" \
      -- gcloud run services delete "$PREFIX-$service" --region="$REGION"
  done
  gone gcloud artifacts repositories describe "$PREFIX" --location="$REGION" \
    -- gcloud artifacts repositories delete "$PREFIX" --location="$REGION"
else
  gone gcloud app services describe relay -- gcloud app services delete relay
  # The last version of the default service can't be deleted; without requests it has no instances.
fi

say "Queues of ${CONFIG##*/}"
while read -r queue _; do
  gone gcloud tasks queues describe "$queue" --location="$REGION" \
    -- gcloud tasks queues delete "$queue" --location="$REGION"
done <<<"$queues"

say 'Secrets'
for name in PRODUCER_KEYS "${SECRETS[@]}" "${OPTIONAL_SECRETS[@]}"; do
  gone gcloud secrets describe "$(secret_of "$name")" -- gcloud secrets delete "$(secret_of "$name")"
done

say 'Accounts'
accounts=(tasks external relay)
if [[ $PLATFORM == app-engine ]]; then accounts+=(app); else accounts+=(api worker build); fi
for name in "${accounts[@]}"; do
  if [[ $name == app || $name == build ]] && { [[ $DRY_RUN ]] || exists gcloud iam service-accounts describe "$(account "$name")"; }; then
    # Roles of the project would outlive their account.
    for role in storage.objectViewer artifactregistry.createOnPushWriter logging.logWriter; do
      [[ $name == app || $role != artifactregistry.* ]] || continue
      taken gcloud projects remove-iam-policy-binding "$PROJECT" --condition=None \
        --member="serviceAccount:$(account "$name")" --role="roles/$role"
    done
  fi
  gone gcloud iam service-accounts describe "$(account "$name")" \
    -- gcloud iam service-accounts delete "$(account "$name")"
done

say 'Nothing is left but the project, its APIs and what was there before.'
if [[ $PLATFORM == app-engine ]]; then
  echo "App Engine's application stays, and its last version serves until you disable it:"
  echo "https://console.cloud.google.com/appengine/settings?project=$PROJECT"
fi
