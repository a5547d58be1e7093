#!/usr/bin/env bash
# Stands in for gcloud where the scripts of deploy/ are tested: keeps what they make in the folder
# FAKE_GCLOUD, and answers like the real one, down to what it says of things that aren't there.
#
# FAKE_FAIL_AT=n lets the n-th call fail, FAKE_SLOW_IAM makes accounts known a call late.
set -euo pipefail
S=$FAKE_GCLOUD
mkdir -p "$S"
printf '%q ' "$@" >>"$S/calls"
echo >>"$S/calls"

COMMAND=
fail() {
  echo "ERROR: (gcloud.${COMMAND// /.}) $1" >&2
  exit 1
}

WORDS=()
declare -A FLAG=()
for word in "$@"; do
  case $word in
    --*=*) FLAG[${word%%=*}]=${word#*=} ;;
    --*) fail "argument $word: expected a value" ;;
    *) WORDS+=("$word") ;;
  esac
done
[[ ${CLOUDSDK_CORE_PROJECT:-} == my-project || ${WORDS[0]} == config ]] || fail 'no project'
if [[ -n ${FAKE_FAIL_AT:-} && $(wc -l <"$S/calls") == "$FAKE_FAIL_AT" ]]; then
  fail 'INTERNAL: an error that the test has ordered'
fi

api() { [[ -e $S/apis/$1.googleapis.com ]] || fail "PERMISSION_DENIED: $1 API has not been used in project my-project before or it is disabled."; }
there() { [[ -e $1 ]] || fail "NOT_FOUND: Requested entity was not found: ${1#"$S"/}"; }
absent() { [[ ! -e $1 ]] || fail "ALREADY_EXISTS: ${1#"$S"/} already exists"; }
required() { [[ -n ${FLAG[$1]:-} ]] || fail "argument $1: Must be specified."; }
make() { mkdir -p "${1%/*}" && printf '%s\n' "${@:2}" | sort >"$1"; }

# A line of the policy of FILE, whose member must be known by now.
bind() {
  required --member
  required --role
  local who=${FLAG[--member]#serviceAccount:}
  if [[ ${FLAG[--member]} == serviceAccount:* ]]; then
    [[ -e $S/accounts/$who ]] || fail "INVALID_ARGUMENT: Service account $who does not exist."
    if [[ -n ${FAKE_SLOW_IAM:-} && ! -e $S/known/$who ]]; then
      make "$S/known/$who"
      fail "INVALID_ARGUMENT: Service account $who does not exist."
    fi
  fi
  mkdir -p "${1%/*}"
  echo "${FLAG[--role]} ${FLAG[--member]}" >>"$1.policy"
  sort -uo "$1.policy" "$1.policy"
}

# crud FILE VERB: describe, create, update, delete, add-iam-policy-binding
crud() {
  local file=$1
  case $2 in
    describe) there "$file" && cat "$file" ;;
    create) absent "$file" && make "$file" "${@:3}" ;;
    update) there "$file" && make "$file" "${@:3}" ;;
    delete) there "$file" && rm -rf "$file" "$file.policy" "$file.paused" "$file.versions" ;;
    add-iam-policy-binding) there "$file" && bind "$file" ;;
    *) fail "Invalid choice: '$2'." ;;
  esac
}

