#!/usr/bin/env bash
# Runs every `gcloud tasks` and `gcloud scheduler` command against the built engine and checks what
# gcloud prints: it must not be able to tell the engine from Cloud Tasks and Cloud Scheduler. Then an app's own handler gets a task from gcloud.
#
#   npm run test:gcloud
#
# Needs gcloud, no account and no network: it talks to 127.0.0.1 alone.
set -uo pipefail
cd "$(dirname "$0")/../.."

if ! command -v gcloud >/dev/null; then
  echo 'Skipped: gcloud is not installed (https://cloud.google.com/sdk/docs/install).'
  exit 0
fi

NODE=node_modules/.bin/node
ROOM=$(mktemp -d)
STARTED=()
CHECKS=0
FAILED=0
OUT=

end() {
  for pid in "${STARTED[@]}"; do
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
  done
  rm -rf "$ROOM"
}
trap end EXIT

# Starts a program whose output goes to a file; ends with this script.
start() {
  local log=$1
  shift
  "$@" >"$ROOM/$log" 2>&1 &
  STARTED+=($!)
}

# Waits until a file has a line that matches, and prints what matched; gives up after 20 s.
found_in() {
  local file="$ROOM/$1" pattern=$2 tries
  for ((tries = 0; tries < 200; tries++)); do
    grep -oEm1 -e "$pattern" "$file" 2>/dev/null && return 0
    sleep 0.1
  done
  echo "Waited in vain for /$pattern/ in $1:" >&2
  cat "$file" >&2
  return 1
}

passed() { CHECKS=$((CHECKS + 1)); }

failed() {
  CHECKS=$((CHECKS + 1))
  FAILED=$((FAILED + 1))
  echo "FAILED: $1"
  sed 's/^/    /' <<<"$OUT"
}

# runs PATTERN COMMAND...: gcloud succeeds, and prints something that matches.
runs() {
  local pattern=$1
  shift
  if ! OUT=$(gcloud "$@" 2>&1 </dev/null); then
    failed "gcloud $*: exit code"
  elif ! grep -qE -e "$pattern" <<<"$OUT"; then
    failed "gcloud $*: prints no /$pattern/"
  else
    passed
  fi
}

# prints PATTERN: so did the last command.
prints() {
  if grep -qE -e "$1" <<<"$OUT"; then passed; else failed "prints no /$1/"; fi
}

lacks() {
  if grep -qE -e "$1" <<<"$OUT"; then failed "prints /$1/"; else passed; fi
}

# refuses PATTERN COMMAND...: gcloud fails, and says why.
refuses() {
  local pattern=$1
  shift
  if OUT=$(gcloud "$@" 2>&1 </dev/null); then
    failed "gcloud $*: succeeds"
  elif ! grep -qE -e "$pattern" <<<"$OUT"; then
    failed "gcloud $*: prints no /$pattern/"
  else
    passed
  fi
}

# Lets gcloud call the Google APIs that it needs at one address, as nobody in particular.
point_gcloud_at() {
  export CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDTASKS="$1/"
  export CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDSCHEDULER="$1/"
  export CLOUDSDK_API_ENDPOINT_OVERRIDES_APPENGINE="$1/"
}
export CLOUDSDK_CONFIG="$ROOM/gcloud"
export CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true
export CLOUDSDK_CORE_PROJECT=demo
export CLOUDSDK_CORE_DISABLE_PROMPTS=1
export CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=true
export CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=true

# A target: writes each request as one line of JSON.
start target "$NODE" --input-type=module -e '
  import { createServer } from "node:http";
  import { text } from "node:stream/consumers";
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    console.log(JSON.stringify({ method, url, headers, body: await text(request) }));
    response.end();
  });
  server.listen(0, "127.0.0.1", () => console.log("http://127.0.0.1:" + server.address().port));'
