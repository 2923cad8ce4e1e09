//! Requests to the simulator's control API, in a row: whatever is asked, it is answered.

#![no_main]

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use libfuzzer_sys::fuzz_target;
use tower::ServiceExt as _;
use wagate_simulator::control::{ControlInfo, router};
use wagate_simulator::journal::Journal;
use wagate_simulator::phone::Phones;
use wagate_simulator::server::{Server, ServerConfig};

/// Requests of one input.
const MAX_REQUESTS: usize = 16;

fuzz_target!(|requests: Vec<(u8, &str, &[u8])>| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        let server = Server::open(ServerConfig::default(), Journal::memory()).expect("memory");
        let phones = Phones::start(server.clone()).await.expect("no phones yet");
        for number in ["15550000001", "15550000002"] {
            let made = phones.create(Some(number.to_owned()), None).await;
            made.expect("the number is free");
        }
        let api = router(server, phones.clone(), ControlInfo::default());
        for (method, path, body) in requests.into_iter().take(MAX_REQUESTS) {
            let method = ["GET", "POST", "DELETE"][usize::from(method) % 3];
            let request = Request::builder()
                .method(method)
                .uri(format!("/sim/v1/{path}"))
                .body(Body::from(body.to_vec()));
            let Ok(request) = request else {
                continue;
            };
            let Ok(answer) = api.clone().oneshot(request).await;
            let status = answer.status();
            assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
            let bytes = to_bytes(answer.into_body(), usize::MAX).await;
            let bytes = bytes.expect("answers are in memory");
            if status != StatusCode::NO_CONTENT {
                let answer: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
                let is_refusal = answer.get("error").is_some();
                assert_eq!(is_refusal, !status.is_success(), "{status}: {answer}");
            }
        }
        phones.stop().await;
    });
});
