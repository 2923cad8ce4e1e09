//! Sessions, with a gateway that answers as told.

use axum::body::Body;
use http::{Method, Request};
use serde_json::json;
use wagate_cluster::{CommandReply, Refusal, SessionAction};
use wagate_model::{Qr, SessionId, SessionStatus, StatusDetail, StatusReason};
use wagate_store::{Account, Lane, StoreError};

use crate::harness::{Reply, Service, Tenant, refuse, report};

/// Attaches a number and makes the session live, as its owner does.
pub(crate) async fn pair(service: &Service, session: SessionId) {
    let fence = service.store.claim(session).await;
    service
        .store
        .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
            Box::pin(async move {
                let mut owned = tx.owned(&fence).await?;
                let account = Account {
                    jid: "15551234567@s.whatsapp.net".into(),
                    lid: Some("205227043110953@lid".into()),
                    phone_number: Some("15551234567".into()),
                    push_name: None,
                };
                owned.set_account(Some(&account), 1).await?;
                owned
                    .set_status(SessionStatus::Working, None, None, 1)
                    .await?;
                Ok(())
            })
        })
        .await
        .unwrap();
}

async fn fresh() -> (Service, Tenant, SessionId, String) {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let path = format!("/api/v1/sessions/{session}");
    (service, tenant, session, path)
}

#[tokio::test]
async fn a_session_is_made_read_changed_and_deleted() {
    let service = Service::start().await;
    let key = service.tenant().await.key;
    let made = service
        .post("/api/v1/sessions", &key, json!({ "label": "A" }))
        .await
        .ok(201);
    assert_eq!(made["status"], "stopped");
    assert_eq!(made["gatewayId"], "gw-1");
    assert_eq!(
        (&made["ratePerMin"], &made["ratePerHour"]),
        (&json!(20), &json!(200))
    );
    assert_eq!(
        (&made["autoRead"], &made["presenceTyping"]),
        (&json!(true), &json!(false))
    );
    assert!(made.get("createdByUserId").is_none() && made.get("waJid").is_none());
    assert!(service.gateway.asked().is_empty());
    let id = made["id"].as_str().unwrap();
    let path = format!("/api/v1/sessions/sess_{id}");
    assert_eq!(service.get(&path, &key).await.ok(200), made);
    let change = json!({ "ratePerMin": 0, "label": "B" });
    let changed = service
        .call(Method::PATCH, &path, &key, Some(change))
        .await
        .ok(200);
    assert_eq!(
        (&changed["label"], &changed["ratePerMin"]),
        (&json!("B"), &json!(0))
    );
    assert_eq!(changed["ratePerHour"], 200);
    let change = json!({ "ratePerMin": -2 });
    let refused = service.call(Method::PATCH, &path, &key, Some(change)).await;
    assert_eq!(refused.faults(), ["ratePerMin"]);
    let listed = service.get("/api/v1/sessions", &key).await.ok(200);
    assert_eq!(listed["data"], json!([changed]));
    assert!(listed.get("nextCursor").is_none());
    let deleted = service.call(Method::DELETE, &path, &key, None).await;
    assert_eq!((deleted.status.as_u16(), deleted.bytes.len()), (204, 0));
    assert_eq!(service.gateway.asked(), ["apply_settings", "delete"]);
    service
        .call(Method::DELETE, &path, &key, None)
        .await
        .error(404, "not_found");
}

#[tokio::test]
async fn starting_at_once_asks_the_gateway_and_survives_its_refusal() {
    let service = Service::start().await;
    let key = service.tenant().await.key;
    let made = service
        .post("/api/v1/sessions", &key, json!({ "start": true }))
        .await
        .ok(201);
    assert_eq!(made["status"], "starting");
    assert_eq!(service.gateway.asked(), ["start"]);
    service.gateway.answer(refuse(Refusal::Unavailable));
    service
        .post("/api/v1/sessions", &key, json!({ "start": true }))
        .await
        .ok(201);
}

