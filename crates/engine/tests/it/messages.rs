//! Messages in both directions.

use wagate_engine::{
    Content, EngineEvent, Outgoing, OutgoingContent, Quoted, RejectReason, SendFailure,
    TypingState, new_message_id,
};
use wagate_model::{Jid, MessageStatus};
use wagate_simulator::faults::FaultKind;
use wagate_simulator::phone::MessageQuery;

use crate::support::{WAIT, World, jid_of};

fn text(chat: Jid, text: &str) -> Outgoing {
    Outgoing {
        id: new_message_id(),
        chat,
        content: OutgoingContent::Text(text.to_owned()),
        mentions: Vec::new(),
        quoted: None,
        preview: None,
        expires_after_s: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_is_acknowledged_delivered_and_read() {
    let world = World::start().await;
    let (ours, theirs) = (world.phone().await, world.phone().await);
    let (session, _) = world.paired(&ours).await;
    let outgoing = text(jid_of(&theirs), "good morning");
    let sent = session.connection.send(&outgoing).await.unwrap();
    assert!(sent.timestamp_ms.is_some());
    let arrived = theirs
        .wait_for_message(WAIT, |message| message.id == outgoing.id)
        .await
        .unwrap();
    assert_eq!(arrived.body, "good morning");
    let receipt_of = |event: EngineEvent, status| match event {
        EngineEvent::Receipt(receipt)
            if receipt.message_ids.contains(&outgoing.id) && receipt.status == status =>
        {
            Some(receipt)
        }
        _ => None,
    };
    session
        .wait_for("delivery receipt", |event| {
            receipt_of(event, MessageStatus::Delivered)
        })
        .await;
    theirs.read(&outgoing.id).await.unwrap();
    let read = session.wait_for("read receipt", |event| {
        receipt_of(event, MessageStatus::Read)
    });
    assert!(!read.await.is_own);
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_id_sent_twice_is_one_message() {
    let world = World::start().await;
    let (ours, theirs) = (world.phone().await, world.phone().await);
    let (session, _) = world.paired(&ours).await;
    let outgoing = text(jid_of(&theirs), "once");
    session.connection.send(&outgoing).await.unwrap();
    session.connection.send(&outgoing).await.unwrap();
    let marker = text(jid_of(&theirs), "marker");
    session.connection.send(&marker).await.unwrap();
    theirs
        .wait_for_message(WAIT, |message| message.id == marker.id)
        .await
        .unwrap();
    let all = theirs.messages(&MessageQuery::default()).unwrap();
    let same: Vec<_> = all.iter().filter(|m| m.id == outgoing.id).collect();
    assert_eq!(same.len(), 1);
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_received_text_can_be_answered_by_either_address() {
    let world = World::start().await;
    let (ours, theirs) = (world.phone().await, world.phone().await);
    let (session, _) = world.paired(&ours).await;
    theirs
        .send_text(ours.number(), "are you there?")
        .await
        .unwrap();
    let question = session.message().await;
    assert_eq!(question.content.body(), Some("are you there?"));
    assert!(!question.from_me);
    assert_eq!(question.sender_jid.as_ref(), Some(&jid_of(&theirs)));
    let lid = theirs.lid().to_string();
    assert_eq!(question.sender_lid.as_ref().unwrap().as_str(), lid);
    let alias = question.chat_alias.clone().unwrap();
    for chat in [question.chat.clone(), alias] {
        let mut answer = text(chat, "yes");
        answer.quoted = Some(Quoted {
            id: question.id.clone(),
            sender: Some(question.chat.clone()),
            raw: Some(question.raw.clone()),
            body: None,
        });
        session.connection.send(&answer).await.unwrap();
        let arrived = theirs
            .wait_for_message(WAIT, |message| message.id == answer.id)
            .await
            .unwrap();
        assert_eq!(arrived.quoted_id.as_deref(), Some(question.id.as_str()));
    }
    let read =
        session
            .connection
            .mark_read(&question.chat, None, std::slice::from_ref(&question.id));
    read.await.unwrap();
    assert!(
        theirs
            .wait_for_status(
                &question.id,
                wagate_simulator::phone::MessageStatus::Read,
                WAIT
            )
            .await
    );
    session
        .connection
        .set_typing(&question.chat, TypingState::Composing)
        .await
        .unwrap();
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reactions_edits_and_deletions_name_their_message() {
    let world = World::start().await;
    let (ours, theirs) = (world.phone().await, world.phone().await);
    let (session, _) = world.paired(&ours).await;
    let sent = theirs.send_text(ours.number(), "frist").await.unwrap();
    assert_eq!(session.message().await.id, sent.id);
    theirs.react(&sent.id, "👍").await.unwrap();
    let Content::Reaction { target, emoji } = session.message().await.content else {
        panic!("no reaction");
    };
    assert_eq!(
        (target.id.as_str(), emoji.as_str()),
        (sent.id.as_str(), "👍")
    );
    assert_eq!(target.from_me, Some(false));
    theirs.edit(&sent.id, "first").await.unwrap();
    let Content::Edit { target, content } = session.message().await.content else {
        panic!("no edit");
    };
    assert_eq!(
        (target.id, content.body()),
        (sent.id.clone(), Some("first"))
    );
    theirs.revoke(&sent.id).await.unwrap();
    let Content::Revoke { target } = session.message().await.content else {
        panic!("no deletion");
    };
    assert_eq!(target.id, sent.id);
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_phone_sends_is_ours_too() {
    let world = World::start().await;
    let (ours, theirs) = (world.phone().await, world.phone().await);
    let (session, _) = world.paired(&ours).await;
    let sent = ours
        .send_text(theirs.number(), "from the phone")
        .await
        .unwrap();
    let message = session.message().await;
    assert_eq!((message.id, message.from_me), (sent.id, true));
    assert_eq!(message.content.body(), Some("from the phone"));
    assert_eq!(message.sender_jid, Some(jid_of(&ours)));
    let addresses = [Some(&message.chat), message.chat_alias.as_ref()];
    assert!(addresses.contains(&Some(&jid_of(&theirs))));
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_message_says_why() {
    let world = World::start().await;
    let (ours, theirs) = (world.phone().await, world.phone().await);
    let (session, _) = world.paired(&ours).await;
    world.inject(FaultKind::Nack, &ours, |spec| {
        spec.code = Some(463);
        spec.count = Some(1);
        spec.direction = wagate_simulator::faults::Direction::In;
    });
    let outgoing = text(jid_of(&theirs), "hello stranger");
    assert_eq!(
        session.connection.send(&outgoing).await,
        Err(SendFailure::Permanent {
            code: Some(463),
            reason: RejectReason::ReachoutRestricted
        })
    );
    // Under the same id it may be tried again.
    session.connection.send(&outgoing).await.unwrap();
    session.connection.close().await;
}
