//! Files, out and in: pictures, films, sound, documents, stickers and albums.

use axum::Router;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wagate_testing::{PhoneMessage, Realtime, Session, TestSandbox};

/// A picture of one pixel.
pub(crate) const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAA\
AABJRU5ErkJggg==";

/// A second of a tone, 16 bits, mono, 8 kHz.
pub(crate) fn wav() -> Vec<u8> {
    let rate = 8_000_u32;
    let samples: Vec<u8> = (0..rate)
        .flat_map(|n| (((n % 40) as i16 - 20) * 800).to_le_bytes())
        .collect();
    let length = u32::try_from(samples.len()).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + length).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    for half in [1_u16, 1] {
        file.extend(half.to_le_bytes());
    }
    file.extend(rate.to_le_bytes());
    file.extend((rate * 2).to_le_bytes());
    for half in [2_u16, 16] {
        file.extend(half.to_le_bytes());
    }
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(samples);
    file
}

/// A box of an MP4 file (ISO/IEC 14496-12).
fn mp4_box(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(8 + content.len()).unwrap();
    [&length.to_be_bytes()[..], &name, content].concat()
}

/// A film of 3 seconds and 64 × 48 pixels, as far as its boxes say.
pub(crate) fn mp4() -> Vec<u8> {
    let words = |words: &[u32]| -> Vec<u8> {
        let bytes = words.iter().flat_map(|word| word.to_be_bytes());
        bytes.collect()
    };
    let mvhd = mp4_box(
        *b"mvhd",
        &[words(&[0, 0, 0, 1_000, 3_000]), vec![0; 80]].concat(),
    );
    let matrix = words(&[0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000]);
    let size = words(&[64 << 16, 48 << 16]);
    let head = [words(&[0, 0, 0, 1, 0, 3_000]), vec![0; 16]].concat();
    let tkhd = mp4_box(*b"tkhd", &[head, matrix, size].concat());
    let hdlr = [words(&[0, 0]), b"vide".to_vec(), vec![0; 13]].concat();
    let mdia = mp4_box(*b"mdia", &mp4_box(*b"hdlr", &hdlr));
    let moov = mp4_box(
        *b"moov",
        &[mvhd, mp4_box(*b"trak", &[tkhd, mdia].concat())].concat(),
    );
    [mp4_box(*b"ftyp", b"isom\0\0\0\0isom"), moov].concat()
}

async fn send(sandbox: &TestSandbox, session: &Session, body: Value) -> String {
    let answer = sandbox.api.post(&session.path("/messages"), &body).await;
    let result = answer.expect(200);
    assert_eq!(result["status"], "sent", "{result}");
    result["waMessageId"].as_str().unwrap().to_owned()
}

async fn told(socket: &mut Realtime, id: &str) -> Value {
    let event = socket
        .wait_for(|frame| {
            frame["event"] == "message.from_me" && frame["payload"]["waMessageId"] == id
        })
        .await;
    event["payload"].clone()
}

/// The file of a message as everybody gets it who asks for it.
async fn fetched(sandbox: &TestSandbox, payload: &Value) -> (Value, Vec<u8>) {
    let id = payload["media"]["id"].as_str().unwrap();
    let file = sandbox.api.get(&format!("/api/v1/media/{id}")).await;
    let path = format!("/api/v1/media/{id}/content");
    let answer = sandbox.api.call(Method::GET, &path, None).await;
    assert_eq!(answer.status, StatusCode::OK);
    (file, answer.body.to_vec())
}

