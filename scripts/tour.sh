#!/usr/bin/env bash
# tour.sh READY.json: the main job step by step against a running sandbox, by exactly the
# commands that the README and `wagate sandbox` show.
set -euo pipefail
cd "$(dirname "$0")/.."
ready=$1
commands=$PWD/crates/wagate/src/commands/walkthrough.sh
API=$(jq -r .api "$ready") SIM=$(jq -r .simulator "$ready") KEY=$(jq -r .apiKey "$ready")
ALICE=$(jq -r '.phones[0]' "$ready") BOB=$(jq -r '.phones[1]' "$ready")
export API SIM KEY ALICE BOB

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "The sandbox is up."
echo "  API        $API   (reference: $API/docs)"
echo "  simulator  $SIM"
echo "  API key    $KEY"
echo "  phones     $ALICE (Alice, ours), $BOB (Bob)"
echo
echo "export API=$API SIM=$SIM KEY=$KEY ALICE=$ALICE BOB=$BOB"

# The commands leave the QR code in a file.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
while IFS= read -r line <&3; do
  case $line in
    '#'*) say "${line#\# }" ;;
    *)
      printf '$ %s\n' "$line"
      eval "$line"
      echo
      ;;
  esac
done 3<"$commands"

say "That was the main job: paired, out, in. Try the rest in the API reference: $API/docs"
