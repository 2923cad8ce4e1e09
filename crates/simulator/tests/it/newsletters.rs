//! Newsletters and restrictions: the real client library, phones, and the control API.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::Event;
use wagate_simulator::Simulator;
use wagate_simulator::journal::Journal;
use wagate_simulator::phone::Phone;
use wagate_simulator::server::{Restriction, Server, ServerConfig};
use waproto::whatsapp::Message;
use whatsapp_rust::Jid;

use crate::support_engine::{Engine, simulator};

const WAIT: Duration = Duration::from_secs(30);

async fn phone(simulator: &Simulator, name: &str) -> Phone {
    let phones = simulator.phones();
    phones.create(None, Some(name.to_owned())).await.unwrap()
}

async fn linked(simulator: &Simulator, phone: &Phone) -> Engine {
    Engine::linked(simulator, &Arc::new(InMemoryBackend::new()), phone).await
}

fn text(body: &str) -> Message {
    Message {
        conversation: Some(body.to_owned()),
        ..Message::default()
    }
}

/// Waits for a GraphQL notification and gives what is in its field.
async fn told(engine: &mut Engine, field: &str) -> Value {
    engine
        .wait_for(field, |event| match event {
            Event::MexNotification(news) => news.payload["data"].get(field).cloned(),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_makes_a_newsletter_and_its_followers_get_what_it_posts() {
    let simulator = simulator().await;
    let (alice, bob) = (
        phone(&simulator, "Alice").await,
        phone(&simulator, "Bob").await,
    );
    let (mut author, mut reader) = (
        linked(&simulator, &alice).await,
        linked(&simulator, &bob).await,
    );
    let newsletter = author.client.newsletter();
    let made = newsletter.create("News", Some("of the day")).await.unwrap();
    assert_eq!((&*made.name, made.subscriber_count), ("News", 1));
    let joined = told(&mut author, "xwa2_notify_newsletter_on_join").await;
    assert_eq!(joined["viewer_metadata"]["role"], "OWNER");

    let invite = made.invite_code.as_deref().unwrap();
    let reading = reader.client.newsletter();
    let found = reading.get_metadata_by_invite(invite).await.unwrap();
    assert_eq!(found.jid, made.jid);
    assert!(reading.list_subscribed().await.unwrap().is_empty());
    reading.join(&made.jid).await.unwrap();
    told(&mut reader, "xwa2_notify_newsletter_on_join").await;
    let reading = reader.client.newsletter();
    let followed = reading.list_subscribed().await.unwrap();
    assert_eq!(followed.len(), 1);
    assert_eq!(followed[0].subscriber_count, 2);

    let id = author.send_text(&made.jid, "hello").await;
    assert_eq!(reader.text().await, ("hello".to_owned(), id.clone()));
    for phone in [&alice, &bob] {
        let seen = phone.wait_for_message(WAIT, |message| message.id == id);
        let seen = seen.await.expect("the phone has the post");
        assert_eq!(seen.chat_jid, made.jid.to_string());
        assert_eq!(
            (&*seen.body, seen.from_me),
            ("hello", phone.number() == alice.number())
        );
    }
    author.stop().await;
    reader.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_and_changes_of_posts_are_kept_and_told() {
    let simulator = simulator().await;
    let (alice, bob) = (
        phone(&simulator, "Alice").await,
        phone(&simulator, "Bob").await,
    );
    let server = simulator.server();
    let made = server
        .create_newsletter(alice.number(), "News", "")
        .unwrap();
    server.follow_newsletter(bob.number(), &made.jid).unwrap();
    let mut reader = linked(&simulator, &bob).await;
    let plaintext = waproto::codec::message_to_vec(&text("first"));
    let first = server
        .publish(alice.number(), &made.jid, plaintext.clone())
        .unwrap();
    assert_eq!(reader.text().await.0, "first");
    let refused = server.publish(bob.number(), &made.jid, plaintext);
    refused.expect_err("only admins post");

    let reading = reader.client.newsletter();
    reading
        .subscribe_live_updates(made.jid.clone())
        .await
        .unwrap();
    reading
        .send_reaction(&made.jid, first.server_id, "👍")
        .await
        .unwrap();
    let counted = reader
        .wait_for("live update", |event| match event {
            Event::NewsletterLiveUpdate(update) => Some(update.messages[0].clone()),
            _ => None,
        })
        .await;
    assert_eq!(counted.server_id, first.server_id);
    assert_eq!(
        (&*counted.reactions[0].code, counted.reactions[0].count),
        ("👍", 1)
    );

    let author = linked(&simulator, &alice).await;
    let newsletter = author.client.newsletter();
    newsletter
        .edit_message(&made.jid, &*first.id, text("second"))
        .await
        .unwrap();
    assert_eq!(reader.text().await, ("second".to_owned(), first.id.clone()));
    for index in 0..4 {
        author.send_text(&made.jid, &format!("post {index}")).await;
        reader.text().await;
    }
    let reading = reader.client.newsletter();
    let page = reading
        .get_messages(made.jid.clone(), 2, None)
        .await
        .unwrap();
    let texts = |page: &[whatsapp_rust::features::NewsletterMessage]| {
        page.iter()
            .map(|post| post.message.as_ref().unwrap().conversation.clone().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(&page), ["post 2", "post 3"]);
    let before = Some(page[0].server_id);
    let page = reading
        .get_messages(made.jid.clone(), 9, before)
        .await
        .unwrap();
    assert_eq!(texts(&page), ["second", "post 0", "post 1"]);
    assert_eq!(page[0].reactions.len(), 1);

    reading.set_follower_mute(&made.jid, true).await.unwrap();
    let muted = told(&mut reader, "xwa2_notify_newsletter_on_mute_change").await;
    assert_eq!(muted["mute"], "ON");
    reader.client.newsletter().leave(&made.jid).await.unwrap();
    told(&mut reader, "xwa2_notify_newsletter_on_leave").await;
    assert_eq!(server.newsletter(&made.jid).unwrap().subscribers, 1);
    let unknown: Jid = "120363000000000009@newsletter".parse().unwrap();
    reader.client.newsletter().join(&unknown).await.unwrap_err();
    author.stop().await;
    reader.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_account_writes_to_those_only_that_it_has_written_with() {
    let simulator = simulator().await;
    let (alice, bob) = (
        phone(&simulator, "Alice").await,
        phone(&simulator, "Bob").await,
    );
    let carol = phone(&simulator, "Carol").await;
    let mut client = linked(&simulator, &alice).await;
    let free = client.client.mex().fetch_reachout_timelock().await.unwrap();
    assert_eq!(free.is_active, Some(false));
    bob.send_text(alice.number(), "hi").await.unwrap();
    client.text().await;

    let until = simulator.server().clock().now_ms() / 1_000 + 3_600;
    let restriction = Restriction {
        reachout_until_s: Some(until),
        ..Restriction::default()
    };
    let server = simulator.server();
    server.restrict(alice.number(), restriction).unwrap();
    let locked = told(&mut client, "xwa2_notify_account_reachout_timelock").await;
    assert_eq!(locked["time_enforcement_ends"], until.to_string());
    let locked = client.client.mex().fetch_reachout_timelock().await.unwrap();
    assert_eq!(locked.is_active, Some(true));

    let verdict = async |client: &mut Engine, to: &Phone| {
        let id = client.send_text(&to.jid().to_non_ad(), "hello").await;
        client
            .wait_for("verdict", |event| match event {
                Event::ServerAck(ack) if ack.id == id => Some(ack.error.clone()),
                _ => None,
            })
            .await
    };
    assert_eq!(verdict(&mut client, &carol).await.as_deref(), Some("463"));
    assert_eq!(verdict(&mut client, &bob).await, None);
    server
        .restrict(alice.number(), Restriction::default())
        .unwrap();
    assert_eq!(verdict(&mut client, &carol).await, None);
    client.stop().await;
    simulator.shutdown().await;
}

#[test]
fn newsletters_and_their_posts_are_there_again_after_a_restart() {
    let journal = Journal::memory();
    let open = || Server::open(ServerConfig::default(), journal.clone()).unwrap();
    let server = open();
    let [alice, bob] = [0, 1].map(|_| server.create_account(None, None).unwrap().number);
    let made = server
        .create_newsletter(&alice, "News", "of the day")
        .unwrap();
    server.follow_newsletter(&bob, &made.jid).unwrap();
    let first = server.publish(&alice, &made.jid, vec![1]).unwrap();
    server
        .react_in_newsletter(&bob, &made.jid, first.server_id, "👍")
        .unwrap();
    server.create_newsletter(&alice, " ", "").unwrap_err();
    server.unfollow_newsletter(&alice, &made.jid).unwrap_err();

    let server = open();
    let kept = server.newsletter(&made.jid).unwrap();
    assert_eq!((&*kept.name, kept.subscribers), ("News", 2));
    let second = server.publish(&alice, &made.jid, vec![2]).unwrap();
    assert!(second.server_id > first.server_id);
    let posts = server.newsletter_posts(&made.jid).unwrap();
    assert_eq!(posts.len(), 2);
    assert_eq!(posts[0].reactions.get("👍"), Some(&1));
    server.delete_account(&bob).unwrap();
    assert_eq!(open().newsletter(&made.jid).unwrap().subscribers, 1);
}