#[tokio::test]
async fn each_kind_of_file_goes_out_and_can_be_had_again() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox.api.realtime(&json!({})).await;
    let (wav, mp4) = (wav(), mp4());
    let text = b"%PDF-1.4 not much of it";
    for (kind, media, mimetype, unchanged) in [
        (
            "image",
            json!({"data": PNG, "caption": "a dot"}),
            "image/jpeg",
            None,
        ),
        (
            "video",
            json!({"data": STANDARD.encode(&mp4), "gifPlayback": true}),
            "video/mp4",
            Some(mp4.as_slice()),
        ),
        (
            "audio",
            json!({"data": STANDARD.encode(&wav)}),
            "audio/wav",
            Some(&wav),
        ),
        (
            "audio",
            json!({"data": STANDARD.encode(&wav), "voice": true}),
            "audio/ogg; codecs=opus",
            None,
        ),
        (
            "document",
            json!({"data": format!("data:application/pdf;base64,{}", STANDARD.encode(text)),
                "filename": "offer.pdf", "caption": "as agreed"}),
            "application/pdf",
            Some(text),
        ),
        (
            "sticker",
            json!({"data": format!("data:image/png;base64,{PNG}")}),
            "image/webp",
            None,
        ),
    ] {
        let caption = media["caption"].clone();
        let body = json!({"type": kind, "to": bob, "media": media});
        let id = send(&sandbox, &session, body).await;
        // Once the phone has fetched and decrypted it.
        let is_there = |m: &PhoneMessage| m.id() == id && m.0["media"]["state"] == "ready";
        let got = sandbox.simulated.wait_for(bob, is_there).await;
        assert_eq!(got.0["type"], kind);
        let payload = told(&mut socket, &id).await;
        assert_eq!(payload["type"], kind);
        assert_eq!(payload["media"]["mimetype"], mimetype, "{payload}");
        if caption.is_string() {
            assert_eq!(payload["body"], caption);
        }
        let (file, bytes) = fetched(&sandbox, &payload).await;
        assert_eq!(file["size"], bytes.len());
        assert_eq!(file["mimetype"], mimetype);
        // The phone has decrypted the same.
        assert_eq!(got.0["media"]["sha256"], file["sha256"], "{got:?}");
        assert_eq!(got.0["media"]["size"], bytes.len());
        if let Some(unchanged) = unchanged {
            assert_eq!(bytes, unchanged, "{kind}");
        }
        match kind {
            "video" => assert_eq!((&file["width"], &file["seconds"]), (&json!(64), &json!(3))),
            "audio" => assert_eq!(file["seconds"], 1),
            "image" => assert_eq!(file["width"], 1),
            _ => {}
        }
        assert_eq!(file["isVoice"], mimetype.ends_with("opus"));
    }
    let stored = session.messages(bob).await;
    assert!(stored.iter().all(|message| message["hasMedia"] == true));
    let names = stored
        .iter()
        .filter(|m| m["media"]["filename"] == "offer.pdf");
    assert_eq!(names.count(), 1);
    sandbox.stop().await;
}

#[tokio::test]
async fn files_of_phones_come_in() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox.api.realtime(&json!({})).await;
    let path = format!("/phones/{bob}/messages");
    let words = b"the offer, in plain words";
    for (kind, bytes) in [
        ("image", STANDARD.decode(PNG).unwrap()),
        ("document", words.to_vec()),
        ("audio", wav()),
    ] {
        let body = json!({"to": alice, "type": kind, "media": {
            "data": STANDARD.encode(&bytes), "filename": "offer.bin"
        }});
        let sent = sandbox
            .simulated
            .call(Method::POST, &path, Some(&body))
            .await;
        let event = socket
            .wait_for(|frame| {
                frame["event"] == "message" && frame["payload"]["waMessageId"] == sent["id"]
            })
            .await;
        let payload = event["payload"].clone();
        assert_eq!(
            (&payload["type"], &payload["hasMedia"]),
            (&json!(kind), &json!(true))
        );
        let (file, content) = fetched(&sandbox, &payload).await;
        assert_eq!(content, bytes, "{kind}");
        assert_eq!(file["size"], bytes.len());
        // What came in goes on with its content.
        let forward = session.path(&format!(
            "/messages/{}/forward",
            sent["id"].as_str().unwrap()
        ));
        let body = json!({"chat": bob, "to": bob});
        let forwarded = sandbox.api.post(&forward, &body).await.expect(200);
        let id = forwarded["waMessageId"].as_str().unwrap();
        let got = sandbox.simulated.wait_for(bob, |m| m.id() == id).await;
        assert_eq!(got.0["media"]["size"], bytes.len(), "{got:?}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn an_album_is_one_message_and_its_files() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let film = STANDARD.encode(mp4());
    let body = json!({"type": "album", "to": bob, "caption": "two", "medias": [
        {"data": PNG}, {"type": "video", "data": film}
    ]});
    let key = [("Idempotency-Key", "album-1")];
    let path = session.path("/messages");
    let first = sandbox
        .api
        .try_call(Method::POST, &path, Some(&body), &key)
        .await
        .unwrap()
        .expect(200);
    // Repeated, it sends nothing, and needs no files.
    let again = sandbox
        .api
        .try_call(Method::POST, &path, Some(&body), &key)
        .await
        .unwrap()
        .expect(200);
    assert_eq!(again["replayed"], true);
    assert_eq!(again["waMessageId"], first["waMessageId"]);
    // In the order in which they were given.
    for kind in ["image", "video"] {
        sandbox
            .simulated
            .wait_for(bob, |m| m.0["type"] == kind)
            .await;
    }
    let stored = session.messages(bob).await;
    let kinds: Vec<_> = stored.iter().rev().map(|m| m["type"].clone()).collect();
    assert_eq!(kinds, ["system", "image", "video"]);
    assert_eq!(stored[1]["body"], "two");
    assert!(stored.iter().all(|message| message["status"] != "failed"));
    sandbox.stop().await;
}

/// Serves files and traps on loopback.
async fn file_server() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let png = STANDARD.decode(PNG).unwrap();
    let router = Router::new()
        .route(
            "/dot.png",
            get(move || async move { ([(CONTENT_TYPE, "image/png")], png) }),
        )
        .route(
            "/away",
            get(|| async { (StatusCode::FOUND, [(LOCATION, "http://169.254.169.254/")]) }),
        )
        .route(
            "/moved",
            get(|| async { (StatusCode::MOVED_PERMANENTLY, [(LOCATION, "/dot.png")]) }),
        )
        .route(
            "/round",
            get(|| async { (StatusCode::FOUND, [(LOCATION, "/round")]) }),
        )
        .route("/gone", get(|| async { StatusCode::GONE }))
        .route(
            "/endless",
            get(|| async {
                let piece =
                    Ok::<_, std::convert::Infallible>(bytes::Bytes::from_static(&[0; 8_192]));
                let pieces = futures::stream::repeat_with(move || piece.clone());
                axum::body::Body::from_stream(pieces)
            }),
        );
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test]
async fn files_are_fetched_from_where_it_is_allowed() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let server = file_server().await;
    for url in [format!("{server}/dot.png"), format!("{server}/moved")] {
        let body = json!({"type": "image", "to": bob, "media": {"url": url}});
        let id = send(&sandbox, &session, body).await;
        sandbox.simulated.wait_for(bob, |m| m.id() == id).await;
    }
    for url in [
        format!("{server}/away"),
        format!("{server}/round"),
        format!("{server}/gone"),
        format!("{server}/endless"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://10.0.0.1/x.png".to_owned(),
        "file:///etc/passwd".to_owned(),
        "nonsense".to_owned(),
    ] {
        let body = json!({"type": "document", "to": bob, "media": {"url": url}});
        let answer = sandbox.api.post(&session.path("/messages"), &body).await;
        let refused = answer.expect(400);
        let faults = &refused["error"]["details"]["errors"];
        assert_eq!(faults[0]["field"], "media.url", "{refused}");
        let text = refused.to_string();
        assert!(!text.contains("169.254"), "addresses are not told: {text}");
    }
    assert_eq!(session.messages(bob).await.len(), 2);
    sandbox.stop().await;
}