TARGET=$(found_in target 'http://127[0-9.:]+') || exit 1
start engine "$NODE" dist/cli/main.js engine --port 0 --memory --app-engine-host "default=$TARGET"
ENGINE=$(found_in engine 'http://127[0-9.:]+') || exit 1
point_gcloud_at "$ENGINE"
L=(--location us-central1)
Q=(--queue work "${L[@]}")
NAME=projects/demo/locations/us-central1/queues/work

echo '# locations'
runs 'us-central1' tasks locations list
runs 'name: projects/demo/locations/us-central1' tasks locations describe us-central1
runs 'locationId: europe-west1' tasks locations describe europe-west1

echo '# queues'
runs 'Created queue \[us-central1/work\]' tasks queues create work "${L[@]}" \
  --max-attempts 5 --max-retry-duration 60s --min-backoff 0.5s --max-backoff 10s --max-doublings 3 \
  --max-dispatches-per-second 50 --max-concurrent-dispatches 7 --log-sampling-ratio 0.5 \
  --routing-override service:worker,version:v1
runs "name: $NAME" tasks queues describe work "${L[@]}"
prints 'maxAttempts: 5'
prints 'maxRetryDuration: 60s'
prints 'minBackoff: 0\.500s'
prints 'maxBackoff: 10s'
prints 'maxDoublings: 3'
prints 'maxDispatchesPerSecond: 50\.0'
prints 'maxBurstSize: 10'
prints 'maxConcurrentDispatches: 7'
prints 'samplingRatio: 0\.5'
prints 'service: worker'
prints 'state: RUNNING'
refuses 'ALREADY_EXISTS: Queue already exists' tasks queues create work "${L[@]}"
refuses 'INVALID_ARGUMENT: Queue name must be formatted' tasks queues create under_score "${L[@]}"
refuses "duration must end with 's'" tasks queues create other "${L[@]}" --min-backoff 1h
refuses 'NOT_FOUND: Queue does not exist' tasks queues describe nobody "${L[@]}"
runs 'Updated queue \[us-central1/work\]' tasks queues update work "${L[@]}" \
  --max-attempts 9 --max-dispatches-per-second 100 --clear-max-backoff --clear-max-retry-duration \
  --clear-log-sampling-ratio --clear-routing-override
runs 'maxAttempts: 9' tasks queues describe work "${L[@]}"
prints 'maxBackoff: 3600s'
prints 'maxDispatchesPerSecond: 100\.0'
prints 'maxConcurrentDispatches: 7'
prints 'maxDoublings: 3'
lacks 'service: worker|samplingRatio|maxRetryDuration: 60s'
runs 'Updated queue' tasks queues update work "${L[@]}" --clear-max-attempts \
  --clear-max-doublings --clear-min-backoff --clear-max-dispatches-per-second \
  --clear-max-concurrent-dispatches
runs 'maxAttempts: 100' tasks queues describe work "${L[@]}"
prints 'maxConcurrentDispatches: 1000'
runs 'Created queue' tasks queues create second "${L[@]}"
runs 'second.*RUNNING' tasks queues list "${L[@]}"
prints 'work.*RUNNING'
runs '^second$' tasks queues list "${L[@]}" --filter='name~second' --format='value(name.basename())'
lacks work
runs '^second' tasks queues list "${L[@]}" --limit 1 --page-size 1 --format='value(name.basename())'
runs 'Paused queue' tasks queues pause work "${L[@]}"
runs 'state: PAUSED' tasks queues describe work "${L[@]}"

echo '# tasks'
runs 'Created task \[.*/tasks/http-1\]' tasks create-http-task http-1 "${Q[@]}" \
  --url "$TARGET/http?a=b" --method PUT --header 'X-One: 1' --header 'Content-Type: text/plain' \
  --body-content 'Hello from gcloud' --schedule-time 2026-01-02T03:04:05Z \
  --oidc-service-account-email caller@demo.iam.gserviceaccount.com --oidc-token-audience http://aud
