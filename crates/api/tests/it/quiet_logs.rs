//! Lines of the log hold nothing private, whatever is done.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use serde_json::{Value, json};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use wagate_cluster::{CommandReply, Refusal, SessionAction};

use crate::operations::guarded;
use crate::realtime::{connect, frame};
use crate::world::{Headers, World, bearer, cookie};

/// Keeps what is written.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut page = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        page.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes all that our crates tell, and what others warn of, on a page. Libraries' lines are
/// scrubbed besides, where they are written for good.
fn capture() -> Page {
    let page = Page::default();
    let writer = page.clone();
    let ours = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("wagate", LevelFilter::TRACE);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_filter(ours);
    // For every thread: the store has its own.
    let _ = tracing_subscriber::registry().with(lines).try_init();
    page
}

const PASSWORD: &str = "correct horse battery staple";
const WRONG_PASSWORD: &str = "incorrect horse battery staple";
const PHONE: &str = "15557654321";
const TEXT: &str = "meet me at the old mill";
const LABEL: &str = "private label";

/// Everything that was said in confidence.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn note(&mut self, values: impl IntoIterator<Item = impl Into<String>>) {
        let values = values.into_iter().map(Into::into);
        self.0.extend(values.filter(|value| !value.is_empty()));
    }

    /// Notes what an answer shows once.
    fn note_answer(&mut self, answer: &Value) {
        for field in ["key", "link", "ticket", "secret", "code", "url"] {
            let text = answer[field].as_str().unwrap_or_default();
            let secret = text.rsplit_once('=').map_or(text, |(_, secret)| secret);
            self.note([secret]);
        }
    }
}

async fn do_everything(world: &World, secrets: &mut Secrets) {
    let (service, nobody) = (&world.service, Headers::new());
    for place in [&world.own, &world.foreign] {
        let (key, owner) = (bearer(&place.key.0), cookie(&place.owner.secret));
        let session = format!("/api/v1/sessions/{}", place.session);
        let people = format!("/api/auth/organizations/{}", place.organization);
        let message = json!({ "type": "text", "to": PHONE, "text": TEXT });
        let wrong = json!({ "type": "text", "to": TEXT, "text": [PHONE] });
        let invited = json!({ "email": "confidant@private.example" });
        let made = json!({ "name": "private key", "permissions": ["read"] });
        let hook = json!({
            "url": "https://hook.example/?token=hunter2", "secret": "hunter3",
            "customHeaders": { "authorization": "hunter4" },
        });
        let requests: Vec<(Method, String, &Headers, Option<Value>)> = vec![
            (
                Method::PATCH,
                session.clone(),
                &key,
                Some(json!({ "label": LABEL })),
            ),
            (
                Method::POST,
                format!("{session}/messages"),
                &key,
                Some(message.clone()),
            ),
            (
                Method::POST,
                format!("{session}/messages?async=true"),
                &key,
                Some(wrong),
            ),
            (
                Method::POST,
                format!("{session}/messages?text={TEXT}"),
                &nobody,
                None,
            ),
            (
                Method::POST,
                format!("{session}/pairing-code"),
                &key,
                Some(json!({ "phoneNumber": PHONE })),
            ),
            (Method::GET, format!("{session}/qr"), &key, None),
            (
                Method::GET,
                format!("{session}/messages?q=hunter5&sender={PHONE}&type=smoke"),
                &key,
                None,
            ),
            (
                Method::GET,
                format!("{session}/messages?q=hunter5&chat={PHONE}"),
                &key,
                None,
            ),
            (Method::GET, format!("{session}/chats/{PHONE}"), &key, None),
            (Method::POST, format!("{session}:start"), &key, None),
            (Method::POST, "/api/v1/webhooks".into(), &key, Some(hook)),
            (
                Method::POST,
                format!("/api/v1/webhooks/{}:rotate-secret", place.webhook),
                &key,
                None,
            ),
            (
                Method::POST,
                format!("/api/v1/webhooks/{}:test", place.webhook),
                &key,
                None,
            ),
            (
                Method::POST,
                "/api/v1/realtime/ticket".into(),
                &key,
                Some(json!({})),
            ),
            (
                Method::POST,
                format!("{people}/invitations"),
                &owner,
                Some(invited),
            ),
            (
                Method::POST,
                format!("{people}/api-keys"),
                &owner,
                Some(made),
            ),
        ]
        .into_iter()
        .map(|(method, path, headers, body)| (method, path.replace(' ', "%20"), headers, body))
        .collect();
        for (method, path, headers, body) in requests {
            let reply = service.ask(method, &path, headers, body.as_ref()).await;
            if reply.status.is_success() && !reply.bytes.is_empty() {
                secrets.note_answer(&reply.json());
            }
        }
    }
}

