#!/usr/bin/env bash
# Proves the simulator with client libraries that share no code with this repository:
# builds it, starts it on a free port, and lets each of them pair and talk.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/install.sh
need_rust
need node nodejs
need npm npm
need jq jq

echo "building the simulator"
cargo build --quiet -p wagate-simulator --example simulator
binary=$(cargo metadata --no-deps --format-version 1 | jq -r .target_directory)/debug/examples/simulator

folder=$(mktemp -d)
ready="$folder/ready.json"
"$binary" --json --listen 127.0.0.1:0 >"$ready" 2>"$folder/log" &
simulator=$!
stop() { kill "$simulator" 2>/dev/null || true; wait "$simulator" 2>/dev/null || true; rm -rf "$folder"; }
trap stop EXIT
trap 'exit 1' INT TERM
for _ in $(seq 300); do
  [ -s "$ready" ] && break
  kill -0 "$simulator" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
[ -s "$ready" ] || { echo "the simulator did not come up:" >&2; cat "$folder/log" >&2; exit 1; }

# Installed beside the copy, so that the work tree stays as it is.
cp -r scripts/other-clients/baileys "$folder/baileys"
cd "$folder/baileys"
echo "installing Baileys"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
node talk.mjs "$(jq -r .simulator "$ready")"
