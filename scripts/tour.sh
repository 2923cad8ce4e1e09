#!/usr/bin/env bash
# tour.sh READY.json: the main job step by step against a running sandbox, as a user would do it.
set -euo pipefail
ready=$1
api=$(jq -r .api "$ready")
simulator=$(jq -r .simulator "$ready")
key=$(jq -r .apiKey "$ready")
alice=$(jq -r '.phones[0]' "$ready")
bob=$(jq -r '.phones[1]' "$ready")

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '  $ %s\n' "$*"; }
call() { curl -sS --fail-with-body -H "Authorization: Bearer $key" -H 'Content-Type: application/json' "$@"; }
# until_true COMMAND …: tries for up to 30 s.
until_true() {
  for _ in $(seq 300); do "$@" && return; sleep 0.1; done
  echo "gave up waiting for: $*" >&2
  exit 1
}

say "The sandbox is up."
echo "  API        $api   (reference: $api/docs)"
echo "  simulator  $simulator"
echo "  API key    $key"
echo "  phones     $alice (ours), $bob (somebody else's)"

say "1. Make a session and pair the phone $alice with it by QR code."
show "curl -X POST $api/api/v1/sessions -H 'Authorization: Bearer …' -d '{\"label\":\"tour\",\"start\":true}'"
session=$(call -X POST "$api/api/v1/sessions" -d '{"label":"tour","start":true,"autoRead":true}' | jq -r .id)
has_qr() { qr=$(curl -sS -H "Authorization: Bearer $key" "$api/api/v1/sessions/$session/qr" | jq -r '.code // empty'); [ -n "$qr" ]; }
until_true has_qr
show "curl $api/api/v1/sessions/$session/qr            # then scan it with the simulated phone:"
show "curl -X POST $simulator/sim/v1/phones/$alice:scan -d '{\"qr\":\"…\"}'"
jq -n --arg qr "$qr" '{qr: $qr}' | curl -sS --fail-with-body -X POST "$simulator/sim/v1/phones/$alice:scan" -H 'Content-Type: application/json' -d @- >/dev/null
works() { [ "$(call "$api/api/v1/sessions/$session" | jq -r .status)" = working ]; }
until_true works
call "$api/api/v1/sessions/$session" | jq -c '{status, phoneNumber, waJid, waLid}' | sed 's/^/  /'

say "2. Send a text to $bob; the phone decrypts it."
show "curl -X POST $api/api/v1/sessions/$session/messages -d '{\"type\":\"text\",\"to\":\"$bob\",\"text\":\"Hello from wagate\"}'"
call -X POST "$api/api/v1/sessions/$session/messages" -d "{\"type\":\"text\",\"to\":\"$bob\",\"text\":\"Hello from wagate\"}" | jq -c . | sed 's/^/  /'
arrived() { curl -sS "$simulator/sim/v1/phones/$bob/messages" | jq -e '.data[] | select(.body == "Hello from wagate")' >/dev/null; }
until_true arrived
show "curl $simulator/sim/v1/phones/$bob/messages"
curl -sS "$simulator/sim/v1/phones/$bob/messages" | jq -c '.data[-1] | {type, body, fromMe, status}' | sed 's/^/  /'

say "3. $bob answers; the message comes in."
show "curl -X POST $simulator/sim/v1/phones/$bob/messages -d '{\"type\":\"text\",\"to\":\"$alice\",\"text\":\"Hello yourself\"}'"
curl -sS --fail-with-body -X POST "$simulator/sim/v1/phones/$bob/messages" -H 'Content-Type: application/json' -d "{\"type\":\"text\",\"to\":\"$alice\",\"text\":\"Hello yourself\"}" >/dev/null
came_in() { curl -sS -H "Authorization: Bearer $key" "$api/api/v1/sessions/$session/chats/$bob/messages" | jq -e '.data[] | select(.body == "Hello yourself")' >/dev/null; }
until_true came_in
show "curl $api/api/v1/sessions/$session/chats/$bob/messages"
call "$api/api/v1/sessions/$session/chats/$bob/messages" | jq -c '.data[] | {direction, type, body, status}' | sed 's/^/  /'

say "That was the main job: paired, out, in. Try the rest in the API reference: $api/docs"
