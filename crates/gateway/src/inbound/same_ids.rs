//! Several people of a group who use the same id for their messages.

use wagate_engine::{Content, InboundMessage, MessageRef};
use wagate_model::{
    EventAnswer, EventData, EventResponse, Jid, Message, OrganizationId, SessionId, TargetMessage,
};
use wagate_store::testing::{self, TestStore};
use wagate_store::{EventFilter, Fence, GroupFacts, IdentityFacts, Owned, Result, StoreError};

use super::Batch;
use crate::targets::{Named, accepted, named};

const GROUP: &str = "1-2@g.us";
const ANN: &str = "1@lid";
const BEN: &str = "2@lid";
const EVE: &str = "3@lid";

struct World {
    store: TestStore,
    organization: OrganizationId,
    session: SessionId,
    fence: Fence,
    last: u32,
}

/// Runs something as the session's owner.
macro_rules! owned {
    ($world:expr, |$owned:ident| $body:expr) => {{
        let fence = $world.fence.clone();
        $world
            .store
            .write::<_, StoreError, _>($world.organization, move |tx| {
                Box::pin(async move {
                    let mut $owned = tx.owned(&fence).await?;
                    $body
                })
            })
            .await
            .unwrap()
    }};
}

/// A group of which Ann is an admin.
async fn world() -> World {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let world = World {
        store,
        organization,
        session,
        fence,
        last: 0,
    };
    owned!(world, |owned| make_group(&mut owned).await);
    world
}

async fn make_group(owned: &mut Owned<'_>) -> Result<()> {
    let facts = GroupFacts {
        jid: GROUP.to_owned(),
        participant_count: Some(4),
        ..GroupFacts::default()
    };
    let group = owned.upsert_group(&facts, 1).await?;
    for (lid, role) in [(ANN, "admin"), (BEN, "member"), (EVE, "member")] {
        let facts = IdentityFacts {
            lid: Some(lid.to_owned()),
            ..IdentityFacts::default()
        };
        let person = owned.upsert_identity(&facts, 1).await?.unwrap();
        let id = person.identity.id;
        owned.upsert_group_member(group, id, role, None, 1).await?;
    }
    Ok(())
}

fn of(sender: Option<&str>) -> MessageRef {
    MessageRef {
        id: "SAME".to_owned(),
        sender: sender.map(|sender| sender.parse().unwrap()),
        from_me: Some(sender.is_none()),
    }
}

fn message(sender: Option<&str>, id: &str, content: Content) -> InboundMessage {
    InboundMessage {
        id: id.to_owned(),
        chat: GROUP.parse().unwrap(),
        chat_alias: None,
        sender_jid: None,
        sender_lid: Some(sender.unwrap_or("9@lid").parse().unwrap()),
        from_me: sender.is_none(),
        push_name: None,
        business_name: None,
        timestamp_ms: 1_700_000_000_000,
        content,
        mentions: Vec::new(),
        quoted: None,
        is_forwarded: false,
        is_view_once: false,
        expires_after_s: None,
        is_offline: false,
        raw: bytes::Bytes::new(),
    }
}

fn text(body: &str) -> Content {
    Content::Text {
        body: body.to_owned(),
    }
}

impl World {
    /// Takes a message in under an id of its own, or under the one that several use.
    async fn take(&mut self, sender: Option<&str>, id: Option<&str>, content: Content) {
        self.last += 1;
        let own_id = format!("M{}", self.last);
        let message = message(sender, id.unwrap_or(&own_id), content);
        owned!(self, |owned| Batch::new(&mut owned, 5)
            .write(&[message])
            .await
            .map(drop));
    }

    /// The messages of the shared id, by who sent them.
    async fn shown(&self) -> Vec<(String, Message)> {
        let mut tx = self.store.read().await.unwrap();
        let (organization, session) = (self.organization, self.session);
        let chat = tx
            .chat(organization, session, GROUP)
            .await
            .unwrap()
            .unwrap();
        let all = tx.messages(organization, session, chat.id, None, 100).await;
        let shared = all.unwrap().into_iter().filter(|(_, it)| it.id == "SAME");
        let mut shown: Vec<_> = shared
            .map(|(_, it)| (it.sender_lid.clone().unwrap_or_default(), it))
            .collect();
        shown.sort_by(|one, other| one.0.cmp(&other.0));
        shown
    }

    async fn bodies(&self) -> Vec<Option<String>> {
        let shown = self.shown().await;
        shown.into_iter().map(|(_, it)| it.body).collect()
    }

