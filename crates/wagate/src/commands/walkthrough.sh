# 1. a session, and its QR code scanned by the simulated phone
ID=$(curl -s -X POST $API/api/v1/sessions -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"start":true}' | jq -r .id)
until curl -sf $API/api/v1/sessions/$ID/qr -H "Authorization: Bearer $KEY" | jq -e '{qr: .code}' > qr.json; do sleep 0.2; done
curl -s -X POST $SIM/sim/v1/phones/${ALICE}:scan -H 'Content-Type: application/json' -d @qr.json
until curl -s $API/api/v1/sessions/$ID -H "Authorization: Bearer $KEY" | jq -e 'select(.status == "working")'; do sleep 0.2; done
# 2. a text out, and what Bob's phone decrypted
curl -s -X POST $API/api/v1/sessions/$ID/messages -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"type":"text","to":"'$BOB'","text":"Hello"}'
until curl -s $SIM/sim/v1/phones/$BOB/messages | jq -e '.data[] | select(.body == "Hello")'; do sleep 0.2; done
# 3. Bob answers, and the message is in the chat
curl -s -X POST $SIM/sim/v1/phones/$BOB/messages -H 'Content-Type: application/json' -d '{"type":"text","to":"'$ALICE'","text":"Hi"}'
until curl -s $API/api/v1/sessions/$ID/chats/$BOB/messages -H "Authorization: Bearer $KEY" | jq -e '.data[] | select(.body == "Hi")'; do sleep 0.2; done
