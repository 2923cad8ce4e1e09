//! What is told of messages and signs, with what the store knows of their people.

use serde_json::{Value, json};
use wagate_engine::{
    Call, CallStage, Content, EngineEvent, InboundMessage, Picture, UnreadableMessage,
    UnreadableReason,
};
use wagate_model::{ChatType, OrganizationId, SessionId};
use wagate_store::testing::{self, TestStore};
use wagate_store::{ChatFacts, EventFilter, Fence, GroupFacts, IdentityFacts, StoreError};

use super::news::commit_one;

const GROUP: &str = "120363000000000001@g.us";
const PHONE: &str = "15557654321@s.whatsapp.net";
const LID: &str = "99@lid";

struct World {
    store: TestStore,
    organization: OrganizationId,
    session: SessionId,
    fence: Fence,
}

impl World {
    /// A session that knows both addresses of a person, who has a chat and a tag in a group.
    async fn new() -> Self {
        let store = testing::store().await;
        let organization = store.organization().await;
        let session = store.session(organization).await;
        let fence = store.claim(session).await;
        let held = fence.clone();
        let known = store.write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move {
                let mut owned = tx.owned(&held).await?;
                let person = IdentityFacts {
                    lid: Some(LID.into()),
                    phone_jid: Some(PHONE.into()),
                    ..IdentityFacts::default()
                };
                let person = owned.upsert_identity(&person, 5).await?.unwrap();
                let chat = ChatFacts {
                    jid: LID.into(),
                    alias_jid: Some(PHONE.into()),
                    kind: ChatType::Dm,
                    name: None,
                };
                owned.upsert_chat(&chat, 5).await?;
                let group = GroupFacts {
                    jid: GROUP.into(),
                    ..GroupFacts::default()
                };
                let group = owned.upsert_group(&group, 5).await?;
                let (person, tag) = (person.identity.id, Some("Harbour master"));
                owned
                    .upsert_group_member(group, person, "member", tag, 5)
                    .await
            })
        });
        known.await.unwrap();
        Self {
            store,
            organization,
            session,
            fence,
        }
    }

    async fn happen(&self, event: EngineEvent) {
        let fence = self.fence.clone();
        let committed = self
            .store
            .write::<_, StoreError, _>(self.organization, move |tx| {
                Box::pin(async move {
                    let mut owned = tx.owned(&fence).await?;
                    commit_one(&mut owned, &event, None, 5).await
                })
            });
        committed.await.unwrap();
    }

    /// The last event's kind and payload.
    async fn told(&self) -> (String, Value) {
        let mut tx = self.store.read().await.unwrap();
        let filter = EventFilter::default();
        let events = tx.events_after(self.organization, None, &filter, 100).await;
        let (_, envelope) = events.unwrap().pop().expect("something was told");
        let mut event: Value = serde_json::from_str(&envelope).unwrap();
        let payload = event["payload"].take();
        (event["event"].as_str().unwrap().to_owned(), payload)
    }
}

fn placeholder(id: &str, chat: &str, is_from_me: bool) -> EngineEvent {
    EngineEvent::Unreadable(UnreadableMessage {
        id: id.into(),
        chat: chat.parse().unwrap(),
        sender: PHONE.parse().unwrap(),
        is_from_me,
        reason: UnreadableReason::ViewOnce,
        timestamp_ms: 1_700_000_000_000,
    })
}

#[tokio::test]
async fn a_placeholder_says_whose_it_is_under_both_addresses() {
    let world = World::new().await;
    world.happen(placeholder("THEIRS", GROUP, false)).await;
    let (kind, payload) = world.told().await;
    assert_eq!(kind, "message");
    assert_eq!(
        (&payload["senderLid"], &payload["fromMe"]),
        (&json!(LID), &json!(false))
    );
    // In the chat that is there, under its other address.
    world.happen(placeholder("DIRECT", PHONE, false)).await;
    assert_eq!(world.told().await.1["chatJid"], LID);
    world.happen(placeholder("OURS", GROUP, true)).await;
    let (kind, payload) = world.told().await;
    assert_eq!(
        (kind.as_str(), &payload["fromMe"]),
        ("message.from_me", &json!(true))
    );
    let mut tx = world.store.read().await.unwrap();
    for (id, is_ours) in [("THEIRS", false), ("OURS", true)] {
        let stored = tx
            .message(world.organization, world.session, None, id)
            .await;
        assert_eq!(stored.unwrap().unwrap().from_me, is_ours);
    }
}

#[tokio::test]
async fn who_is_mentioned_in_a_group_has_a_tag_there() {
    let world = World::new().await;
    let message = |chat: &str, mentioned: &str| {
        EngineEvent::Messages(vec![InboundMessage {
            id: format!("IN {chat} {mentioned}"),
            chat: chat.parse().unwrap(),
            chat_alias: None,
            sender_jid: None,
            sender_lid: "77@lid".parse().ok(),
            from_me: false,
            push_name: None,
            business_name: None,
            timestamp_ms: 1_700_000_000_000,
            content: Content::Text { body: "@99".into() },
            mentions: vec![mentioned.parse().unwrap()],
            quoted: None,
            is_forwarded: false,
            is_view_once: false,
            expires_after_s: None,
            is_offline: false,
            raw: bytes::Bytes::new(),
        }])
    };
    for address in [LID, PHONE] {
        world.happen(message(GROUP, address)).await;
        let payload = world.told().await.1;
        assert_eq!(
            payload["mentions"][address]["tag"], "Harbour master",
            "{payload}"
        );
    }
    world.happen(message("77@lid", LID)).await;
    let payload = world.told().await.1;
    assert!(payload["mentions"][LID].get("tag").is_none(), "{payload}");
}

#[tokio::test]
async fn a_picture_is_told_of_the_chat_that_clients_know() {
    let world = World::new().await;
    for (of, chat) in [(PHONE, LID), (LID, LID), (GROUP, GROUP)] {
        let picture = EngineEvent::Picture(Picture {
            of: of.parse().unwrap(),
            id: Some("7".into()),
            is_removed: false,
            timestamp_ms: 1_700_000_000_000,
        });
        world.happen(picture).await;
        let (kind, payload) = world.told().await;
        assert_eq!(
            (kind.as_str(), &payload["chatJid"]),
            ("chat.update", &json!(chat))
        );
    }
}

#[tokio::test]
async fn a_group_s_call_is_one_also_where_the_group_is_not_said() {
    let world = World::new().await;
    for is_group in [true, false] {
        let call = EngineEvent::Call(Call {
            id: "C1".into(),
            from: PHONE.parse().unwrap(),
            is_group,
            group: None,
            stage: CallStage::Offered,
            is_video: false,
            timestamp_ms: 1_700_000_000_000,
        });
        world.happen(call).await;
        let (kind, payload) = world.told().await;
        assert_eq!(kind, "call.incoming");
        assert_eq!(
            (&payload["isGroup"], &payload["from"]),
            (&json!(is_group), &json!(PHONE))
        );
    }
}
