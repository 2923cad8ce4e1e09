#!/usr/bin/env bash
# Holds that the end-to-end tests have seen every operation of sessions succeed, and every event.
# covered.sh FILE: what they have covered, as noted while TEST_COVERED named that file.
set -euo pipefail
cd "$(dirname "$0")/.."
covered="${1:?usage: scripts/covered.sh FILE}"
# People, organizations and keys are covered by the tests of the API's own crate.
tags='["Sessions","Messages","Chats","Contacts","Groups","Channels","Presence","Status","Storage","Webhooks"]'
missing=$(comm -23 \
  <( { jq -r --argjson tags "$tags" \
         '.paths[][] | objects | select(.tags[0] as $tag | $tags | index($tag)) | "operation \(.operationId)"' docs/openapi.json
       jq -r '.components.schemas.EventKind.enum[] | "event \(.)"' docs/openapi.json; } | LC_ALL=C sort -u ) \
  <(LC_ALL=C sort -u "$covered"))
if [ -n "$missing" ]; then
  printf 'no end-to-end test covers:\n%s\n' "$missing" >&2
  exit 1
fi
