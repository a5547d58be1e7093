#!/usr/bin/env bash
# Shows that a create is on disk before it is acknowledged: between `asked n` and `acknowledged n`
# of test/support/store-writer.ts, strace must see the database's log synced.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tasks="${1:-50}"
# The node of the project, also when this is not run by npm.
export PATH="$PWD/node_modules/.bin:$PATH"

if ! command -v strace >/dev/null; then
  echo "strace is missing: apt-get install strace (Debian, Ubuntu), dnf install strace (Fedora); Linux only" >&2
  exit 1
fi

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

# -y gives the path of a file with its number, so that a sync of another file can't count.
strace -f -y -e trace=fsync,fdatasync,write -o "$folder/trace" \
  node --import ./test/support/run-typescript.mjs test/support/store-writer.ts \
  "$folder/tasks.sqlite" "$tasks" 1 >"$folder/stdout"

awk -v tasks="$tasks" '
  # A call that another thread interrupts is printed in two parts, by thread.
  /f(data)?sync\(.*tasks\.sqlite-wal>/ { if (/[)] = 0$/) synced++; else if (/unfinished/) pending[$1] = 1 }
  /<\.\.\. f(data)?sync resumed>.*[)] = 0$/ { if (pending[$1]) synced++; delete pending[$1] }
  /write\(1<.*"asked / { synced = 0 }
  /write\(1<.*"acknowledged / {
    acknowledged++
    if (synced == 0) { print "no sync before: " $0; bad++ }
  }
  END {
    if (acknowledged != tasks) { print acknowledged + 0 " of " tasks " creates were acknowledged"; exit 1 }
    if (bad) { print bad " of " tasks " creates were acknowledged before a sync"; exit 1 }
    print "each of " tasks " creates was acknowledged after a sync of the log"
  }
' "$folder/trace"
