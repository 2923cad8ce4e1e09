//! The guarded client against real sockets.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{LOCATION, RETRY_AFTER};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream;
use http::HeaderMap;
use tokio::net::TcpListener;
use wagate_delivery::{
    AddressGuard, AllowList, Answer, ClientTimeouts, FetchFileError, FetchLimits, GuardError,
    GuardedClient, HostResolver, PostError,
};

use crate::receiver::Receiver;

/// Knows one answer for every name: this machine.
struct Here;

impl HostResolver for Here {
    fn addresses(&self, _host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        async { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) }.boxed()
    }
}

fn client(allow: AllowList, total: Duration) -> GuardedClient {
    let guard = AddressGuard::with_resolver(allow, Arc::new(Here));
    GuardedClient::new(
        guard,
        ClientTimeouts {
            total,
            ..ClientTimeouts::default()
        },
    )
    .unwrap()
}

async fn post(client: &GuardedClient, url: &str) -> Result<Answer, PostError> {
    client
        .post(url, HeaderMap::new(), Bytes::from_static(b"{}"))
        .await
}

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn an_answer_is_given_with_what_matters_of_it() {
    let mut receiver = Receiver::start(|_| async {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            [(RETRY_AFTER, "7")],
            "later",
        )
    })
    .await;
    let answer = post(&client(AllowList::loopback(), LONG), &receiver.url())
        .await
        .unwrap();
    assert_eq!(
        answer,
        Answer {
            status: 503,
            retry_after: Some("7".into()),
            body: "later".into()
        }
    );
    let request = receiver.next().await;
    assert_eq!(request.body, "{}");
    assert!(request.header("user-agent").unwrap().starts_with("wagate/"));
}

#[tokio::test]
async fn only_the_first_part_of_a_long_answer_is_read() {
    let receiver = Receiver::start(|_| async { "é".repeat(100_000) }).await;
    let answer = post(&client(AllowList::loopback(), LONG), &receiver.url())
        .await
        .unwrap();
    assert_eq!(answer.body, "é".repeat(2048));
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let receiver = Receiver::start(|_| async {
        Body::from_stream(stream::repeat_with(|| {
            Ok::<_, io::Error>(Bytes::from_static(&[b'x'; 512]))
        }))
    })
    .await;
    let answer = post(&client(AllowList::loopback(), LONG), &receiver.url())
        .await
        .unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 4096));
}

#[tokio::test]
async fn an_answer_that_stalls_counts_by_its_status() {
    let receiver = Receiver::start(|_| async {
        let first = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"wait"))]);
        Body::from_stream(futures::StreamExt::chain(first, stream::pending()))
    })
    .await;
    let answer = post(&client(AllowList::loopback(), SHORT), &receiver.url())
        .await
        .unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "wait"));
}

#[tokio::test]
async fn no_answer_is_a_timeout() {
    let receiver = Receiver::start(|_| std::future::pending::<()>()).await;
    let result = post(&client(AllowList::loopback(), SHORT), &receiver.url()).await;
    assert_eq!(result, Err(PostError::Timeout));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Receiver::accepting().await;
    let target = elsewhere.url();
    let receiver = Receiver::start(move |_| {
        let target = target.clone();
        async move { (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, target)]) }
    })
    .await;
    let answer = post(&client(AllowList::loopback(), LONG), &receiver.url())
        .await
        .unwrap();
    assert_eq!(answer.status, 307);
    assert_eq!(elsewhere.waiting(), 0);
}

fn limits(bytes: usize) -> FetchLimits {
    FetchLimits {
        bytes,
        cuts: false,
        total: LONG,
        redirects: 3,
    }
}

#[tokio::test]
async fn of_a_file_that_is_too_large_the_beginning_is_taken_where_that_is_enough() {
    let announced = Receiver::start(|_| async { "0123456789" }).await;
    let endless = Receiver::start(|_| async {
        let pieces = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(b"0123")));
        Body::from_stream(pieces)
    })
    .await;
    let client = client(AllowList::loopback(), LONG);
    for (url, beginning) in [(announced.url(), b"012345"), (endless.url(), b"012301")] {
        let refused = client.fetch(&url, limits(6)).await;
        assert_eq!(refused, Err(FetchFileError::TooLarge { limit: 6 }));
        let cutting = FetchLimits {
            cuts: true,
            ..limits(6)
        };
        let cut = client.fetch(&url, cutting).await.unwrap();
        assert_eq!(cut.bytes, beginning);
    }
}

#[tokio::test]
async fn a_file_is_found_behind_a_few_redirects_whose_addresses_are_judged() {
    let last = Receiver::start(|_| async { "here" }).await;
    let mut urls = vec![last.url()];
    let mut receivers = Vec::new();
    for _ in 0..4 {
        let target = urls.last().unwrap().clone();
        let receiver = Receiver::start(move |_| {
            let target = target.clone();
            async move { (StatusCode::FOUND, [(LOCATION, target)]) }
        })
        .await;
        urls.push(receiver.url());
        receivers.push(receiver);
    }
    let open = client(AllowList::loopback(), LONG);
    let found = open.fetch(&urls[3], limits(9)).await.unwrap();
    assert_eq!(
        (found.bytes.as_slice(), found.url.as_str()),
        (&b"here"[..], urls[0].as_str())
    );
    let too_far = open.fetch(&urls[4], limits(9)).await;
    assert_eq!(too_far, Err(FetchFileError::Redirect(302)));
    let inwards = Receiver::start(|_| async {
        (
            StatusCode::FOUND,
            [(LOCATION, "http://169.254.169.254/latest")],
        )
    })
    .await;
    let refused = open.fetch(&inwards.url(), limits(9)).await;
    let refusal = PostError::Refused(GuardError::Address);
    assert_eq!(refused, Err(FetchFileError::NoAnswer(refusal)));
}

#[tokio::test]
async fn a_name_is_judged_by_where_it_leads_when_it_is_dialled() {
    let receiver = Receiver::accepting().await;
    let url = format!("http://hook.example:{}/", receiver.port());

    let closed = client(AllowList::none(), LONG);
    assert!(closed.guard().check_url(&url).is_ok());
    assert_eq!(
        post(&closed, &url).await,
        Err(PostError::Refused(GuardError::Address))
    );
    assert_eq!(receiver.waiting(), 0);

    let open = client(AllowList::loopback(), LONG);
    assert_eq!(post(&open, &url).await.unwrap().status, 200);
    assert_eq!(receiver.waiting(), 1);
}

#[tokio::test]
async fn literals_are_refused_without_a_connection() {
    let receiver = Receiver::accepting().await;
    let closed = client(AllowList::none(), LONG);
    for host in [
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "localhost",
        "[::ffff:127.0.0.1]",
    ] {
        let url = format!("http://{host}:{}/", receiver.port());
        assert_eq!(
            post(&closed, &url).await,
            Err(PostError::Refused(GuardError::Address)),
            "{host}"
        );
    }
    assert_eq!(receiver.waiting(), 0);
}

#[tokio::test]
async fn failures_to_connect_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let open = client(AllowList::loopback(), LONG);
    let refused = post(&open, &format!("http://127.0.0.1:{port}/")).await;
    assert_eq!(refused, Err(PostError::Connect));

    let plain = Receiver::accepting().await;
    let not_tls = post(&open, &format!("https://127.0.0.1:{}/", plain.port())).await;
    assert_eq!(not_tls, Err(PostError::Tls));
}
