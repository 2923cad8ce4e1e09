//! Probes, figures, unknown routes, and what every answer carries.

use axum::body::Body;
use http::{Method, Request};

use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use wagate_api::probes_router;
use wagate_core::Health;
use wagate_store::{Lane, StoreError};

use crate::harness::Service;

#[tokio::test]
async fn probes_answer_without_a_credential() {
    let service = Service::start().await;
    assert_eq!(service.get("/healthz", "").await.ok(200)["status"], "ok");
    assert_eq!(service.get("/readyz", "").await.ok(200)["status"], "ready");
    service.store.close().await;
    let reply = service.get("/readyz", "").await;
    let details = &reply.error(503, "gateway_unavailable")["details"];
    assert_eq!(details["store"], "unavailable");
    assert_eq!(details["bus"], "ok");
    assert!(reply.headers.contains_key("retry-after"));
    service.get("/healthz", "").await.ok(200);
}

#[tokio::test]
async fn a_writer_that_is_stuck_is_told_apart_from_a_database_that_is_away() {
    let service = Service::start().await;
    let (begun, begins) = tokio::sync::oneshot::channel::<()>();
    let (end, ends) = tokio::sync::oneshot::channel::<()>();
    let store = service.store.handle();
    let stuck = tokio::spawn(async move {
        store
            .write::<_, StoreError, _>(Lane::SHARED, move |_| {
                Box::pin(async move {
                    begun.send(()).unwrap();
                    ends.await.unwrap();
                    Ok(())
                })
            })
            .await
    });
    begins.await.unwrap();
    let reply = service.get("/readyz", "").await;
    let details = &reply.error(503, "gateway_unavailable")["details"];
    assert_eq!(details["storeWriter"], "unavailable");
    assert_eq!(details["store"], "ok");
    end.send(()).unwrap();
    stuck.await.unwrap().unwrap();
    service.get("/readyz", "").await.ok(200);
}

#[tokio::test]
async fn probes_have_a_router_of_their_own_for_processes_without_the_api() {
    let service = Service::start().await;
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let health = Health::new(service.store.handle(), service.bus.clone());
    let stop = CancellationToken::new();
    let router = probes_router(health, recorder.handle(), stop.clone());
    let status = async |path: &str| {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        answer.status().as_u16()
    };
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(status(path).await, 200, "{path}");
    }
    assert_eq!(status("/api/v1/sessions").await, 404);
    stop.cancel();
    assert_eq!(status("/readyz").await, 503);
}

#[tokio::test]
async fn figures_name_operations_and_nothing_that_callers_wrote() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let path = format!("/api/v1/sessions/{session}");
    service.get(&path, &tenant.key).await.ok(200);
    service
        .get(&format!("{path}/chats/15551234567"), &tenant.key)
        .await;
    service.get("/secret-path", "").await;
    let metrics = service.get("/metrics", "").await;
    assert!(
        metrics.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    let text = String::from_utf8(metrics.bytes).unwrap();
    assert!(
        text.contains("operation=\"getSession\",status=\"200\""),
        "{text}"
    );
    assert!(
        text.contains("operation=\"other\",status=\"404\""),
        "{text}"
    );
    assert!(!text.contains("15551234567") && !text.contains("secret-path"));
    let hidden = Service::with(|config| config.serves_metrics = false).await;
    hidden.get("/metrics", "").await.error(404, "not_found");
}

#[tokio::test]
async fn unknown_routes_and_methods_use_the_envelope() {
    let service = Service::start().await;
    let key = service.tenant().await.key;
    for path in [
        "/",
        "/api",
        "/api/v1/nothing",
        "/api/v1/sessions/",
        "/api/v1/sessions/x:explode",
        "/api/v1/sessions/x/:start",
        "/api/v1/sessions/x/chats:start",
        "/:start/api/v1/sessions/x",
        "/:",
        "/docs/../healthz",
    ] {
        for method in [Method::GET, Method::POST] {
            service
                .call(method, path, &key, None)
                .await
                .error(404, "not_found");
        }
    }
    let reply = service
        .call(Method::PUT, "/api/v1/sessions", &key, None)
        .await;
    reply.error(404, "not_found");
    let allowed = reply.headers["allow"].to_str().unwrap();
    assert!(
        allowed.contains("GET") && allowed.contains("POST"),
        "{allowed}"
    );
    service
        .get("/api/v1/sessions/x:start", &key)
        .await
        .error(404, "not_found");
}

#[tokio::test]
async fn request_ids_are_honoured_when_they_are_sane() {
    let service = Service::start().await;
    let ask = async |id: &[u8]| {
        let id = http::HeaderValue::from_bytes(id).unwrap();
        let request = Request::builder()
            .uri("/healthz")
            .header("x-request-id", id);
        let reply = service.request(request.body(Body::empty()).unwrap()).await;
        reply.headers["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(ask(b"trace-1/a").await, "trace-1/a");
    assert_eq!(ask(&[b'x'; 128]).await, "x".repeat(128));
    for id in [&b""[..], b"a b", b"\xff", &[b'x'; 129]] {
        assert!(ask(id).await.starts_with("req_"));
    }
    let first = service.get("/nothing", "").await.headers["x-request-id"].clone();
    assert_ne!(
        first,
        service.get("/nothing", "").await.headers["x-request-id"]
    );
}

#[tokio::test]
async fn answers_carry_safe_headers_and_no_open_doors() {
    let service = Service::start().await;
    let reply = service.get("/api/v1/sessions", "").await;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(reply.headers[name], value);
    }
    assert!(reply.headers.contains_key("content-security-policy"));
    let preflight = |origin: &'static str| {
        Request::builder()
            .method(Method::OPTIONS)
            .uri("/api/v1/sessions")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .body(Body::empty())
            .unwrap()
    };
    let reply = service.request(preflight("https://a.example")).await;
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
    let open =
        Service::with(|config| config.cors_origins = vec!["https://a.example/".into()]).await;
    let reply = open.request(preflight("https://a.example")).await;
    assert_eq!(
        reply.headers["access-control-allow-origin"],
        "https://a.example"
    );
    let reply = open.request(preflight("https://b.example")).await;
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
}
