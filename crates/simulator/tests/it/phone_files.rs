//! Files that phones send and receive, with the real client library linked to them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use wacore::download::Downloadable;
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::Event;
use wagate_simulator::Simulator;
use wagate_simulator::faults::{FaultKind, FaultSpec};
use wagate_simulator::phone::{
    Content, FileContent, FileKind, MediaState, MessageQuery, Phone, PhoneError, SendRequest,
    StoredMessage,
};
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;
use whatsapp_rust::download::MediaType;
use whatsapp_rust::features::{MediaRetryResult, MediaReuploadRequest};
use whatsapp_rust::upload::UploadOptions;

use crate::support_engine::{Engine, simulator, two_phones};

const WAIT: Duration = Duration::from_secs(30);

async fn linked(simulator: &Simulator, phone: &Phone) -> Engine {
    Engine::linked(simulator, &Arc::new(InMemoryBackend::new()), phone).await
}

fn request(to: &Phone, content: Content) -> SendRequest {
    SendRequest {
        content,
        ..SendRequest::text(to.number(), "")
    }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7).to_le_bytes()[0]).collect()
}

/// The message, once the phone has come so far with its file.
async fn with_file(phone: &Phone, id: &str, state: MediaState) -> StoredMessage {
    let is_wanted = |message: &StoredMessage| {
        message.id == id
            && message
                .media
                .as_ref()
                .is_some_and(|media| media.state == state)
    };
    let found = phone.wait_for_message(WAIT, is_wanted).await;
    found.unwrap_or_else(|| panic!("{:?}", phone.message(id)))
}

/// The message with this id.
async fn heard(engine: &mut Engine, id: &str) -> wa::Message {
    heard_all(engine, &[id]).await.remove(0)
}

/// The messages with these ids, which may come together.
async fn heard_all(engine: &mut Engine, ids: &[&str]) -> Vec<wa::Message> {
    let mut found = HashMap::new();
    while found.len() < ids.len() {
        let batch = engine.wait_for("message", |event: &Event| {
            let messages = event.messages();
            let batch: Vec<_> = messages
                .map(|message| (message.info.id.clone(), (*message.message).clone()))
                .filter(|(id, _)| ids.contains(&&**id))
                .collect();
            (!batch.is_empty()).then_some(batch)
        });
        found.extend(batch.await);
    }
    ids.iter().map(|id| found[*id].clone()).collect()
}

