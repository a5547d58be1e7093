#!/usr/bin/env bash
# Makes a project ready for the app: APIs, accounts, queues, secrets, and on App Engine the
# application. Each step looks first at what is there, so it may be run again, also after a failure.
# No keys of service accounts are made. What needs whom, and why: docs/deploy/.
set -Eeuo pipefail
# shellcheck source=deploy/steps.sh
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

make_account() {
  local email
  email=$(account "$1")
  if ! exists gcloud iam service-accounts describe "$email"; then
    quietly gcloud iam service-accounts create "$PREFIX-$1" --display-name="$PREFIX-$1" --description="$2"
  fi
}

# member_of_project ACCOUNT ROLE
member_of_project() {
  grant gcloud projects add-iam-policy-binding "$PROJECT" --condition=None \
    --member="serviceAccount:$(account "$1")" --role="$2"
}

# may_act ACCOUNT AS ROLE
may_act() {
  grant gcloud iam service-accounts add-iam-policy-binding "$(account "$2")" \
    --member="serviceAccount:$(account "$1")" --role="$3"
}

# may_use_queue QUEUE ACCOUNT ROLE
may_use_queue() {
  grant gcloud tasks queues add-iam-policy-binding "$1" --location="$REGION" \
    --member="serviceAccount:$(account "$2")" --role="$3"
}

make_queue() {
  local queue=$1 state=$2
  shift 2
  if exists gcloud tasks queues describe "$queue" --location="$REGION"; then
    quietly gcloud tasks queues update "$queue" --location="$REGION" "$@"
  else
    quietly gcloud tasks queues create "$queue" --location="$REGION" "$@"
  fi
  # A queue of dead letters that runs would send them again.
  [[ $state != PAUSED ]] || quietly gcloud tasks queues pause "$queue" --location="$REGION"
}

# make_secret NAME COMMAND: with what the command prints, where it has no value yet. The value is
# neither shown nor written down.
make_secret() {
  local secret versions=
  secret=$(secret_of "$1")
  if ! exists gcloud secrets describe "$secret"; then
    quietly gcloud secrets create "$secret" --replication-policy=automatic
  fi
  [[ $DRY_RUN ]] ||
    versions=$(gcloud secrets versions list "$secret" --filter=state:ENABLED --limit=1 --format='value(name)')
  if [[ -z $versions ]]; then
    echo "+ $2 | gcloud secrets versions add $secret --data-file=-"
    [[ $DRY_RUN ]] || "$2" | gcloud secrets versions add "$secret" --data-file=- >/dev/null
  fi
}

# As Standard Webhooks has them.
random_secret() {
  echo -n "whsec_$(openssl rand -base64 32)"
}

# A key for whoever sets this up, who is shown it this once; what is kept is its hash.
first_key() {
  local folder
  folder=$(mktemp -d)
  node "$ROOT/dist/cli/main.js" keys create --client setup --file "$folder/keys.json" | sed '$d' >&2
  cat "$folder/keys.json"
  rm -r "$folder"
}

# may_read_secret NAME ACCOUNT
may_read_secret() {
  grant gcloud secrets add-iam-policy-binding "$(secret_of "$1")" \
    --member="serviceAccount:$(account "$2")" --role=roles/secretmanager.secretAccessor
}

make_app() {
  # App Engine calls two regions by older names.
  local region=$REGION
  [[ $region != us-central1 ]] || region=us-central
  [[ $region != europe-west1 ]] || region=europe-west
  if ! exists gcloud app describe; then
    # Its region can't be changed afterwards.
    run gcloud app create --region="$region"
  fi
}

read_arguments -- "$@"
require_build
queues=$(queues)

say "APIs in project $PROJECT"
apis=(cloudtasks cloudscheduler secretmanager iam iamcredentials cloudbuild artifactregistry)
if [[ $PLATFORM == app-engine ]]; then apis+=(appengine); else apis+=(run); fi
run gcloud services enable "${apis[@]/%/.googleapis.com}"

say 'Accounts'
if [[ $PLATFORM == app-engine ]]; then
  makers=(app)
  make_account app 'Runs the app on App Engine'
else
  makers=(api worker)
  make_account build 'Builds the image'
  make_account api 'Runs the API: enqueues tasks'
  make_account worker 'Runs the worker: handles tasks'
fi
make_account tasks "Calls the app's handlers: its tokens are those of tasks and schedules"
make_account external "Calls other people's URLs from tasks"
make_account relay 'Calls what the relay is asked to call'
for maker in "${makers[@]}"; do
  # Whoever creates a task that carries a token must be allowed to act as its account.
  may_act "$maker" tasks roles/iam.serviceAccountUser
  may_act "$maker" external roles/iam.serviceAccountUser
done
# ID tokens and no more, for whoever runs the relay.
may_act "${makers[-1]}" relay roles/iam.serviceAccountOpenIdTokenCreator

if [[ $PLATFORM == app-engine ]]; then
  say 'App Engine'
  make_app
  # The app is built as its own account.
  for role in storage.objectViewer artifactregistry.createOnPushWriter logging.logWriter; do
    member_of_project app "roles/$role"
  done
else
  say 'A place for images'
  if ! exists gcloud artifacts repositories describe "$PREFIX" --location="$REGION"; then
    run gcloud artifacts repositories create "$PREFIX" --location="$REGION" --repository-format=docker
  fi
  grant gcloud artifacts repositories add-iam-policy-binding "$PREFIX" --location="$REGION" \
    --member="serviceAccount:$(account build)" --role=roles/artifactregistry.writer
  for role in storage.objectViewer logging.logWriter; do
    member_of_project build "roles/$role"
  done
fi

say "Queues of ${CONFIG##*/}"
while read -r queue state flags; do
  # shellcheck disable=SC2086 # flags are words, and hold no others
  make_queue "$queue" "$state" $flags
  for maker in "${makers[@]}"; do
    # The API reads what became of a dead letter; it parks none.
    if [[ $maker != api || $queue != *-dead-letter ]]; then
      may_use_queue "$queue" "$maker" roles/cloudtasks.enqueuer
    fi
    may_use_queue "$queue" "$maker" roles/cloudtasks.viewer
  done
done <<<"$queues"

say 'Secrets'
for name in "${SECRETS[@]}"; do
  make_secret "$name" random_secret
  # On App Engine deploy.sh reads them, with the rights of whoever deploys.
  [[ $PLATFORM == app-engine ]] || may_read_secret "$name" worker
done
optional=$(optional_secrets)
for name in $optional; do
  [[ $PLATFORM == app-engine ]] || may_read_secret "$name" worker
  if [[ $PLATFORM == cloud-run ]] && is_for_api "$name"; then may_read_secret "$name" api; fi
done
make_secret PRODUCER_KEYS first_key
[[ $PLATFORM == app-engine ]] || may_read_secret PRODUCER_KEYS api

say "Ready. Next: deploy/deploy.sh $PLATFORM --project $PROJECT --region $REGION"