runs 'url: http://127.*/http\?a=b' tasks describe http-1 "${Q[@]}"
prints 'X-One: .1.'
prints 'serviceAccountEmail: caller@demo'
prints 'view: BASIC'
lacks 'body:'
runs 'body: SGVsbG8gZnJvbSBnY2xvdWQ=' tasks describe http-1 "${Q[@]}" --response-view full
runs 'Created task' tasks create-app-engine-task ae-1 "${Q[@]}" --relative-uri /ae --method POST \
  --header 'X-Two: 2' --body-content 'for App Engine' --routing service:default
runs 'relativeUri: /ae' tasks describe ae-1 "${Q[@]}"
runs 'Created task \[.*/tasks/[0-9]{15,20}\]' tasks create-app-engine-task "${Q[@]}"
refuses 'ALREADY_EXISTS' tasks create-http-task http-1 "${Q[@]}" --url "$TARGET/"
refuses "INVALID_ARGUMENT: HttpTarget.url must start with" tasks create-http-task "${Q[@]}" --url x
refuses 'NOT_FOUND' tasks describe nobody "${Q[@]}"
runs 'http-1 +http' tasks list "${Q[@]}"
prints 'ae-1 +app-engine'
runs 'name: .*/tasks/http-1' tasks run http-1 "${Q[@]}"
found_in target '.*"url":"/http\?a=b".*' >/dev/null && OUT=$(cat "$ROOM/target")
prints '"method":"PUT".*"body":"Hello from gcloud"'
prints '"x-one":"1"'
prints '"authorization":"Bearer '
prints '"x-cloudtasks-queuename":"work"'
prints '"x-cloudtasks-taskname":"http-1"'
runs 'Deleted task' tasks delete ae-1 "${Q[@]}"
refuses 'NOT_FOUND: The task no longer exists' tasks describe ae-1 "${Q[@]}"
runs 'Purged queue' tasks queues purge work "${L[@]}"
runs 'Listed 0 items' tasks list "${Q[@]}"
runs 'purgeTime:' tasks queues describe work "${L[@]}"
runs 'Created task' tasks create-http-task http-2 "${Q[@]}" --url "$TARGET/later" --method GET
runs 'Resumed queue' tasks queues resume work "${L[@]}"
found_in target '.*"url":"/later".*' >/dev/null && passed || failed 'a resumed queue sends its task'
runs 'Created task' tasks create-app-engine-task ae-2 "${Q[@]}" --relative-uri /ae-2 \
  --body-content hi
found_in target '.*"url":"/ae-2".*"x-appengine-taskname":"ae-2".*' >/dev/null && passed ||
  failed 'an App Engine task arrives'

echo '# routing by the queue, and buffered tasks'
runs 'Created queue' tasks queues create routed "${L[@]}" --http-method-override PUT \
  --http-uri-override "scheme:http,host:127.0.0.1,port:${TARGET##*:},path:/routed,mode:ALWAYS"
runs 'host: 127\.0\.0\.1' tasks queues describe routed "${L[@]}"
prints 'httpMethod: PUT'
prints "port: '${TARGET##*:}'"
runs 'Buffered task in queue' tasks buffer --queue routed "${L[@]}"
runs 'Buffered task in queue' tasks buffer --queue routed "${L[@]}" --task-id named
found_in target '.*"method":"PUT","url":"/routed".*"x-cloudtasks-taskname":"named".*' >/dev/null &&
  passed || failed 'a buffered task arrives where its queue says'
runs 'Updated queue' tasks queues update routed "${L[@]}" --clear-http-uri-override \
  --clear-http-method-override
runs 'name:' tasks queues describe routed "${L[@]}"
lacks '127\.0\.0\.1|httpMethod: PUT'

echo '# IAM'
runs 'etag:' tasks queues get-iam-policy work "${L[@]}"
runs 'user:a@example.com' tasks queues add-iam-policy-binding work "${L[@]}" \
  --member user:a@example.com --role roles/cloudtasks.enqueuer
runs 'roles/cloudtasks.enqueuer' tasks queues get-iam-policy work "${L[@]}" --format json
echo "$OUT" >"$ROOM/policy.json"
runs 'etag' tasks queues remove-iam-policy-binding work "${L[@]}" \
  --member user:a@example.com --role roles/cloudtasks.enqueuer
