#!/usr/bin/env bash
# Builds and starts the sandbox, walks through the main job with curl, and leaves it running.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/install.sh
need_rust
need curl curl
need jq jq
tour_only=
arguments=()
for argument in "$@"; do
  if [ "$argument" = --tour-only ]; then tour_only=1; else arguments+=("$argument"); fi
done

echo "building wagate with its sandbox (some minutes the first time)"
cargo build --quiet -p wagate --features sandbox
binary=$(cargo metadata --no-deps --format-version 1 | jq -r .target_directory)/debug/wagate

folder=$(mktemp -d)
ready="$folder/ready.json"
"$binary" sandbox --json --data "$folder/data" "${arguments[@]}" >"$ready" 2>"$folder/log" &
sandbox=$!
stop() { kill "$sandbox" 2>/dev/null || true; wait "$sandbox" 2>/dev/null || true; rm -rf "$folder"; }
trap stop EXIT
trap 'exit 0' INT TERM
for _ in $(seq 300); do
  [ -s "$ready" ] && break
  kill -0 "$sandbox" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
[ -s "$ready" ] || { echo "the sandbox did not come up:" >&2; cat "$folder/log" >&2; exit 1; }

scripts/tour.sh "$ready"
[ -z "$tour_only" ] || exit 0
printf '\nThe sandbox goes on running; end it with Ctrl-C. Its log: %s\n' "$folder/log"
wait "$sandbox"