async fn sign_in(world: &World, secrets: &mut Secrets) {
    let service = &world.service;
    let nobody = Headers::new();
    let invite = format!(
        "/api/auth/organizations/{}/invitations",
        world.own.organization
    );
    let owner = cookie(&world.own.owner.secret);
    let email = "newcomer@private.example";
    let body = json!({ "email": email });
    let made = service
        .ask(Method::POST, &invite, &owner, Some(&body))
        .await
        .ok(201);
    secrets.note_answer(&made);
    let (_, token) = made["link"].as_str().unwrap().rsplit_once('=').unwrap();
    let accepted = json!({ "token": token, "name": "Newcomer", "password": PASSWORD });
    for (path, body) in [
        ("invitations:preview", json!({ "token": token })),
        ("invitations:accept", accepted),
        (
            "login",
            json!({ "email": email, "password": WRONG_PASSWORD }),
        ),
        ("login", json!({ "email": email, "password": PASSWORD })),
        (
            "sign-up",
            json!({ "email": email, "name": "N", "password": PASSWORD }),
        ),
        ("password-resets", json!({ "email": email })),
        (
            "password-resets:confirm",
            json!({ "token": token, "password": PASSWORD }),
        ),
    ] {
        let path = format!("/api/auth/{path}");
        let reply = service.ask(Method::POST, &path, &nobody, Some(&body)).await;
        for cookie in reply.headers.get_all("set-cookie") {
            let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            secrets.note([pair.split_once('=').unwrap().1]);
        }
    }
}

#[tokio::test]
async fn no_line_holds_what_was_said_in_confidence() {
    let page = capture();
    let world = World::new().await;
    let mut secrets = Secrets::default();
    secrets.note([PASSWORD, WRONG_PASSWORD, PHONE, TEXT, LABEL]);
    secrets.note([
        "@private.example",
        "hunter2",
        "hunter3",
        "hunter4",
        "hunter5",
        "hunter6",
        "own words",
    ]);
    secrets.note([
        "secret orchard words",
        "@people.example",
        "1555000",
        "ABCD-1234",
    ]);
    for place in [&world.own, &world.foreign] {
        secrets.note([place.key.0.clone(), place.owner.secret.clone()]);
        secrets.note([place.admin.secret.clone(), place.member.secret.clone()]);
    }
    let past = &world.past;
    secrets.note([&past.expired_key, &past.revoked_key, &past.orphaned_key]);
    secrets.note([
        &past.expired_cookie,
        &past.ended_cookie,
        &past.banned_cookie,
    ]);
    let gateway = &world.service.gateway;
    gateway.answer(|action| match action {
        SessionAction::RequestPairingCode { .. } => {
            Ok(CommandReply::PairingCode("ABCD-1234".into()))
        }
        SessionAction::Send(_) => Err(Refusal::Rejected {
            code: Some(463),
            message: format!("not to {PHONE}"),
        }),
        _ => Ok(CommandReply::QrPending),
    });
    do_everything(&world, &mut secrets).await;
    sign_in(&world, &mut secrets).await;
    // Whoever is refused shows something too.
    for operation in guarded() {
        for headers in [bearer(&past.revoked_key), cookie(&past.ended_cookie)] {
            let path = operation.within(&world.own);
            operation.ask(&world.service, &path, &headers).await;
        }
    }
    let address = world.service.listen().await;
    let key = bearer(&world.own.key.0);
    let tickets = "/api/v1/realtime/ticket";
    let body = Some(json!({}));
    let made = world
        .service
        .ask(Method::POST, tickets, &key, body.as_ref())
        .await;
    let made = made.ok(200);
    secrets.note_answer(&made);
    let mut socket = connect(address, made["ticket"].as_str().unwrap())
        .await
        .unwrap();
    frame(&mut socket).await;
    drop(world);

    let bytes = page
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let text = String::from_utf8(bytes).unwrap();
    assert!(
        text.contains("a credential was refused"),
        "the lines are heard"
    );
    assert!(secrets.0.len() > 40);
    for line in text.lines() {
        for secret in &secrets.0 {
            assert!(!line.contains(secret.as_str()), "{secret} is in: {line}");
        }
    }
}
