//! The worker from the commit of an event to the receiver, and through failures.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use tokio::sync::Semaphore;
use wagate_delivery::{ClientTimeouts, WorkerConfig};
use wagate_model::RetryPolicy;
use wagate_store::DeliveryStatus;

use crate::harness::{Post, Running, config, timeouts};
use crate::receiver::Receiver;

#[tokio::test]
async fn an_event_is_posted_signed_and_written_down() {
    let post = Post::open().await;
    let mut receiver = Receiver::accepting().await;
    let webhook = post
        .webhook_with(&receiver.url(), RetryPolicy::default(), Some("whsec_AQID"))
        .await;
    let worker = post.start();
    post.emit(&["a"]).await;

    let request = receiver.next().await;
    let committed = post.store.commits.take().concat();
    assert_eq!(request.body, *committed[0].envelope);
    assert_eq!(request.event_id(), committed[0].id.to_string());
    assert_eq!(request.header("webhook-id"), Some(request.event_id()));
    assert_eq!(request.header("x-tenant"), Some("acme"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let now_ms = post.now_ms();
    assert_eq!(
        request.header("x-webhook-timestamp"),
        Some(&*now_ms.to_string())
    );
    assert!(request.header("x-webhook-hmac").is_some());
    let signed = standardwebhooks::Webhook::new("whsec_AQID")
        .unwrap()
        .sign(request.event_id(), now_ms / 1000, request.body.as_bytes())
        .unwrap();
    assert_eq!(request.header("webhook-signature"), Some(&*signed));

    post.all_delivered(webhook).await;
    let attempts = post.attempts(webhook).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].status_code, Some(200));
    assert_eq!(attempts[0].answer.as_deref(), Some("thanks"));
    assert_eq!(attempts[0].error, None);
    worker.stop().await;
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_when_its_wait_is_over() {
    let post = Post::open().await;
    let mut receiver = Receiver::answering(&[500, 302, 200]).await;
    let webhook = post.webhook(&receiver.url()).await;
    let worker = post.start();
    post.emit(&["a"]).await;

    let first = receiver.next().await;
    let delivery = post.attempted(webhook, 1).await;
    assert_eq!(delivery.next_attempt_at_ms, Some(post.now_ms() + 2000));
    post.advance_ms(1999);
    post.advance_ms(1);
    let second = receiver.next().await;
    let delivery = post.attempted(webhook, 2).await;
    assert_eq!(delivery.next_attempt_at_ms, Some(post.now_ms() + 4000));
    post.advance_ms(4000);
    let third = receiver.next().await;
    post.all_delivered(webhook).await;

    assert_eq!(first.event_id(), second.event_id());
    assert_eq!(first.event_id(), third.event_id());
    assert_eq!(first.body, third.body);
    assert_ne!(
        first.header("x-webhook-timestamp"),
        third.header("x-webhook-timestamp")
    );
    let attempts = post.attempts(webhook).await;
    let seen: Vec<_> = attempts
        .iter()
        .map(|one| (one.number, one.status_code))
        .collect();
    assert_eq!(seen, [(1, Some(500)), (2, Some(302)), (3, Some(200))]);
    assert_eq!(
        attempts[1].error.as_deref(),
        Some("redirects are not followed")
    );
    worker.stop().await;
}

#[tokio::test]
async fn a_retry_before_its_time_does_not_happen() {
    let post = Post::open().await;
    let mut receiver = Receiver::answering(&[500]).await;
    let webhook = post.webhook(&receiver.url()).await;
    let other = Receiver::accepting().await;
    let worker = post.start();
    post.emit(&["a"]).await;
    receiver.next().await;
    post.attempted(webhook, 1).await;

    // That the worker looked is seen by what else it did.
    post.store.clock.advance_ms(1999);
    let second = post.webhook(&other.url()).await;
    post.emit(&["b"]).await;
    post.all_delivered(second).await;
    receiver.next().await;
    assert_eq!(receiver.waiting(), 0);
    worker.stop().await;
}

#[tokio::test]
async fn after_the_last_attempt_a_delivery_is_dead_and_can_be_replayed() {
    let post = Post::open().await;
    let mut receiver = Receiver::answering(&[500, 404, 200]).await;
    let policy = RetryPolicy {
        attempts: 2,
        delay_seconds: 5,
        policy: "fixed".into(),
    };
    let webhook = post.webhook_with(&receiver.url(), policy, None).await;
    let worker = post.start();
    post.emit(&["a"]).await;
    let first = receiver.next().await;
    post.attempted(webhook, 1).await;
    post.advance_ms(5000);
    receiver.next().await;
    let dead = post.attempted(webhook, 2).await;
    assert_eq!(dead.status, DeliveryStatus::Dead);
    assert_eq!(dead.last_status_code, Some(404));
    assert!(post.state(webhook).await.active);

    let (organization, event, now_ms) = (post.organization, dead.event_id, post.now_ms());
    let replayed = post
        .store
        .write(organization, move |tx| {
            Box::pin(async move { tx.replay_event(organization, webhook, event, now_ms).await })
        })
        .await
        .unwrap();
    post.wake.notify_one();
    assert_eq!(receiver.next().await.event_id(), first.event_id());
    assert!(replayed.is_some());
    worker.stop().await;
    let statuses: Vec<_> = post
        .deliveries(webhook)
        .await
        .into_iter()
        .map(|one| one.status)
        .collect();
    assert!(
        statuses.contains(&DeliveryStatus::Delivered) && statuses.contains(&DeliveryStatus::Dead)
    );
}

#[tokio::test]
async fn redirects_lead_nowhere() {
    let post = Post::open().await;
    let elsewhere = Receiver::accepting().await;
    let target = elsewhere.url();
    let mut receiver = Receiver::start(move |_| {
        let target = target.clone();
        async move { (StatusCode::PERMANENT_REDIRECT, [(LOCATION, target)]) }
    })
    .await;
    let webhook = post.webhook(&receiver.url()).await;
    let worker = post.start();
    post.emit(&["a"]).await;
    receiver.next().await;
    let delivery = post.attempted(webhook, 1).await;
    assert_eq!(delivery.status, DeliveryStatus::Pending);
    assert_eq!(elsewhere.waiting(), 0);
    worker.stop().await;
}

#[tokio::test]
async fn an_attempt_that_the_service_itself_fails_is_counted() {
    let post = Post::open().await;
    let mut receiver = Receiver::answering(&[500]).await;
    let webhook = post.webhook(&receiver.url()).await;
    let has_failed = AtomicBool::new(false);
    let chance = Arc::new(move || {
        assert!(has_failed.swap(true, Ordering::SeqCst), "a fault");
        0.0
    });
    let worker = post.worker_by_chance(config(), ClientTimeouts::default(), chance);
    let worker = Running::start(worker);
    post.emit(&["a"]).await;
    receiver.next().await;
    let delivery = post.attempted(webhook, 1).await;
    assert_eq!(delivery.status, DeliveryStatus::Pending);
    assert_eq!(delivery.next_attempt_at_ms, Some(post.now_ms() + 2000));
    assert_eq!(
        delivery.last_error.as_deref(),
        Some("the service failed during the attempt")
    );
    post.advance_ms(2000);
    receiver.next().await;
    assert_eq!(
        post.attempted(webhook, 2).await.last_status_code,
        Some(500),
        "the worker goes on"
    );
    worker.stop().await;
}

#[tokio::test]
async fn first_attempts_of_a_chat_go_out_in_order() {
    let post = Post::open().await;
    // Every other answer is a failure, and none may let a later event overtake.
    let mut receiver = Receiver::answering(&[200, 500, 200, 500, 200, 500, 200, 500, 200]).await;
    post.webhook(&receiver.url()).await;
    let worker = post.start();
    let chats: Vec<_> = (0..60).map(|number| ["a", "b", "c"][number % 3]).collect();
    post.emit(&chats[..30]).await;
    post.emit(&chats[30..]).await;

    let mut last_of: HashMap<String, String> = HashMap::new();
    for request in receiver.take(60).await {
        let event: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        let chat = event["payload"]["chat"].as_str().unwrap().to_owned();
        let last = last_of.insert(chat, request.event_id().to_owned());
        assert!(last.is_none_or(|last| last.as_str() < request.event_id()));
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_crash_between_request_and_record_repeats_the_same_event() {
    let post = Post::open().await;
    let mut receiver = Receiver::start(|_| std::future::pending::<()>()).await;
    let webhook = post.webhook(&receiver.url()).await;
    let crashed = post.start();
    post.emit(&["a"]).await;
    let first = receiver.next().await;
    crashed.kill().await;

    let second = WorkerConfig {
        owner: "worker-2".into(),
        ..config()
    };
    let worker = post.start_with(second, ClientTimeouts::default());
    // Not before the lease has ended.
    post.advance_ms(59_999);
    assert_eq!(post.deliveries(webhook).await[0].attempts, 0);
    post.advance_ms(1);
    let again = receiver.next().await;
    assert_eq!(
        (first.event_id(), &first.body),
        (again.event_id(), &again.body)
    );
    worker.kill().await;
}

#[tokio::test]
async fn a_worker_that_stops_lets_requests_end_and_writes_them_down() {
    let post = Post::open().await;
    let open = Arc::new(Semaphore::new(0));
    let gate = open.clone();
    let mut receiver = Receiver::start(move |_| {
        let gate = gate.clone();
        async move { gate.acquire().await.unwrap().forget() }
    })
    .await;
    let webhook = post.webhook(&receiver.url()).await;
    let worker = post.start();
    post.emit(&["a"]).await;
    receiver.next().await;
    let ((), ()) = tokio::join!(worker.stop(), async { open.add_permits(1) });
    assert_eq!(
        post.deliveries(webhook).await[0].status,
        DeliveryStatus::Delivered
    );
}

#[tokio::test]
async fn a_worker_that_cannot_wait_gives_deliveries_back() {
    let post = Post::open().await;
    let mut receiver = Receiver::start(|_| std::future::pending::<()>()).await;
    let webhook = post.webhook(&receiver.url()).await;
    let impatient = WorkerConfig {
        grace: Duration::ZERO,
        ..config()
    };
    let worker = post.start_with(impatient, ClientTimeouts::default());
    post.emit(&["a"]).await;
    receiver.next().await;
    worker.stop().await;
    let delivery = &post.deliveries(webhook).await[0];
    assert_eq!(
        (delivery.status, delivery.attempts),
        (DeliveryStatus::Pending, 0)
    );
    // At once, and not when the lease would have ended.
    assert_eq!(delivery.next_attempt_at_ms, Some(post.now_ms()));
}

#[tokio::test]
async fn a_request_without_an_answer_is_a_failed_attempt() {
    let post = Post::open().await;
    let mut receiver = Receiver::start(|_| std::future::pending::<()>()).await;
    let webhook = post.webhook(&receiver.url()).await;
    let worker = post.start_with(config(), timeouts(Duration::from_millis(100)));
    post.emit(&["a"]).await;
    receiver.next().await;
    let delivery = post.attempted(webhook, 1).await;
    assert_eq!(delivery.status, DeliveryStatus::Pending);
    assert_eq!(delivery.last_error.as_deref(), Some("no answer in time"));
    worker.stop().await;
}

#[tokio::test]
async fn what_nobody_announced_is_found_by_polling() {
    let post = Post::open().await;
    let mut receiver = Receiver::accepting().await;
    post.webhook(&receiver.url()).await;
    let worker = post.start();
    let other_wake = Post {
        wake: Arc::default(),
        ..post
    };
    other_wake.emit(&["a"]).await;
    receiver.next().await;
    worker.stop().await;
}

#[tokio::test]
async fn two_workers_deliver_each_event_once() {
    let post = Post::open().await;
    let mut receiver = Receiver::accepting().await;
    let webhook = post.webhook(&receiver.url()).await;
    let first = post.start();
    let second = post.start_with(
        WorkerConfig {
            owner: "worker-2".into(),
            ..config()
        },
        ClientTimeouts::default(),
    );
    for _ in 0..10 {
        post.emit(&["a", "b", "c", "d", "e", "f"]).await;
    }
    post.all_delivered(webhook).await;
    first.stop().await;
    second.stop().await;
    let mut ids: Vec<_> = receiver
        .take(60)
        .await
        .iter()
        .map(|one| one.event_id().to_owned())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), receiver.waiting()), (60, 0));
}