#[tokio::test]
async fn without_a_gateway_there_is_no_place() {
    let service = Service::start().await;
    let key = service.tenant().await.key;
    report(&service.store, "gw-1", true).await;
    let reply = service.post("/api/v1/sessions", &key, json!({})).await;
    reply.error(503, "gateway_unavailable");
    assert!(reply.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn actions_reach_the_owner() {
    let (service, tenant, session, path) = fresh().await;
    for verb in ["start", "stop", "restart", "logout"] {
        let reply = service
            .call(Method::POST, &format!("{path}:{verb}"), &tenant.key, None)
            .await;
        assert_eq!(reply.ok(200)["id"], session.to_string());
        let command = service.gateway.last();
        assert_eq!(command.session_id, session);
        assert_eq!(command.organization_id, tenant.organization);
        assert_eq!(service.gateway.asked(), [verb]);
    }
}

#[tokio::test]
async fn refusals_become_the_errors_of_the_contract() {
    let (service, tenant, _, path) = fresh().await;
    let start = format!("{path}:start");
    let ask = async |refusal| -> Reply {
        service.gateway.answer(refuse(refusal));
        service.call(Method::POST, &start, &tenant.key, None).await
    };
    ask(Refusal::NotFound).await.error(404, "not_found");
    let status = SessionStatus::LoggedOut;
    let not_connected = |status, reason, detail| Refusal::NotConnected {
        status,
        reason,
        detail,
    };
    let error = ask(not_connected(status, None, None))
        .await
        .error(409, "conflict");
    assert_eq!(
        error["details"],
        json!({ "reason": "session_not_connected", "status": "logged_out" })
    );
    let ban = StatusDetail {
        whatsapp_code: Some(106),
        expires_at: Some(1_000),
    };
    let banned = Some(StatusReason::TemporarilyBanned);
    let error = ask(not_connected(SessionStatus::Failed, banned, Some(ban)))
        .await
        .error(409, "conflict");
    assert_eq!(
        error["details"],
        json!({
            "reason": "session_not_connected",
            "status": "failed",
            "statusReason": "temporarily_banned",
            "statusDetail": { "whatsappCode": 106, "expiresAt": 1_000 },
        })
    );
    let reply = ask(Refusal::RateLimited {
        retry_after_seconds: 7,
    })
    .await;
    assert_eq!(
        reply.error(429, "rate_limited")["details"]["retryAfterSeconds"],
        7
    );
    assert_eq!(reply.headers["retry-after"], "7");
    for refusal in [Refusal::Busy, Refusal::Unavailable, Refusal::NotOwner] {
        ask(refusal).await.error(503, "gateway_unavailable");
    }
    let error = ask(Refusal::Internal).await.error(500, "internal");
    assert!(error.get("details").is_none());
}

#[tokio::test]
async fn a_gateway_that_lost_the_session_is_asked_once_more() {
    let (service, tenant, _, path) = fresh().await;
    let mut first = true;
    service.gateway.answer(move |_| {
        if std::mem::take(&mut first) {
            return Err(Refusal::NotOwner);
        }
        Ok(CommandReply::Done)
    });
    service
        .call(Method::POST, &format!("{path}:restart"), &tenant.key, None)
        .await
        .ok(200);
    assert_eq!(service.gateway.asked(), ["restart", "restart"]);
}

#[tokio::test]
async fn me_needs_a_phone() {
    let (service, tenant, session, path) = fresh().await;
    let me = format!("{path}/me");
    service.get(&me, &tenant.key).await.error(404, "not_found");
    pair(&service, session).await;
    assert_eq!(
        service.get(&me, &tenant.key).await.ok(200),
        json!({
            "sessionId": session.to_string(), "connected": true, "status": "working",
            "phoneNumber": "15551234567", "waJid": "15551234567@s.whatsapp.net",
            "waLid": "205227043110953@lid"
        })
    );
}

#[tokio::test]
async fn a_qr_code_comes_in_three_forms() {
    let (service, tenant, session, path) = fresh().await;
    let qr = format!("{path}/qr");
    service.gateway.answer(|_| Ok(CommandReply::QrPending));
    service.get(&qr, &tenant.key).await.error(404, "not_found");
    service.gateway.answer(|_| {
        Ok(CommandReply::Qr(Qr {
            code: "2@abc,def".into(),
            expires_at: Some(9),
        }))
    });
    assert_eq!(
        service.get(&qr, &tenant.key).await.ok(200),
        json!({ "code": "2@abc,def", "expiresAt": 9 })
    );
    for (accept, start) in [("image/png", &b"\x89PNG"[..]), ("image/svg+xml", b"<?xml")] {
        let request = Request::builder().uri(&qr).header("x-api-key", &tenant.key);
        let request = request
            .header("accept", accept)
            .body(Body::empty())
            .unwrap();
        let reply = service.request(request).await;
        assert_eq!(reply.headers["content-type"], accept);
        assert_eq!(reply.headers["vary"], "accept");
        assert!(reply.bytes.starts_with(start));
    }
    pair(&service, session).await;
    service.gateway.asked();
    let error = service.get(&qr, &tenant.key).await.error(409, "conflict");
    assert_eq!(error["details"]["reason"], "already_paired");
    assert!(service.gateway.asked().is_empty());
}

#[tokio::test]
async fn a_pairing_code_is_for_digits_and_unpaired_sessions() {
    let (service, tenant, session, path) = fresh().await;
    let path = format!("{path}/pairing-code");
    let ask = async |body| service.post(&path, &tenant.key, body).await;
    for body in [
        json!({}),
        json!({ "phone": "+15551234567" }),
        json!({ "phone": "1 555" }),
        json!({ "phone": "" }),
    ] {
        assert_eq!(ask(body).await.faults(), ["phone"]);
    }
    service.gateway.answer(|action| match action {
        SessionAction::RequestPairingCode { phone } if phone == "15551234567" => {
            Ok(CommandReply::PairingCode("ABCD-1234".into()))
        }
        _ => Err(Refusal::Internal),
    });
    let body = json!({ "phone": "15551234567" });
    assert_eq!(
        ask(body.clone()).await.ok(200),
        json!({ "code": "ABCD-1234" })
    );
    service.gateway.answer(refuse(Refusal::AlreadyPaired));
    assert_eq!(ask(body.clone()).await.faults(), ["session"]);
    pair(&service, session).await;
    assert_eq!(ask(body).await.faults(), ["session"]);
}

#[tokio::test]
async fn stopping_without_a_gateway_notes_it_unless_somebody_owns_the_session() {
    let (service, tenant, session, path) = fresh().await;
    let stop = format!("{path}:stop");
    service.gateway.answer(refuse(Refusal::Unavailable));
    let stopped = service.call(Method::POST, &stop, &tenant.key, None).await;
    assert_eq!(stopped.ok(200)["status"], "stopped");
    pair(&service, session).await;
    let owned = service.call(Method::POST, &stop, &tenant.key, None).await;
    owned.error(503, "gateway_unavailable");
    let shown = service.get(&path, &tenant.key).await.ok(200);
    assert_eq!(shown["status"], "working");
}

#[tokio::test]
async fn an_unlinked_session_stays_so_when_it_is_stopped() {
    let (service, tenant, session, path) = fresh().await;
    let organization = tenant.organization;
    service
        .store
        .write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move {
                let status = SessionStatus::LoggedOut;
                tx.set_unowned_status(organization, session, status, 1)
                    .await
            })
        })
        .await
        .unwrap();
    service.gateway.answer(refuse(Refusal::Unavailable));
    let stop = format!("{path}:stop");
    let stopped = service.call(Method::POST, &stop, &tenant.key, None).await;
    assert_eq!(stopped.ok(200)["status"], "logged_out");
}
