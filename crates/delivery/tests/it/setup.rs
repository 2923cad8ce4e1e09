//! What a worker is made with: its guard, its configuration, its signing root.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wagate_delivery::{
    AddressGuard, AllowList, ClientTimeouts, Courier, DeliveryWorker, GuardedClient, SigningRoot,
    WorkerConfig, WorkerConfigError,
};

use crate::harness::{Post, config};
use crate::receiver::Receiver;

#[tokio::test]
async fn an_address_that_is_not_opened_is_never_dialled() {
    let post = Post::open().await;
    let receiver = Receiver::accepting().await;
    let webhook = post.webhook(&receiver.url()).await;
    let guard = AddressGuard::new(AllowList::none());
    let courier = Courier::new(
        GuardedClient::new(guard, ClientTimeouts::default()).unwrap(),
        SigningRoot::from_bytes([3; 32]),
        post.store.clock.clone(),
        Arc::new(|| 0.0),
    );
    let worker =
        DeliveryWorker::new(post.store.handle(), courier, post.wake.clone(), config()).unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker.run(stop.clone()));
    post.emit(&["a"]).await;
    let delivery = post.attempted(webhook, 1).await;
    assert!(
        delivery
            .last_error
            .unwrap()
            .contains("private, local or reserved")
    );
    assert_eq!(receiver.waiting(), 0);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_lease_that_requests_could_outlive_is_refused() {
    let post = Post::open().await;
    let refused = |change: fn(&mut WorkerConfig)| {
        let mut wrong = config();
        change(&mut wrong);
        let guard = AddressGuard::new(AllowList::none());
        let courier = Courier::new(
            GuardedClient::new(guard, ClientTimeouts::default()).unwrap(),
            SigningRoot::from_bytes([3; 32]),
            post.store.clock.clone(),
            Arc::new(|| 0.0),
        );
        DeliveryWorker::new(post.store.handle(), courier, post.wake.clone(), wrong).unwrap_err()
    };
    let short = refused(|config| config.lease = Duration::from_secs(34));
    assert!(matches!(short, WorkerConfigError::ShortLease { .. }));
    assert!(short.to_string().contains("5 s longer"));
    assert_eq!(
        refused(|config| config.concurrency = 0),
        WorkerConfigError::NoConcurrency
    );
}

#[tokio::test]
async fn the_signing_root_is_made_once_and_kept_sealed() {
    let post = Post::open().await;
    let webhook = post.webhook("http://127.0.0.1:9/").await;
    let made = SigningRoot::load_or_create(&post.store, [1; 32])
        .await
        .unwrap();
    let second = post.store.second().await.unwrap();
    let read = SigningRoot::load_or_create(&second, [2; 32]).await.unwrap();
    assert_eq!(made.secret_of(webhook), read.secret_of(webhook));
    assert_eq!(
        made.secret_of(webhook),
        SigningRoot::from_bytes([1; 32]).secret_of(webhook)
    );
    let mut tx = post.store.read().await.unwrap();
    let stored: String = tx
        .admin()
        .setting("webhook_signing_root")
        .await
        .unwrap()
        .unwrap();
    assert!(
        !stored.contains("AQEBAQEBAQEB"),
        "the root is not stored in the open"
    );
}
