#!/usr/bin/env bash
# with-nats.sh COMMAND …: runs the command with TEST_NATS_URL set to a NATS
# server made for it on a free port of the loopback address.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/install.sh
need nats-server nats-server
folder=$(mktemp -d)
nats-server --addr 127.0.0.1 --port -1 --ports_file_dir "$folder" >"$folder/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
  port=$(sed -n 's/.*nats:\/\/127.0.0.1:\([0-9]*\).*/\1/p' "$folder"/*.ports 2>/dev/null | head -n 1 || true)
  [ -n "${port:-}" ] && break
  kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
[ -n "${port:-}" ] || { echo "nats-server did not start" >&2; cat "$folder/log" >&2; exit 1; }
export TEST_NATS_URL="nats://127.0.0.1:$port"
"$@"
