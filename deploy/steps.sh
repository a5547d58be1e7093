# shellcheck shell=bash
# What setup-env.sh, deploy.sh and teardown.sh share: their arguments, and steps that say what they do
# and may be done again. Sourced, not run.

# shellcheck disable=SC2034 # some are for those who source this

# A failure within $(…) is one too.
shopt -s inherit_errexit

# What the names of accounts, secrets and services begin with; queues are named by the file.
PREFIX=tasks
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DRY_RUN=
YES=
PLATFORM=
PROJECT=${PROJECT_ID:-${GOOGLE_CLOUD_PROJECT:-}}
REGION=${LOCATION:-us-central1}
CONFIG=${QUEUES_FILE:-$ROOT/tasks.config.yaml}
# Settings that are secrets: made where they are missing, and used where somebody has made them.
SECRETS=(WEBHOOK_SECRET CALLBACK_SECRET)
OPTIONAL_SECRETS=(STORE_URL ENVELOPE_SECRET SMTP_URL DATABASE_URL)

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# Says on one line which command failed, and that the script may simply be run again.
stopped() {
  echo "${0##*/}: stopped at line $1, exit code $2. What is done is done: mend it, and run the same again." >&2
}
trap 'stopped "$LINENO" "$?"' ERR

usage() {
  cat <<TEXT
usage: ${0##*/} app-engine|cloud-run [--project ID] [--region REGION] [--dry-run]${1:-}

  --project ID     the project; default PROJECT_ID, GOOGLE_CLOUD_PROJECT, or gcloud's own
  --region REGION  of queues and services; default LOCATION, or us-central1
  --dry-run        only print the commands that would be run
TEXT
}

# read_arguments [more flags]... -- "$@"
read_arguments() {
  local more=()
  while [[ $1 != -- ]]; do
    more+=("$1")
    shift
  done
  shift
  while (($#)); do
    case $1 in
      app-engine | cloud-run)
        [[ -z $PLATFORM ]] || die "expected one of app-engine and cloud-run, got both"
        PLATFORM=$1
        ;;
      --project=* | --region=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
      --project | --region)
        [[ ${2:-} =~ ^[^-] ]] || die "$1: expected a value"
        if [[ $1 == --project ]]; then PROJECT=$2; else REGION=$2; fi
        shift
        ;;
      --dry-run) DRY_RUN=yes ;;
      --yes)
        [[ " ${more[*]} " == *' --yes '* ]] || die "--yes: not a flag here"
        YES=yes
        ;;
      -h | --help)
        usage "${more[*]:+ [${more[*]}]}"
        exit
        ;;
      *) die "$1: expected app-engine, cloud-run or a flag; see --help" ;;
    esac
    shift
  done
  [[ -n $PLATFORM ]] || die 'expected app-engine or cloud-run; see --help'
  command -v gcloud >/dev/null || [[ $DRY_RUN ]] ||
    die 'there is no gcloud here: https://cloud.google.com/sdk/docs/install'
  if [[ -z $PROJECT && -z $DRY_RUN ]]; then
    PROJECT=$(gcloud config get-value project 2>/dev/null || true)
    [[ $PROJECT != '(unset)' ]] || PROJECT=
  fi
  [[ -n $PROJECT ]] ||
    die 'no project is set: pass --project ID, or run: gcloud config set project ID'
  [[ $PROJECT =~ ^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] ||
    die "--project: expected a project's id such as my-project, got '$PROJECT'"
  [[ $REGION =~ ^[a-z]+-[a-z]+[0-9]+$ ]] ||
    die "--region: expected a region such as us-central1, got '$REGION'"
  # Each gcloud below works in this project, and asks nothing.
  export CLOUDSDK_CORE_PROJECT=$PROJECT CLOUDSDK_CORE_DISABLE_PROMPTS=1
}

say() { printf '\n# %s\n' "$*"; }

shown() {
  local words
  printf -v words ' %q' "$@"
  echo "+${words}"
}

# Prints a command that changes something, and runs it.
run() {
  shown "$@"
  [[ $DRY_RUN ]] || "$@"
}

# The same where only the exit code is of interest: what such commands print is long.
quietly() {
  shown "$@"
  [[ $DRY_RUN ]] || "$@" >/dev/null
}

# Whether something is there. Any other failure than its absence ends the script: whoever may not look
# would make it again and again.
exists() {
  [[ -z $DRY_RUN ]] || return 1
  local error
  if error=$("$@" 2>&1 >/dev/null); then return 0; fi
  if grep -qiE 'NOT_FOUND|not found|does not exist|cannot find|does not contain an App Engine' <<<"$error"; then
    return 1
  fi
  echo "$error" >&2
  shown "$@" >&2
  die 'that failed; the reason stands above'
}

# A role for somebody who was made a moment ago: IAM learns of them within a minute.
grant() {
  local tries
  shown "$@"
  [[ -z $DRY_RUN ]] || return 0
  for ((tries = 1; ; tries++)); do
    local error
    if error=$("$@" 2>&1 >/dev/null); then return 0; fi
    if ((tries == 12)) || ! grep -qiE 'does not exist|concurrent policy changes|ABORTED' <<<"$error"; then
      echo "$error" >&2
      return 1
    fi
    sleep "${RETRY_SECONDS:-5}"
  done
}

account() { echo "$PREFIX-$1@$PROJECT.iam.gserviceaccount.com"; }

secret_of() {
  local name=${1,,}
  echo "$PREFIX-${name//_/-}"
}

# Of the optional secrets those that are there.
optional_secrets() {
  local name
  for name in "${OPTIONAL_SECRETS[@]}"; do
    if exists gcloud secrets describe "$(secret_of "$name")"; then echo "$name"; fi
  done
}

# Whether the API needs a secret too; the worker needs each.
is_for_api() { [[ $1 == STORE_URL || $1 == ENVELOPE_SECRET ]]; }

node() { "$ROOT/node_modules/.bin/node" "$@"; }

# What was built answers for the queues, so that the file is read by the same rules everywhere.
require_build() {
  [[ -f $ROOT/dist/cli/main.js ]] || die 'the app is not built yet: npm ci && npm run build'
}

# A line a queue: its id, PAUSED or RUNNING, and gcloud's flags.
queues() {
  local lines
  lines=$(node "$ROOT/deploy/queue-flags.mjs" "$CONFIG")
  # Which App Engine service a queue goes to means nothing on Cloud Run, and there may be no App Engine.
  [[ $PLATFORM == app-engine ]] || lines=$(sed -E 's/ --routing-override=[^ ]+//' <<<"$lines")
  echo "$lines"
}

project_number() {
  if [[ $DRY_RUN ]]; then echo PROJECT_NUMBER; else gcloud projects describe "$PROJECT" --format='value(projectNumber)'; fi
}