#[tokio::test]
async fn what_is_no_file_of_the_kind_is_refused_before_anything_is_sent() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let text = STANDARD.encode("just words");
    let broken = STANDARD.encode(&STANDARD.decode(PNG).unwrap()[..40]);
    let large = STANDARD.encode(vec![7; (16 << 20) + 1]);
    let dot = json!({"data": PNG});
    for (kind, media, field) in [
        ("image", json!({"data": text}), "media.data"),
        ("image", json!({"data": broken}), "media.data"),
        ("image", json!({"data": ""}), "media.data"),
        ("image", json!({"data": "?"}), "media.data"),
        (
            "image",
            json!({"data": PNG, "url": "https://e.example/"}),
            "media.url",
        ),
        ("video", json!({"data": PNG}), "media.data"),
        ("audio", json!({"data": PNG, "voice": true}), "media.data"),
        ("sticker", json!({"data": text}), "media.data"),
        ("document", json!({"data": large}), "media.data"),
        ("image", json!({"data": PNG, "voice": true}), "media.voice"),
        ("image", Value::Null, "media"),
        ("album", dot, "medias"),
    ] {
        let body = json!({"type": kind, "to": bob, "media": media});
        let answer = sandbox.api.post(&session.path("/messages"), &body).await;
        let refused = answer.expect(400);
        let faults = &refused["error"]["details"]["errors"];
        assert_eq!(faults[0]["field"], field, "{kind}: {refused}");
    }
    let mixed = json!({"type": "album", "to": bob, "medias": [{"data": PNG}, {"data": text}]});
    let answer = sandbox.api.post(&session.path("/messages"), &mixed).await;
    let refused = answer.expect(400);
    let faults = &refused["error"]["details"]["errors"];
    assert_eq!(faults[0]["field"], "medias[1].data");
    // Not even a chat has begun.
    let path = session.path(&format!("/chats/{bob}"));
    let chat = sandbox.api.call(Method::GET, &path, None).await;
    chat.expect(404);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_file_survives_refused_uploads() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let fault = json!({"kind": "refuse_upload", "count": 1});
    sandbox.simulated.fault(&fault).await;
    let text = b"kept until it is there";
    let body = json!({"type": "document", "to": bob, "media": {"data": STANDARD.encode(text)}});
    let path = session.path("/messages?async=true");
    let queued = sandbox.api.post(&path, &body).await.expect(202);
    assert_eq!(queued["status"], "pending");
    let got = sandbox
        .simulated
        .wait_for(bob, |m| m.0["type"] == "document")
        .await;
    assert_eq!(got.0["duplicates"], 0);
    sandbox.stop().await;
}