lacks 'user:a@example.com'
refuses 'ABORTED|etag' tasks queues set-iam-policy work "$ROOM/policy.json" "${L[@]}"
echo '{"bindings":[{"role":"roles/viewer","members":["user:b@example.com"]}]}' >"$ROOM/policy.json"
runs 'user:b@example.com' tasks queues set-iam-policy work "$ROOM/policy.json" "${L[@]}"

echo '# encryption keys'
KEY=projects/demo/locations/us-central1/keyRings/ring/cryptoKeys/key
runs 'name: projects/demo/locations/us-central1/cmekConfig' tasks cmek-config describe "${L[@]}"
runs "$KEY" tasks cmek-config update "${L[@]}" --kms-key-name "$KEY"
runs "kmsKey: $KEY" tasks cmek-config describe "${L[@]}"
runs '.' tasks cmek-config update "${L[@]}" --clear-kms-key
runs 'name:' tasks cmek-config describe "${L[@]}"
lacks "$KEY"

echo '# beta'
runs 'Created queue' beta tasks queues create beta "${L[@]}" --max-dispatches-per-second 5
runs 'type: PUSH' beta tasks queues describe beta "${L[@]}"
runs 'beta' beta tasks queues list "${L[@]}"
runs 'Paused queue' beta tasks queues pause beta "${L[@]}"
runs 'Created task' beta tasks create-http-task b-1 --queue beta "${L[@]}" --url "$TARGET/beta"
runs 'b-1' beta tasks list --queue beta "${L[@]}"
runs 'Updated queue' beta tasks queues update beta "${L[@]}" --clear-max-dispatches-per-second
runs 'Deleted queue' beta tasks queues delete beta "${L[@]}"
refuses 'pull queues .*not implemented' alpha tasks queues create-pull-queue pull "${L[@]}"

echo '# without a location'
runs 'work' tasks queues list
runs 'Created queue \[us-central1/third\]' tasks queues create third
runs "name: $NAME" tasks queues describe work
runs 'Deleted queue' tasks queues delete third
runs 'Deleted queue' tasks queues delete second "${L[@]}"
refuses 'NOT_FOUND' tasks queues describe second "${L[@]}"
refuses 'FAILED_PRECONDITION: The queue cannot be created because a queue with this name existed too recently' \
  tasks queues create second "${L[@]}"

echo '# scheduler'
JOB=projects/demo/locations/us-central1/jobs/nightly
runs 'us-central1' scheduler locations list
runs "name: $JOB" scheduler jobs create http nightly "${L[@]}" --schedule '0 3 * * *' \
  --time-zone America/Los_Angeles --uri "$TARGET/tick?a=b" --http-method PUT --headers X-One=1 \
  --message-body 'Hello from cron' --oidc-service-account-email caller@demo.iam.gserviceaccount.com \
  --max-retry-attempts 2 --min-backoff 7s --attempt-deadline 60s --description 'Every night'
prints 'attemptDeadline: 60s'
prints 'User-Agent: Google-Cloud-Scheduler'
prints 'minBackoffDuration: 7s'
prints 'scheduleTime:'
prints 'state: ENABLED'
refuses 'ALREADY_EXISTS: Job \[' scheduler jobs create http nightly "${L[@]}" \
  --schedule '0 3 * * *' --uri "$TARGET/"
refuses 'expected 5 fields, got 6, at character 11' scheduler jobs create http bad "${L[@]}" \
  --schedule '0 3 * * * *' --uri "$TARGET/"
refuses "Time zone 'Mars/Olympus' is not known" scheduler jobs create http bad "${L[@]}" \
  --schedule '0 3 * * *' --time-zone Mars/Olympus --uri "$TARGET/"
refuses 'pubsubTarget are not served' scheduler jobs create pubsub bad "${L[@]}" \
  --schedule '* * * * *' --topic projects/demo/topics/t --message-body hi
