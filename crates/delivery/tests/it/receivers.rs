//! Receivers that are slow, busy, failing or gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use tokio::sync::Semaphore;
use wagate_delivery::{ClientTimeouts, WorkerConfig};
use wagate_model::RetryPolicy;
use wagate_store::DeliveryStatus;

use crate::harness::{Post, config};
use crate::receiver::Receiver;

const DAY_MS: i64 = 24 * 3600 * 1000;

#[tokio::test]
async fn a_receiver_that_is_gone_is_disabled() {
    let post = Post::open().await;
    let mut receiver = Receiver::answering(&[410]).await;
    let webhook = post.webhook(&receiver.url()).await;
    let worker = post.start();
    post.emit(&["a"]).await;
    receiver.next().await;
    assert_eq!(post.disabled(webhook).await.as_deref(), Some("gone"));
    assert_eq!(
        post.deliveries(webhook).await[0].status,
        DeliveryStatus::Dead
    );
    worker.stop().await;
}

#[tokio::test]
async fn a_receiver_says_when_to_come_back() {
    let post = Post::open().await;
    let mut receiver =
        Receiver::start(|_| async { (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "120")]) })
            .await;
    let webhook = post.webhook(&receiver.url()).await;
    let worker = post.start();
    post.emit(&["a"]).await;
    receiver.next().await;
    let delivery = post.attempted(webhook, 1).await;
    assert_eq!(delivery.next_attempt_at_ms, Some(post.now_ms() + 120_000));
    worker.stop().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_is_left_alone_with_everything() {
    let post = Post::open().await;
    let count = Arc::new(AtomicUsize::new(0));
    let mut receiver = Receiver::start(move |_| {
        let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let status = if is_first {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                StatusCode::OK
            };
            (status, [(RETRY_AFTER, "60")])
        }
    })
    .await;
    let mut other = Receiver::accepting().await;
    let webhook = post.webhook(&receiver.url()).await;
    let one_by_one = WorkerConfig {
        per_webhook: 1,
        ..config()
    };
    let worker = post.start_with(one_by_one, ClientTimeouts::default());
    post.emit(&["a"]).await;
    receiver.next().await;
    post.attempted(webhook, 1).await;
    post.webhook(&other.url()).await;
    post.store.clock.advance_ms(59_999);
    post.emit(&["b"]).await;
    // That the worker looked is seen by what else it did.
    other.next().await;
    assert_eq!(receiver.waiting(), 0);
    post.advance_ms(1);
    receiver.take(2).await;
    post.all_delivered(webhook).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_webhook_that_fails_for_days_is_disabled_but_not_for_two_failures_days_apart() {
    let post = Post::open().await;
    let once = RetryPolicy {
        attempts: 1,
        ..RetryPolicy::default()
    };
    let mut receiver = Receiver::answering(&[500]).await;
    let webhook = post.webhook_with(&receiver.url(), once, None).await;
    let worker = post.start();
    for _ in 0..2 {
        post.emit(&["a"]).await;
        receiver.next().await;
        post.none_pending(webhook).await;
        assert!(post.state(webhook).await.active);
        post.store.clock.advance_ms(6 * DAY_MS);
    }
    // Twice a day, two failures each time.
    for _ in 0..10 {
        post.emit(&["a", "b"]).await;
        receiver.take(2).await;
        post.none_pending(webhook).await;
        assert!(post.state(webhook).await.active);
        post.store.clock.advance_ms(DAY_MS / 2);
    }
    post.emit(&["a"]).await;
    assert_eq!(post.disabled(webhook).await.as_deref(), Some("failing"));
    worker.stop().await;
}

#[tokio::test]
async fn a_slow_receiver_holds_up_nobody_else() {
    let post = Post::open().await;
    let open = Arc::new(Semaphore::new(0));
    let gate = open.clone();
    let mut slow = Receiver::start(move |_| {
        let gate = gate.clone();
        async move { gate.acquire().await.unwrap().forget() }
    })
    .await;
    let mut fast = Receiver::accepting().await;
    let slow_id = post.webhook(&slow.url()).await;
    let fast_id = post.webhook(&fast.url()).await;
    let limits = WorkerConfig {
        concurrency: 8,
        per_webhook: 3,
        ..config()
    };
    let worker = post.start_with(limits, ClientTimeouts::default());
    let names: Vec<_> = (0..40).map(|number| format!("chat-{number}")).collect();
    post.emit(&names.iter().map(String::as_str).collect::<Vec<_>>())
        .await;

    fast.take(40).await;
    post.all_delivered(fast_id).await;
    slow.take(3).await;
    assert_eq!(slow.waiting(), 0, "no more than its own share is under way");
    open.add_permits(40);
    slow.take(37).await;
    post.all_delivered(slow_id).await;
    worker.stop().await;
}

#[tokio::test]
async fn an_organization_of_slow_receivers_holds_up_no_other() {
    let mut post = Post::open().await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let receiver = Receiver::start(|_| std::future::pending::<()>()).await;
        post.webhook(&receiver.url()).await;
        slow.push(receiver);
    }
    // More webhooks than it would take to fill every place.
    let limits = WorkerConfig {
        concurrency: 8,
        per_webhook: 2,
        grace: Duration::ZERO,
        ..config()
    };
    let worker = post.start_with(limits, ClientTimeouts::default());
    post.emit(&["a", "b", "c", "d"]).await;
    for _ in 0..4 {
        let requests = slow.iter_mut().map(|receiver| Box::pin(receiver.next()));
        futures::future::select_all(requests).await;
    }

    post.become_another().await;
    let mut fast = Receiver::accepting().await;
    let fast_id = post.webhook(&fast.url()).await;
    post.emit(&["a"; 20]).await;
    fast.take(20).await;
    post.all_delivered(fast_id).await;
    let waiting: usize = slow.iter().map(Receiver::waiting).sum();
    assert_eq!(waiting, 0, "half of the places stay free");
    worker.stop().await;
}