    async fn told(&self, kind: &str) -> usize {
        let mut tx = self.store.read().await.unwrap();
        let filter = EventFilter::default();
        let events = tx.events_after(self.organization, None, &filter, 100).await;
        let kind = format!(r#""event":"{kind}""#);
        let events = events.unwrap();
        events.iter().filter(|(_, it)| it.contains(&kind)).count()
    }
}

#[tokio::test]
async fn a_message_is_edited_and_deleted_by_its_author_or_an_admin() {
    let mut world = world().await;
    for (sender, body) in [(ANN, "ann"), (BEN, "ben")] {
        world.take(Some(sender), Some("SAME"), text(body)).await;
    }
    let edit = |target, body| Content::Edit {
        target,
        content: Box::new(text(body)),
    };
    // Whatever the reference says, the sender's own message is changed, and Eve has none.
    world
        .take(Some(BEN), None, edit(of(Some(ANN)), "ben 2"))
        .await;
    world
        .take(Some(EVE), None, edit(of(Some(ANN)), "eve"))
        .await;
    let edited = [Some("ann".to_owned()), Some("ben 2".to_owned())];
    assert_eq!(world.bodies().await, edited);
    assert_eq!(world.told("message.edited").await, 1);

    for target in [of(Some(ANN)), of(Some(BEN))] {
        world
            .take(Some(EVE), None, Content::Revoke { target })
            .await;
    }
    assert_eq!(world.bodies().await, edited);
    assert_eq!(world.told("message.revoked").await, 0);
    let target = of(Some(BEN));
    world
        .take(Some(ANN), None, Content::Revoke { target })
        .await;
    assert_eq!(world.bodies().await, [Some("ann".to_owned()), None]);
    assert_eq!(world.told("message.revoked").await, 1);
    let target = of(Some(ANN));
    world
        .take(Some(ANN), None, Content::Revoke { target })
        .await;
    assert_eq!(world.bodies().await, [None, None]);
}

#[tokio::test]
async fn what_is_done_to_a_message_is_done_to_the_one_that_is_named() {
    let mut world = world().await;
    let event = EventData {
        name: "Regatta".to_owned(),
        ..EventData::default()
    };
    for sender in [ANN, BEN] {
        let event = Content::Event(event.clone());
        world.take(Some(sender), Some("SAME"), event).await;
    }
    let pin = Content::Pin {
        target: of(Some(BEN)),
        seconds: Some(60),
    };
    world.take(Some(EVE), None, pin).await;
    let answer = Content::EventResponse {
        target: of(Some(ANN)),
        response: Some(EventResponse {
            extra_guests: 0,
            response: EventAnswer::Going,
        }),
    };
    world.take(Some(EVE), None, answer).await;
    let marks: Vec<_> = world
        .shown()
        .await
        .into_iter()
        .map(|(_, it)| {
            let answers = it.event_responses.unwrap_or_default().len();
            (it.pinned_until.is_some(), answers)
        })
        .collect();
    assert_eq!(marks, [(false, 1), (true, 0)]);
    // A text in place of an event is none, and Ben changes his own.
    let words = Content::Edit {
        target: of(Some(ANN)),
        content: Box::new(text("no event")),
    };
    world.take(Some(ANN), None, words).await;
    let called_off = EventData {
        canceled: true,
        ..event
    };
    let change = Content::Edit {
        target: of(Some(ANN)),
        content: Box::new(Content::Event(called_off)),
    };
    world.take(Some(BEN), None, change).await;
    let canceled: Vec<_> = world
        .shown()
        .await
        .into_iter()
        .map(|(_, it)| (it.event.unwrap().canceled, it.body.unwrap()))
        .collect();
    let name = || "Regatta".to_owned();
    assert_eq!(canceled, [(false, name()), (true, name())]);
}

#[tokio::test]
async fn a_request_says_whose_message_it_means_where_that_is_not_clear() {
    let mut world = world().await;
    let target = |sender: Option<&str>| TargetMessage {
        chat: GROUP.parse::<Jid>().unwrap(),
        id: "SAME".to_owned(),
        sender: sender.map(|sender| sender.parse().unwrap()),
    };
    world.take(Some(BEN), Some("SAME"), text("ben")).await;
    let found = |world: &World, sender: Option<&str>, prefers_own: bool| {
        let (fence, target) = (world.fence.clone(), target(sender));
        let (store, organization) = (world.store.handle(), world.organization);
        async move {
            store
                .write::<_, StoreError, _>(organization, move |tx| {
                    Box::pin(async move {
                        let mut owned = tx.owned(&fence).await?;
                        let now = match named(&mut owned, &target, prefers_own).await? {
                            Named::One(stored) => stored.body.unwrap(),
                            Named::Nothing => "nothing".to_owned(),
                            Named::Ambiguous => "ambiguous".to_owned(),
                        };
                        let later = accepted(&mut owned, &target, prefers_own).await?;
                        Ok((now, later.and_then(|stored| stored.body)))
                    })
                })
                .await
                .unwrap()
        }
    };
    let is = |now: &str, later: &str| (now.to_owned(), Some(later.to_owned()));
    assert_eq!(found(&world, None, false).await, is("ben", "ben"));
    assert_eq!(found(&world, Some(ANN), false).await.0, "nothing");
    // Eve takes the id of a message that somebody may be about to answer.
    world.take(Some(EVE), Some("SAME"), text("eve")).await;
    assert_eq!(found(&world, None, false).await, is("ambiguous", "ben"));
    assert_eq!(found(&world, Some(EVE), false).await, is("eve", "eve"));
    world.take(None, Some("SAME"), text("own")).await;
    assert_eq!(found(&world, None, false).await, is("ambiguous", "ben"));
    assert_eq!(found(&world, None, true).await, is("own", "own"));
    assert_eq!(found(&world, Some("9@lid"), true).await, is("own", "own"));
}
