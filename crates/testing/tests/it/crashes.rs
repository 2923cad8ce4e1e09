//! Killing the service in the middle of its work: nothing lost, nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use serde_json::Value;
use wagate_testing::{Receiver, Session};

use crate::stage::Stage;

/// Messages each way.
const MESSAGES: usize = 60;

/// The ids of a column of the accounting, for one direction.
fn ids(pairs: &[Value], from: &str, to: &str, column: &str) -> BTreeSet<String> {
    let pair = pairs
        .iter()
        .find(|pair| pair["from"] == from && pair["to"] == to);
    let ids = pair
        .and_then(|pair| pair[column].as_array())
        .cloned()
        .unwrap_or_default();
    ids.iter()
        .filter_map(|id| id.as_str().map(str::to_owned))
        .collect()
}

/// Sends the same requests again until each has its answer, as a careful client does.
async fn send_all(session: &Session, to: &str, texts: &[String]) {
    stream::iter(texts)
        .for_each_concurrent(8, |text| async move {
            let key = format!("key-of-{}", text.replace(' ', "-"));
            // The service is away for a moment: connection errors are expected then.
            if let Ok(answer) = session.send_once(to, text, &key).await {
                assert!(
                    matches!(answer.status.as_u16(), 200 | 409 | 503),
                    "{}",
                    answer.status
                );
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_kill_in_the_middle_of_traffic_loses_and_repeats_nothing() {
    let stage = Stage::new().await;
    let sandbox = stage.start().await;
    let (alice, bob) = (sandbox.phones()[0].clone(), sandbox.phones()[1].clone());
    let session = stage.pair(&sandbox, &alice).await;
    let mut receiver = Receiver::start().await;
    let webhook =
        serde_json::json!({"url": receiver.url(), "events": ["message", "message.from_me"]});
    sandbox
        .api
        .post("/api/v1/webhooks", &webhook)
        .await
        .expect(201);

    let outgoing: Vec<_> = (0..MESSAGES).map(|turn| format!("out {turn}")).collect();
    let simulated = stage.simulator.simulated.clone();
    let incoming = {
        let (simulated, alice, bob) = (simulated.clone(), alice.clone(), bob.clone());
        tokio::spawn(async move {
            for turn in 0..MESSAGES {
                simulated
                    .send_text(&bob, &alice, &format!("in {turn}"))
                    .await;
            }
        })
    };
    let sending = {
        let (session, bob, outgoing) = (session.clone(), bob.clone(), outgoing.clone());
        tokio::spawn(async move { send_all(&session, &bob, &outgoing).await })
    };
    // Some have gone through, others are on their way.
    simulated
        .wait_for(&bob, |message| message.body().starts_with("out "))
        .await;
    sandbox.process.kill().await;
    sending.await.unwrap();

    let sandbox = stage.start().await;
    let session = sandbox.api.session(&session.id);
    session.wait_for_status("working").await;
    // The client repeats what it has no answer for, with the same keys.
    stream::iter(&outgoing)
        .for_each_concurrent(8, |text| {
            let (session, bob) = (&session, &bob);
            async move {
                let key = format!("key-of-{}", text.replace(' ', "-"));
                session
                    .send_once(bob, text, &key)
                    .await
                    .unwrap()
                    .expect(200);
            }
        })
        .await;
    incoming.await.unwrap();
    for text in &outgoing {
        simulated
            .wait_for(&bob, |message| message.body() == text)
            .await;
    }

    // Out: every text is one message, accepted once and delivered once by id.
    let log = simulated.messages(&bob).await;
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for message in log
        .iter()
        .filter(|message| message.body().starts_with("out "))
    {
        *times.entry(message.body()).or_default() += 1;
    }
    assert_eq!(times.len(), MESSAGES);
    assert!(times.values().all(|count| *count == 1), "{times:?}");

    // In: every message is one event, whatever was delivered again on the way.
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    while seen.len() < MESSAGES {
        let event = receiver.next_of("message").await.json();
        let message = event["payload"]["waMessageId"].as_str().unwrap().to_owned();
        seen.entry(message)
            .or_default()
            .insert(event["id"].as_str().unwrap().to_owned());
    }
    assert!(
        seen.values().all(|ids| ids.len() == 1),
        "one event id per message: {seen:?}"
    );
    let events = sandbox.api.events_after(None).await;
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events.iter().filter(|event| event["event"] == "message") {
        *told
            .entry(event["payload"]["waMessageId"].as_str().unwrap())
            .or_default() += 1;
    }
    assert_eq!(told.len(), MESSAGES);
    assert!(told.values().all(|count| *count == 1), "{told:?}");

    let pairs = simulated.accounting().await;
    for (from, to) in [(&alice, &bob), (&bob, &alice)] {
        let accepted = ids(&pairs, from, to, "accepted");
        assert_eq!(accepted.len(), MESSAGES, "{from} → {to}");
        assert_eq!(ids(&pairs, from, to, "delivered"), accepted);
    }
}

#[tokio::test]
async fn an_idempotency_key_holds_over_a_crash() {
    let stage = Stage::new().await;
    let sandbox = stage.start().await;
    let (alice, bob) = (sandbox.phones()[0].clone(), sandbox.phones()[1].clone());
    let session = stage.pair(&sandbox, &alice).await;
    let first = session
        .send_once(&bob, "once", "the-key")
        .await
        .unwrap()
        .expect(200);
    sandbox.process.kill().await;

    let sandbox = stage.start().await;
    let session = sandbox.api.session(&session.id);
    session.wait_for_status("working").await;
    let again = session
        .send_once(&bob, "once", "the-key")
        .await
        .unwrap()
        .expect(200);
    assert_eq!(again["waMessageId"], first["waMessageId"]);
    assert_eq!(again["replayed"], true);
    let log = stage.simulator.simulated.messages(&bob).await;
    assert_eq!(
        log.iter()
            .filter(|message| message.body() == "once")
            .count(),
        1
    );
}
