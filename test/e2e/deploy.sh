#!/usr/bin/env bash
# Checks what the app is deployed with by the tools that will read it: ShellCheck, terraform and
# gcloud's own parsers. What a tool that isn't installed would check is named, and left out.
#
#   npm run test:deploy
#
# Needs no account; terraform's provider is downloaded where it can be.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

NODE=node_modules/.bin/node
ROOM=$(mktemp -d)
STARTED=()
CHECKS=0
FAILED=0
end() {
  ((${#STARTED[@]} == 0)) || kill "${STARTED[@]}" 2>/dev/null
  wait
  rm -rf "$ROOM"
}
trap end EXIT

# check NAME COMMAND...
check() {
  CHECKS=$((CHECKS + 1))
  local output
  if output=$("${@:2}" 2>&1 </dev/null); then
    echo "ok      $1"
  else
    FAILED=$((FAILED + 1))
    echo "FAILED  $1"
    printf '%s\n' "$output" | tail -n 40 | while read -r line; do echo "    $line"; done
  fi
}
without() {
  command -v "$1" >/dev/null && return 1
  echo "left out, $1 is not installed: $2"
}

if ! without shellcheck 'the scripts'; then
  check 'shellcheck: the scripts' shellcheck -x deploy/*.sh docs/demo.sh test/e2e/deploy.sh \
    test/support/fake-gcloud.sh
fi

if ! without terraform 'deploy/terraform'; then
  check 'terraform fmt' terraform fmt -check -recursive -diff deploy/terraform
  cp -r deploy tasks.config.yaml "$ROOM"
  example=$ROOM/deploy/terraform/examples/basic
  if terraform -chdir="$example" init -backend=false -input=false >"$ROOM/init" 2>&1; then
    check 'terraform validate' terraform -chdir="$example" validate
  else
    echo "left out, terraform's provider can't be had here: terraform validate"
  fi
fi

if without gcloud 'app.yaml and the others, commands of the scripts, queues by gcloud'; then
  echo "$((CHECKS - FAILED)) of $CHECKS checks passed."
  exit $((FAILED > 0))
fi

export CLOUDSDK_CONFIG="$ROOM/gcloud" CLOUDSDK_CORE_DISABLE_PROMPTS=1
export CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true CLOUDSDK_CORE_PROJECT=my-project
export CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=true CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=true
SDK=$(gcloud info --format='value(installation.sdk_root)')
PYTHON=$(gcloud info --format='value(basic.python_location)')

parsed() {
  PYTHONPATH="$SDK/lib:$SDK/lib/third_party" "$PYTHON" - "$1" <<'PYTHON'
import os, sys
from googlecloudsdk.api_lib.app import yaml_parsing
path = sys.argv[1]
if os.path.basename(path) in ('queue.yaml', 'cron.yaml', 'dispatch.yaml'):
    assert yaml_parsing.ConfigYamlInfo.FromFile(path), path
else:
    info = yaml_parsing.ServiceYamlInfo.FromFile(path)
    assert info.runtime == 'nodejs24' and info.env.name == 'STANDARD', info
PYTHON
}
for file in app.yaml relay.app.yaml queue.yaml cron.yaml; do
  check "gcloud reads $file" parsed "$file"
done

# What App Engine builds from: all that is needed, and none of the rest.
uploads() {
  local list
  list=$(gcloud meta list-files-for-upload) || return 1
  for file in package.json package-lock.json .npmrc nest-cli.json tsconfig.build.json src/main.ts tasks.config.yaml; do
    grep -qxF "$file" <<<"$list" || { echo "$file is not uploaded" && return 1; }
  done
  ! grep -E '^(node_modules|dist|test|docs|deploy|\.git|\.data)/|\.deploy\.yaml$' <<<"$list"
}
check 'gcloud uploads what is built, and no more' uploads

# Each command of the scripts, with each of its flags, is one of gcloud's.
known() {
  bash deploy/setup-env.sh "$1" --project my-project --dry-run >"$ROOM/commands" &&
    bash deploy/deploy.sh "$1" --project my-project --dry-run >>"$ROOM/commands" 2>&1 &&
    bash deploy/teardown.sh "$1" --project my-project --dry-run >>"$ROOM/commands" || return 1
  "$PYTHON" - "$SDK/data/cli" "$ROOM/commands" <<'PYTHON'
import re, shlex, sys
sys.path.insert(0, sys.argv[1])
from gcloud_completions import STATIC_COMPLETION_CLI_TREE as tree
count = 0
for line in open(sys.argv[2]):
    found = re.search(r'gcloud .*', line) if line.startswith('+ ') else None
    if not found: continue
    node, flags = tree, set(tree.get('flags', {}))
    words = shlex.split(found[0])[1:]
    while words and words[0] in node.get('commands', {}):
        node = node['commands'][words.pop(0)]
        flags |= set(node.get('flags', {}))
    assert not node.get('commands'), f'not a command: {line}'
    for word in words:
        flag = word.split('=')[0]
        assert not flag.startswith('--') or flag in flags, f'{flag} is no flag here: {line}'
    count += 1
assert count > 20, count
PYTHON
}
check 'gcloud knows the commands for App Engine' known app-engine
check 'gcloud knows the commands for Cloud Run' known cloud-run

# Queues as setup-env.sh makes them are as they are written down.
"$NODE" dist/cli/main.js engine --port 0 --memory >"$ROOM/engine" 2>&1 &
STARTED+=($!)
until grep -qsE 'http://127[0-9.:]+' "$ROOM/engine"; do
  kill -0 "$!" 2>/dev/null || { cat "$ROOM/engine" && exit 1; }
  sleep 0.1
done
ENGINE=$(grep -m1 -oE 'http://127[0-9.:]+' "$ROOM/engine")
queues() {
  export CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDTASKS="$ENGINE/"
  while read -r queue state flags; do
    # shellcheck disable=SC2086 # flags are words
    gcloud tasks queues create "$queue" --location=us-central1 $flags || return 1
    [[ $state != PAUSED ]] || gcloud tasks queues pause "$queue" --location=us-central1 || return 1
  done < <("$NODE" deploy/queue-flags.mjs tasks.config.yaml)
  "$NODE" dist/cli/main.js queues plan --port "${ENGINE##*:}" --project my-project
}
check "queues by gcloud are those of tasks.config.yaml" queues

echo "$((CHECKS - FAILED)) of $CHECKS checks passed."
[[ $FAILED == 0 ]]
