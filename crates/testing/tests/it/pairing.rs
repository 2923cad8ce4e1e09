//! Attaching numbers and letting them go.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::{Api, TestSandbox};

async fn statuses(api: &Api, session: &str) -> Vec<String> {
    let events = api.events_after(None).await;
    events
        .iter()
        .filter(|event| event["event"] == "session.status" && event["session"] == session)
        .map(|event| {
            event["payload"]["status"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| event["event"].as_str())
        .collect()
}

#[tokio::test]
async fn a_number_is_paired_by_qr_code() {
    let sandbox = TestSandbox::start().await;
    let number = sandbox.phones[0].clone();
    let session = sandbox.pair(&number).await;

    let row = session.row().await;
    assert_eq!(row["phoneNumber"], number.as_str());
    assert_eq!(row["waJid"], format!("{number}@s.whatsapp.net"));
    assert!(
        row["waLid"]
            .as_str()
            .is_some_and(|lid| lid.ends_with("@lid")),
        "{row}"
    );
    assert!(row["lastConnectedAt"].is_i64());
    let me = sandbox.api.get(&session.path("/me")).await;
    assert_eq!(
        (me["connected"].clone(), me["phoneNumber"].clone()),
        (json!(true), json!(number))
    );

    let events = sandbox.api.events_after(None).await;
    let kinds = kinds(&events);
    assert!(
        kinds.contains(&"auth.qr") && kinds.contains(&"auth.code"),
        "{kinds:?}"
    );
    let statuses = statuses(&sandbox.api, &session.id).await;
    assert_eq!(statuses.last().map(String::as_str), Some("working"));
    assert!(
        statuses.windows(2).all(|pair| pair[0] != pair[1]),
        "a status is told once: {statuses:?}"
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn a_number_is_paired_by_code() {
    let sandbox = TestSandbox::start().await;
    let number = &sandbox.phones[0];
    let session = sandbox.api.create_session().await;
    let body = json!({"phone": number});
    let answer = sandbox
        .api
        .post(&session.path("/pairing-code"), &body)
        .await
        .expect(200);
    let code = answer["code"].as_str().unwrap();
    assert_eq!((code.len(), &code[4..5]), (9, "-"), "such as ABCD-1234");
    sandbox.simulated.enter_code(number, code).await;
    let row = session.wait_for_status("working").await;
    assert_eq!(row["phoneNumber"], number.as_str());
    sandbox.stop().await;
}

#[tokio::test]
async fn a_paired_session_gives_no_codes() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let qr = sandbox
        .api
        .call(Method::GET, &session.path("/qr"), None)
        .await;
    assert_eq!(qr.expect(409)["error"]["code"], "conflict");
    let body = json!({"phone": sandbox.phones[0]});
    let code = sandbox
        .api
        .post(&session.path("/pairing-code"), &body)
        .await;
    assert_eq!(code.expect(400)["error"]["code"], "validation_error");
    sandbox.stop().await;
}

#[tokio::test]
async fn the_phone_unlinks_and_another_is_paired() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    sandbox.simulated.unlink_last(&sandbox.phones[0]).await;
    let row = session.wait_for_status("logged_out").await;
    assert_eq!(row["statusReason"], "logged_out_by_phone");
    sandbox
        .api
        .call(Method::GET, &session.path("/me"), None)
        .await
        .expect(404);

    sandbox.api.act(&session.path(":start")).await;
    let qr = session.qr().await;
    sandbox.simulated.scan(&sandbox.phones[1], &qr).await;
    let row = session.wait_for_status("working").await;
    assert_eq!(row["phoneNumber"], sandbox.phones[1].as_str());
    sandbox.stop().await;
}

#[tokio::test]
async fn logout_unlinks_the_device_and_can_be_repeated() {
    let sandbox = TestSandbox::start().await;
    let number = sandbox.phones[0].clone();
    let session = sandbox.pair(&number).await;
    sandbox.api.act(&session.path(":logout")).await;
    let row = session.wait_for_status("logged_out").await;
    assert!(
        row.get("statusReason")
            .is_none_or(|reason| reason == "logged_out_by_request"),
        "{row}"
    );
    let repeated = sandbox.api.act(&session.path(":logout")).await;
    assert_eq!(repeated["status"], "logged_out");
    let phone = sandbox
        .simulated
        .call(Method::GET, &format!("/phones/{number}"), None)
        .await;
    let companions: Vec<_> = phone["devices"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|device| device["id"] != 0)
        .collect();
    assert!(companions.is_empty(), "{phone}");
    sandbox.stop().await;
}

#[tokio::test]
async fn stop_keeps_the_pairing_and_survives_a_restart() {
    let mut sandbox = TestSandbox::start().await;
    let stopped = sandbox.pair(&sandbox.phones[0].clone()).await;
    let running = sandbox.pair(&sandbox.phones[1].clone()).await;
    sandbox.api.act(&stopped.path(":stop")).await;
    stopped.wait_for_status("stopped").await;
    sandbox.api.act(&stopped.path(":stop")).await;

    sandbox = sandbox.restart().await;
    let (stopped, running) = (
        sandbox.api.session(&stopped.id),
        sandbox.api.session(&running.id),
    );
    running.wait_for_status("working").await;
    assert_eq!(
        stopped.row().await["status"],
        "stopped",
        "what was stopped stays so"
    );
    sandbox.api.act(&stopped.path(":start")).await;
    stopped.wait_for_status("working").await;
    let restarted = sandbox.api.act(&stopped.path(":restart")).await;
    assert_eq!(restarted["id"], stopped.id.as_str());
    stopped.wait_for_status("working").await;
    sandbox.stop().await;
}

#[tokio::test]
async fn the_qr_code_comes_as_a_picture_too() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.api.create_session().await;
    session.qr().await;
    for (accept, beginning) in [("image/png", &b"\x89PNG"[..]), ("image/svg+xml", &b"<"[..])] {
        let headers = [("Accept", accept)];
        let answer = sandbox
            .api
            .try_call(Method::GET, &session.path("/qr"), None, &headers)
            .await
            .unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], accept);
        assert!(answer.body.starts_with(beginning), "{accept}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_deleted_session_is_gone_with_its_data() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    session
        .send_text(&sandbox.phones[1], "before the end")
        .await;
    let answer = sandbox
        .api
        .call(Method::DELETE, &session.path(""), None)
        .await;
    assert_eq!(answer.status, 204);
    sandbox
        .api
        .call(Method::DELETE, &session.path(""), None)
        .await
        .expect(404);
    sandbox
        .api
        .call(Method::GET, &session.path("/chats"), None)
        .await
        .expect(404);
    sandbox.stop().await;
}