async fn downloaded(engine: &Engine, file: &dyn Downloadable) -> anyhow::Result<Vec<u8>> {
    engine.client.download(file).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phone_sends_clients_and_phones_can_open() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let mut engine = linked(&simulator, &bob).await;
    let image = bytes(70_000);
    let mut file = FileContent::new(FileKind::Image, image.clone());
    file.caption = Some("a picture".to_owned());
    let sent = alice
        .send(request(&bob, Content::File(file)))
        .await
        .unwrap();
    let message = heard(&mut engine, &sent.id).await;
    let received = message.image_message.as_option().unwrap();
    assert_eq!(received.mimetype.as_deref(), Some("image/jpeg"));
    assert_eq!(received.caption.as_deref(), Some("a picture"));
    assert_eq!(received.file_length, Some(70_000));
    assert!(downloaded(&engine, received).await.unwrap() == image);

    let stored = with_file(&bob, &sent.id, MediaState::Ready).await;
    assert_eq!((&*stored.kind, &*stored.body), ("image", "a picture"));
    let media = stored.media.unwrap();
    let hash = <sha2::Sha256 as sha2::Digest>::digest(&image);
    assert_eq!((media.size, media.sha256), (70_000, hex::encode(hash)));
    assert_eq!(media.caption.as_deref(), Some("a picture"));
    assert!(!media.has_thumbnail);
    for phone in [&alice, &bob] {
        let file = phone.file(&sent.id).await.unwrap();
        assert_eq!(file.mime_type, "image/jpeg");
        assert!(file.bytes == image);
    }
    with_file(&alice, &sent.id, MediaState::Ready).await;
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_file_arrives_as_what_it_is() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let mut engine = linked(&simulator, &bob).await;
    let plain = |kind| FileContent::new(kind, bytes(300));
    let mut note = plain(FileKind::Audio);
    note.is_voice = true;
    let mut document = plain(FileKind::Document);
    document.file_name = Some("a.csv".to_owned());
    document.mime_type = Some("text/csv".to_owned());
    document.caption = Some("figures".to_owned());
    let files = [
        plain(FileKind::Video),
        note,
        document,
        plain(FileKind::Sticker),
    ];
    for file in files {
        let sent = alice.send(request(&bob, Content::File(file.clone()))).await;
        let id = sent.unwrap().id;
        let message = heard(&mut engine, &id).await;
        let document = message
            .document_with_caption_message
            .as_option()
            .and_then(|wrapper| wrapper.message.as_option())
            .and_then(|message| message.document_message.as_option());
        let found: &dyn Downloadable = match file.kind {
            FileKind::Video => message.video_message.as_option().unwrap(),
            FileKind::Audio => message.audio_message.as_option().unwrap(),
            FileKind::Sticker => message.sticker_message.as_option().unwrap(),
            _ => document.unwrap(),
        };
        assert!(downloaded(&engine, found).await.unwrap() == bytes(300));
        let media = with_file(&bob, &id, MediaState::Ready).await.media.unwrap();
        assert_eq!(media.is_voice, file.kind == FileKind::Audio);
        assert_eq!(media.file_name, file.file_name);
        assert_eq!(media.caption, file.caption);
        let usual = match file.kind {
            FileKind::Video => "video/mp4",
            FileKind::Audio => "audio/ogg; codecs=opus",
            FileKind::Sticker => "image/webp",
            _ => "text/csv",
        };
        assert_eq!(media.mime_type, usual);
    }
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_sends_phones_can_open() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let engine = linked(&simulator, &alice).await;
    let plain = bytes(5_000);
    let uploaded = engine
        .client
        .upload(plain.clone(), MediaType::Audio, UploadOptions::new())
        .await
        .unwrap();
    let audio = wa::message::AudioMessage {
        url: Some(uploaded.url.clone()),
        direct_path: Some(uploaded.direct_path.clone()),
        media_key: Some(uploaded.media_key.to_vec()),
        file_sha256: Some(uploaded.file_sha256.to_vec()),
        file_enc_sha256: Some(uploaded.file_enc_sha256.to_vec()),
        file_length: Some(uploaded.file_length),
        mimetype: Some("audio/ogg; codecs=opus".to_owned()),
        seconds: Some(3),
        ptt: Some(true),
        waveform: Some(vec![9; 64]),
        ..Default::default()
    };
    let other = wa::message::AudioMessage {
        // As if somebody had written another file's hash.
        file_sha256: Some(vec![1; 32]),
        ..audio.clone()
    };
    let send = |audio| {
        let message = wa::Message {
            audio_message: MessageField::some(audio),
            ..Default::default()
        };
        engine.client.send_message(bob.jid().clone(), message)
    };
    let id = send(audio).await.unwrap().message_id;
    for phone in [&alice, &bob] {
        let media = with_file(phone, &id, MediaState::Ready)
            .await
            .media
            .unwrap();
        assert!(media.is_voice && media.has_waveform);
        assert_eq!(media.duration_seconds, Some(3));
        assert!(phone.file(&id).await.unwrap().bytes == plain);
    }
    let id = send(other).await.unwrap().message_id;
    with_file(&bob, &id, MediaState::Broken).await;
    assert!(matches!(bob.file(&id).await, Err(PhoneError::Conflict(_))));
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_album_is_announced_and_its_files_name_it() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let mut engine = linked(&simulator, &bob).await;
    let items = vec![
        FileContent::new(FileKind::Image, bytes(100)),
        FileContent::new(FileKind::Video, bytes(200)),
        FileContent::new(FileKind::Image, bytes(300)),
    ];
    let album = Content::Album {
        items,
        caption: Some("holidays".to_owned()),
    };
    let sent = alice.send(request(&bob, album)).await.unwrap();
    assert_eq!(sent.items.len(), 3);
    let ids: Vec<&str> = [&sent.id]
        .into_iter()
        .chain(&sent.items)
        .map(|id| &**id)
        .collect();
    let messages = heard_all(&mut engine, &ids).await;
    let announced = messages[0].album_message.as_option().unwrap();
    assert_eq!(announced.expected_image_count, Some(2));
    assert_eq!(announced.expected_video_count, Some(1));
    for (place, (id, message)) in sent.items.iter().zip(&messages[1..]).enumerate() {
        let context = message.message_context_info.as_option().unwrap();
        let association = context.message_association.as_option().unwrap();
        let parent = association.parent_message_key.as_option().unwrap();
        assert_eq!(parent.id.as_ref(), Some(&sent.id));
        let media = with_file(&bob, id, MediaState::Ready).await.media.unwrap();
        assert_eq!(media.size, 100 * (place as u64 + 1));
        let caption = (place == 0).then(|| "holidays".to_owned());
        assert_eq!(media.caption, caption);
    }
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_uploads_again_what_is_gone() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let mut engine = linked(&simulator, &bob).await;
    let file = FileContent::new(FileKind::Image, bytes(4_000));
    let sent = alice
        .send(request(&bob, Content::File(file)))
        .await
        .unwrap();
    let message = heard(&mut engine, &sent.id).await;
    let image = message.image_message.as_option().unwrap();
    with_file(&bob, &sent.id, MediaState::Ready).await;
    simulator.server().expire_media(None).unwrap();
    assert!(downloaded(&engine, image).await.is_err());
    assert!(matches!(bob.file(&sent.id).await, Err(PhoneError::Gone(_))));

    let media_key = image.media_key.clone().unwrap();
    let chat_jid = alice.lid().clone();
    let ask = |msg_id: &'static str, media_key: Vec<u8>| {
        let client = engine.client.clone();
        let (chat_jid, id) = (chat_jid.clone(), sent.id.clone());
        async move {
            let request = MediaReuploadRequest {
                msg_id: if msg_id.is_empty() { &id } else { msg_id },
                chat_jid: &chat_jid,
                media_key: &media_key,
                is_from_me: false,
                participant: None,
            };
            client.media_reupload().request(&request).await.unwrap()
        }
    };
    let unknown = ask("3EB0", media_key.clone()).await;
    assert!(matches!(unknown, MediaRetryResult::NotFound), "{unknown:?}");
    let unreadable = ask("", vec![5; 32]).await;
    assert!(
        matches!(unreadable, MediaRetryResult::DecryptionError),
        "{unreadable:?}"
    );
    let refused = FaultSpec {
        code: Some(507),
        count: Some(1),
        ..FaultSpec::new(FaultKind::RefuseUpload)
    };
    simulator.server().inject(refused).unwrap();
    let failed = ask("", media_key.clone()).await;
    assert!(
        matches!(failed, MediaRetryResult::GeneralError),
        "{failed:?}"
    );
    let again = ask("", media_key.clone()).await;
    let MediaRetryResult::Success { direct_path } = again else {
        panic!("{again:?}");
    };
    let image = wa::message::ImageMessage {
        direct_path: Some(direct_path),
        ..image.clone()
    };
    assert!(downloaded(&engine, &image).await.unwrap() == bytes(4_000));
    assert!(bob.file(&sent.id).await.is_ok());
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_when_it_arrives_is_shown_so() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    bob.go_offline().await.unwrap();
    let file = FileContent::new(FileKind::Document, bytes(50));
    let sent = alice
        .send(request(&bob, Content::File(file)))
        .await
        .unwrap();
    simulator.server().expire_media(None).unwrap();
    bob.go_online().await.unwrap();
    with_file(&bob, &sent.id, MediaState::Gone).await;
    assert!(matches!(bob.file(&sent.id).await, Err(PhoneError::Gone(_))));
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upload_sends_no_message() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let refused = FaultSpec {
        code: Some(507),
        count: Some(1),
        ..FaultSpec::new(FaultKind::RefuseUpload)
    };
    simulator.server().inject(refused).unwrap();
    let file = || Content::File(FileContent::new(FileKind::Image, bytes(50)));
    let error = alice.send(request(&bob, file())).await.unwrap_err();
    assert!(
        matches!(error, PhoneError::Refused { code: 507, .. }),
        "{error:?}"
    );
    assert!(alice.messages(&MessageQuery::default()).unwrap().is_empty());
    let sent = alice.send(request(&bob, file())).await.unwrap();
    with_file(&bob, &sent.id, MediaState::Ready).await;
    simulator.shutdown().await;
}