runs 'schedule: 5 3 \* \* \*' scheduler jobs update http nightly "${L[@]}" --schedule '5 3 * * *'
prints 'timeZone: America/Los_Angeles'
prints 'retryCount: 2'
runs 'X-Two: .2.' scheduler jobs update http nightly "${L[@]}" --update-headers X-Two=2
runs 'nightly +us-central1 +5 3 \* \* \* \(America/Los_Angeles\) +HTTP +ENABLED' scheduler jobs list "${L[@]}"
runs 'Job has been paused' scheduler jobs pause nightly "${L[@]}"
runs 'PAUSED' scheduler jobs list "${L[@]}"
runs 'state: PAUSED' scheduler jobs describe nightly "${L[@]}"
refuses 'FAILED_PRECONDITION' scheduler jobs pause nightly "${L[@]}"
runs 'Job has been resumed' scheduler jobs resume nightly "${L[@]}"
runs '^' scheduler jobs run nightly "${L[@]}"
found_in target '.*"url":"/tick\?a=b".*' >/dev/null && OUT=$(cat "$ROOM/target")
prints '"method":"PUT","url":"/tick.*"body":"Hello from cron"'
prints '"user-agent":"Google-Cloud-Scheduler"'
prints '"x-cloudscheduler":"true"'
prints '"x-cloudscheduler-jobname":"nightly"'
prints '"x-cloudscheduler-scheduletime":"20[-0-9]+T[0-9:]+Z"'
runs 'schedule: every 5 minutes' scheduler jobs create app-engine interval "${L[@]}" \
  --schedule 'every 5 minutes' --relative-url /cron --service worker
runs 'schedule: every 6 minutes' scheduler jobs update app-engine interval "${L[@]}" \
  --schedule 'every 6 minutes'
prints 'service: worker'
runs 'Deleted job' scheduler jobs delete interval "${L[@]}"
runs 'Deleted job' scheduler jobs delete nightly "${L[@]}"
refuses 'NOT_FOUND: Job not found' scheduler jobs describe nightly "${L[@]}"
runs 'Listed 0 items' scheduler jobs list "${L[@]}"

echo '# an app that shows events gets a task from gcloud'
ACCOUNT=cloudrun-tasks-sa@demo.iam.gserviceaccount.com
start app env PORT=0 ENGINE_PORT=0 DATA_DIR="$ROOM/data" OIDC_ACCOUNTS="$ACCOUNT" \
  OIDC_AUDIENCE=https://event-display.example PROJECT_ID=demo NO_COLOR=1 "$NODE" dist/main.js
APP=$(found_in app 'Listening on http://[0-9.:]+' | grep -oE 'http:.*') || exit 1
APP_ENGINE=$(found_in app 'the engine on http://[0-9.:]+' | grep -oE 'http:.*') || exit 1
point_gcloud_at "$APP_ENGINE"
runs 'Created queue' tasks queues create cloudrun-queue --max-attempts 2 --min-backoff 0.1s
event() {
  runs 'Created task' tasks create-http-task "$1" --queue cloudrun-queue \
    --url "$APP/event-display" --body-content "Hello World from Cloud Tasks, $1" \
    --oidc-service-account-email "$ACCOUNT" --oidc-token-audience "$2"
}
event refused https://another.example
event shown https://event-display.example
found_in app 'Event Display received event: Hello World from Cloud Tasks, shown' >/dev/null && passed ||
  failed 'the app shows the event'
for ((tries = 0; tries < 50; tries++)); do
  OUT=$(gcloud tasks list --queue cloudrun-queue "${L[@]}" --format 'value(name.basename())' 2>&1)
  [[ $OUT != *refused* ]] && break
  sleep 0.2
done
lacks refused
OUT=$(cat "$ROOM/app")
lacks 'received event: Hello World from Cloud Tasks, refused'

echo "$((CHECKS - FAILED)) of $CHECKS checks passed."
[[ $FAILED == 0 ]]