# Of the words, all but the last, which names what it is about.
NAME=${WORDS[-1]}
COMMAND="${WORDS[*]:0:${#WORDS[@]}-1}"
case ${WORDS[*]} in
  'config get-value project') echo "${FAKE_PROJECT:-(unset)}" ;;
  'services enable '*) for name in "${WORDS[@]:2}"; do make "$S/apis/$name"; done ;;
  'iam service-accounts create '*)
    api iam
    [[ $NAME =~ ^[a-z]([-a-z0-9]{4,28}[a-z0-9])$ ]] || fail "INVALID_ARGUMENT: $NAME"
    crud "$S/accounts/$NAME@my-project.iam.gserviceaccount.com" create "${FLAG[--display-name]}"
    ;;
  'iam service-accounts '*) api iam && crud "$S/accounts/$NAME" "${WORDS[2]}" ;;
  'projects describe my-project') echo 123456789012 ;;
  'projects add-iam-policy-binding my-project') required --condition && bind "$S/project" ;;
  'projects remove-iam-policy-binding my-project')
    grep -qxF "${FLAG[--role]} ${FLAG[--member]}" "$S/project.policy" 2>/dev/null ||
      fail 'Policy bindings matching the specified member and role were not found'
    grep -vxF "${FLAG[--role]} ${FLAG[--member]}" "$S/project.policy" >"$S/project.new" || true
    mv "$S/project.new" "$S/project.policy"
    ;;
  'artifacts repositories '*) api artifactregistry && required --location && crud "$S/repositories/$NAME" "${WORDS[2]}" "${FLAG[--repository-format]:-}" ;;
  'tasks queues pause '*) required --location && there "$S/queues/$NAME" && make "$S/queues/$NAME.paused" ;;
  'tasks queues '*)
    api cloudtasks && required --location
    settings=()
    for flag in "${!FLAG[@]}"; do settings+=("$flag=${FLAG[$flag]}"); done
    crud "$S/queues/$NAME" "${WORDS[2]}" "${settings[@]}"
    ;;
  'secrets versions list '*) there "$S/secrets/$NAME" && { cat "$S/secrets/$NAME.versions" 2>/dev/null || true; } ;;
  'secrets versions add '*)
    there "$S/secrets/$NAME"
    [[ ${FLAG[--data-file]} == - ]] || fail 'expected the value on standard input'
    mkdir -p "$S/values"
    cat >"$S/values/$NAME"
    [[ -s $S/values/$NAME ]] || fail 'INVALID_ARGUMENT: Secret Payload cannot be empty.'
    echo 1 >>"$S/secrets/$NAME.versions"
    ;;
  'secrets versions access latest') there "$S/secrets/${FLAG[--secret]}" && there "$S/values/${FLAG[--secret]}" && cat "$S/values/${FLAG[--secret]}" ;;
  'secrets delete '*) there "$S/secrets/$NAME" && rm -f "$S"/{secrets,values}/"$NAME"{,.policy,.versions} ;;
  'secrets '*) api secretmanager && crud "$S/secrets/$NAME" "${WORDS[1]}" "${FLAG[--replication-policy]:-}" ;;
  'app describe')
    api appengine
    [[ -e $S/app ]] || fail 'The current Google Cloud project [my-project] does not contain an App Engine application. Use gcloud app create to initialize an App Engine application within the project.'
    [[ ${FLAG[--format]:-} != *defaultHostname* ]] || echo my-project.uc.r.appspot.com
    ;;
  'app create') api appengine && absent "$S/app" && required --region && make "$S/app" "${FLAG[--region]}" ;;
  'app deploy '*)
    there "$S/app"
    for file in "${WORDS[@]:2}"; do
      [[ -f $file ]] || fail "[$file] does not exist."
      service=$(sed -n 's/^service: //p' "$file")
      [[ $file == */cron.yaml ]] || make "$S/services/${service:-default}"
      mkdir -p "$S/deployed" && cp "$file" "$S/deployed/"
    done
    [[ -f ${WORDS[2]%/*}/producer-keys.json ]] || fail 'no file of keys is deployed'
    ;;
  'app services '*) crud "$S/services/$NAME" "${WORDS[2]}" ;;
  'builds submit '*)
    api cloudbuild
    [[ -f ${FLAG[--config]} && -f $NAME/Dockerfile ]] || fail 'nothing to build'
    make "$S/image" "${FLAG[--substitutions]#_IMAGE=}"
    ;;
  'run services replace '*)
    api run && required --region && there "$S/image"
    service=$(sed -n 's/^  name: //p' "$NAME" | head -1)
    make "$S/run/$service"
    mkdir -p "$S/deployed" && cp "$NAME" "$S/deployed/$service.yaml"
    ;;
  'run services '*) api run && required --region && crud "$S/run/$NAME" "${WORDS[2]}" ;;
  *) fail "Invalid choice: '${WORDS[*]}'." ;;
esac
