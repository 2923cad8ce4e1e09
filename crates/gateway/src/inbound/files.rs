//! The files of messages, as rows beside them.

use wagate_engine::{Content, InboundMessage, Media, MediaOrigin};
use wagate_model::{MediaId, MediaKind};
use wagate_store::NewMedia;

/// A message's file under a fresh id; nothing where it has none.
pub(super) fn file_of(
    message: &InboundMessage,
    now_ms: i64,
    may_be_captured: bool,
) -> Option<NewMedia> {
    let Content::Media(media) = &message.content else {
        return None;
    };
    let time = u64::try_from(now_ms).unwrap_or(0);
    let source = media.source.as_ref();
    Some(NewMedia {
        id: MediaId::from_parts(time, rand::random::<u128>() >> 48),
        // Known once the message is stored.
        message_id: 0,
        position: 0,
        wa_message_id: message.id.clone(),
        kind: media.kind.as_str().to_owned(),
        mimetype: media.meta.mimetype.clone(),
        filename: media.meta.filename.clone(),
        size: media.meta.size,
        sha256: source.map(|source| hex::encode(&source.sha256)),
        width: media.details.width.map(i64::from),
        height: media.details.height.map(i64::from),
        seconds: media.details.seconds.map(i64::from),
        is_voice: media.kind == MediaKind::Voice,
        source: origin_of(message, media).map(|origin| origin.to_bytes()),
        may_be_captured,
    })
}

fn origin_of(message: &InboundMessage, media: &Media) -> Option<MediaOrigin> {
    let sender = message.sender_lid.as_ref().or(message.sender_jid.as_ref());
    Some(MediaOrigin {
        chat: message.chat.clone(),
        sender: sender.cloned(),
        from_me: message.from_me,
        message_id: message.id.clone(),
        source: media.source.clone()?,
    })
}

#[cfg(test)]
mod tests {
    use wagate_engine::{MediaDetails, MediaSource};
    use wagate_model::{EventKind, MediaMeta, MediaStatus};
    use wagate_store::testing;
    use wagate_store::{EventFilter, StoreError};

    use super::*;
    use crate::inbound::batch::Batch;

    fn message(id: &str, source: Option<MediaSource>) -> InboundMessage {
        InboundMessage {
            id: id.into(),
            chat: "15551234567@s.whatsapp.net".parse().unwrap(),
            chat_alias: None,
            sender_jid: "15551234567@s.whatsapp.net".parse().ok(),
            sender_lid: "99@lid".parse().ok(),
            from_me: false,
            push_name: None,
            business_name: None,
            timestamp_ms: 1_700_000_000_000,
            content: Content::Media(Media {
                kind: MediaKind::Voice,
                meta: MediaMeta {
                    mimetype: Some("audio/ogg".into()),
                    size: Some(7),
                    ..MediaMeta::default()
                },
                caption: None,
                details: MediaDetails {
                    seconds: Some(3),
                    ..MediaDetails::default()
                },
                source,
            }),
            mentions: Vec::new(),
            quoted: None,
            is_forwarded: false,
            is_view_once: false,
            expires_after_s: None,
            is_offline: false,
            raw: bytes::Bytes::new(),
        }
    }

    fn source() -> MediaSource {
        MediaSource {
            direct_path: "/v/t62.7117-24/1".into(),
            media_key: Some(vec![1; 32]),
            sha256: vec![2; 32],
            encrypted_sha256: Some(vec![3; 32]),
            size: 7,
            kind: MediaKind::Voice,
        }
    }

    #[tokio::test]
    async fn a_file_is_stored_with_its_message_and_named_in_its_event() {
        let store = testing::store().await;
        let organization = store.organization().await;
        let session = store.session(organization).await;
        let fence = store.claim(session).await;
        let commit = async |messages: Vec<InboundMessage>, is_history: bool| {
            let fence = fence.clone();
            store
                .write::<_, StoreError, _>(organization, move |tx| {
                    Box::pin(async move {
                        let mut owned = tx.owned(&fence).await?;
                        let batch = Batch::new(&mut owned, 5);
                        let committed = if is_history {
                            batch.write_history(&messages).await?
                        } else {
                            batch.write(&messages).await?
                        };
                        Ok(committed.new_count)
                    })
                })
                .await
                .unwrap()
        };
        let live = || vec![message("A", Some(source())), message("B", None)];
        assert_eq!(commit(live(), false).await, 2);
        assert_eq!(commit(live(), false).await, 0);
        assert_eq!(commit(vec![message("C", Some(source()))], true).await, 1);
        let mut tx = store.read().await.unwrap();
        let filter = EventFilter {
            session: Some(session),
            kinds: Some(vec![EventKind::Message]),
        };
        let events = tx.events_after(organization, None, &filter, 10).await;
        let events = events.unwrap();
        assert_eq!(events.len(), 2);
        assert!(
            events[0].1.contains(r#""media":{"id":"med_"#),
            "{}",
            events[0].1
        );
        for (id, status, has_source) in [
            ("A", MediaStatus::Pending, true),
            ("B", MediaStatus::Failed, false),
            ("C", MediaStatus::Available, true),
        ] {
            let stored = tx.message(organization, session, None, id).await.unwrap();
            let meta = stored.unwrap().media.unwrap();
            let media = tx.media(organization, meta.id.unwrap()).await.unwrap();
            let media = media.unwrap();
            assert_eq!(media.file.status, status, "{id}");
            assert_eq!((media.file.seconds, media.file.is_voice), (Some(3), true));
            assert_eq!(media.file.wa_message_id, id);
            let origin = media.source.as_deref().and_then(MediaOrigin::from_bytes);
            assert_eq!(origin.is_some(), has_source, "{id}");
            if let Some(origin) = origin {
                assert_eq!(origin.source, source());
                assert_eq!(origin.sender.unwrap().as_str(), "99@lid");
            }
        }
    }
}
