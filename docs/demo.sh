#!/usr/bin/env bash
# Shows on this machine what a queue is good for: a task that is created twice is sent once; many are
# sent no faster than they may; one that fails comes again; one for later comes later. Each request is
# an ordinary one of the Cloud Tasks API, as any client in any language sends it.
#
#   npm ci && npm run build && bash docs/demo.sh
#
# Takes ten seconds, needs no account, and leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

NODE=node_modules/.bin/node
[[ -f dist/cli/main.js ]] || {
  echo 'demo.sh: the app is not built yet: npm ci && npm run build' >&2
  exit 1
}
ROOM=$(mktemp -d)
STARTED=()
end() {
  kill "${STARTED[@]}" 2>/dev/null || true
  wait
  rm -rf "$ROOM"
}
trap end EXIT

# Starts a program, and prints the address that it says it listens on.
start() {
  "${@:2}" >"$ROOM/$1" 2>"$ROOM/$1.errors" &
  STARTED+=($!)
  until grep -qsE 'http://127\.0\.0\.1:[0-9]+' "$ROOM/$1"; do
    kill -0 "$!" 2>/dev/null || {
      cat "$ROOM/$1.errors" >&2
      exit 1
    }
    sleep 0.05
  done
}
address() { grep -m1 -oE 'http://127\.0\.0\.1:[0-9]+' "$ROOM/$1"; }

# Takes the tasks: a line each, with the time, the task, its earlier attempts, and what is answered.
# A path of /fails/2 answers the first two attempts with 500.
# shellcheck disable=SC2016 # it is JavaScript
start target "$NODE" --input-type=module -e '
  import { createServer } from "node:http";
  const server = createServer((request, response) => {
    const { "x-cloudtasks-taskname": task, "x-cloudtasks-taskretrycount": retry } = request.headers;
    const fails = Number(/^\/fails\/(\d+)$/.exec(request.url)?.[1] ?? 0);
    const status = Number(retry) < fails ? 500 : 200;
    console.log(Date.now(), task, retry, status);
    response.writeHead(status).end();
  });
  server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));'
TARGET=$(address target)
start engine "$NODE" dist/cli/main.js engine --memory --port 0
ENGINE=$(address engine)
LOCATION=projects/demo/locations/us-central1

# api VERSION PATH BODY: prints the status, and what was answered.
api() {
  curl -s -o "$ROOM/answer" -w '%{http_code}' -H 'Content-Type: application/json' \
    "$ENGINE/$1/$LOCATION/$2" -d "$3"
}
queue() {
  [[ $(api v2beta3 queues "{\"name\": \"$LOCATION/queues/$1\", $2}") == 200 ]] || {
    cat "$ROOM/answer" >&2
    exit 1
  }
}
# task QUEUE ID PATH [MORE]: a task by name, for the target
task() {
  api v2 "queues/$1/tasks" "{\"task\": {
    \"name\": \"$LOCATION/queues/$1/tasks/$2\",
    \"httpRequest\": {\"url\": \"$TARGET$3\"}${4:+, $4}
  }}"
}
answered() { "$NODE" -p 'JSON.parse(require("fs").readFileSync(0)).error?.message ?? "created"' <"$ROOM/answer"; }
now() { "$NODE" -p 'Date.now()'; }

# arrivals PATTERN COUNT: waits until so many attempts have arrived whose task matches.
arrivals() {
  local tries
  for ((tries = 0; tries < 400; tries++)); do
    grep -E "^[0-9]+ $1 " "$ROOM/target" >"$ROOM/seen" || true
    (($(wc -l <"$ROOM/seen") < $2)) || return 0
    sleep 0.05
  done
  echo "demo.sh: waited in vain for $2 attempts of $1" >&2
  exit 1
}
# Seconds between a moment and an attempt, as 1.25
since() {
  local waited=$(($2 > $1 ? $2 - $1 : 0))
  printf '%d.%02d' $((waited / 1000)) $((waited % 1000 / 10))
}

echo '1. De-duplication: a task is created twice by the same name.'
queue orders '"retryConfig": {"maxAttempts": 3}'
echo "   first:  $(task orders order-42 /) $(answered)"
echo "   second: $(task orders order-42 /) $(answered)"
arrivals order-42 1
# One more, to see that nothing else was to come before it.
task orders last / >/dev/null
arrivals last 1
echo "   It arrived $(grep -cE '^[0-9]+ order-42 ' "$ROOM/target") time(s)."

echo
echo '2. Rate: eight tasks at once, for a queue that sends four a second.'
queue slow '"rateLimits": {"maxDispatchesPerSecond": 4, "maxBurstSize": 1}'
began=$(now)
for number in {1..8}; do task slow "slow-$number" / >/dev/null; done
arrivals 'slow-[1-8]' 8
printf '   They arrived after'
while read -r at _; do printf ' %s' "$(since "$began" "$at")"; done <"$ROOM/seen"
echo ' seconds.'

echo
echo '3. Retry: the first two attempts are answered with 500, and the wait doubles.'
queue shaky '"retryConfig": {"maxAttempts": 5, "minBackoff": "0.5s", "maxDoublings": 4}'
began=$(now)
task shaky shaky-1 /fails/2 >/dev/null
arrivals shaky-1 3
while read -r at _ retry status; do
  echo "   attempt $((retry + 1)) after $(since "$began" "$at") seconds: $status"
done <"$ROOM/seen"

echo
echo '4. Later: a task that is due in two seconds.'
began=$(now)
due=$("$NODE" -p "new Date($began + 2000).toISOString()")
task orders later / "\"scheduleTime\": \"$due\"" >/dev/null
arrivals later 1
read -r at _ <"$ROOM/seen"
echo "   It arrived after $(since "$began" "$at") seconds."
