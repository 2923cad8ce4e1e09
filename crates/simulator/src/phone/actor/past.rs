//! Sending history to a companion: inside the message that announces it, or by the media host.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use wacore::download::MediaType;
use wacore::upload::{EncryptedMedia, encrypt_media};
use wacore_binary::Jid;
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::{HistorySyncNotification, HistorySyncType};

use super::run::Actor;
use crate::phone::error::PhoneError;
use crate::phone::media::upload_by_itself;
use crate::phone::past::{Past, PastPart};

/// A part of a past, ready to be uploaded.
struct Sealed {
    file: EncryptedMedia,
    len: u64,
    kind: HistorySyncType,
    order: u32,
    progress: u32,
}

impl Actor {
    /// Sends what is small enough for the message that announces it.
    pub(super) async fn send_inline(
        &mut self,
        companion: &Jid,
        history: &wa::HistorySync,
        kind: HistorySyncType,
    ) -> Result<(), PhoneError> {
        let payload = compressed(history)?;
        let notice = HistorySyncNotification {
            file_length: Some(payload.len() as u64),
            sync_type: Some(kind),
            chunk_order: history.chunk_order,
            progress: history.progress,
            initial_hist_bootstrap_inline_payload: Some(payload),
            ..Default::default()
        };
        self.tell_companion(companion, announcement(notice)).await
    }

    /// Sends a made-up past by the media host. One part of it is in memory at a time.
    pub(super) async fn send_past(
        &mut self,
        companion: &Jid,
        past: Past,
    ) -> Result<(), PhoneError> {
        let mut parts = past.parts();
        loop {
            let making = tokio::task::spawn_blocking(move || {
                let sealed = parts.next().map(seal);
                (parts, sealed)
            });
            let (rest, sealed) = making
                .await
                .map_err(|_| PhoneError::internal("history could not be made up"))?;
            parts = rest;
            let Some(sealed) = sealed else {
                return Ok(());
            };
            self.send_part(companion, sealed?).await?;
        }
    }

    async fn send_part(&mut self, companion: &Jid, sealed: Sealed) -> Result<(), PhoneError> {
        let auth = self.media_auth().await?;
        let Sealed { file, len, .. } = sealed;
        let token = URL_SAFE_NO_PAD.encode(file.file_enc_sha256);
        let kind = MediaType::History.mms_type();
        let bytes = Bytes::from(file.data_to_upload);
        let place = upload_by_itself(&self.server, &auth, kind, &token, bytes).await?;
        let notice = HistorySyncNotification {
            file_sha256: Some(file.file_sha256.to_vec()),
            file_length: Some(len),
            media_key: Some(file.media_key.to_vec()),
            file_enc_sha256: Some(file.file_enc_sha256.to_vec()),
            direct_path: Some(place.direct_path),
            sync_type: Some(sealed.kind),
            chunk_order: Some(sealed.order),
            progress: Some(sealed.progress),
            ..Default::default()
        };
        self.tell_companion(companion, announcement(notice)).await
    }
}

fn announcement(notice: HistorySyncNotification) -> wa::message::ProtocolMessage {
    wa::message::ProtocolMessage {
        r#type: Some(wa::message::protocol_message::Type::HISTORY_SYNC_NOTIFICATION),
        history_sync_notification: MessageField::some(notice),
        ..Default::default()
    }
}

fn compressed(history: &wa::HistorySync) -> Result<Vec<u8>, PhoneError> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(&waproto::codec::history_sync_to_vec(history))
        .and_then(|()| encoder.finish())
        .map_err(|_| PhoneError::internal("history could not be compressed"))
}

fn seal(part: PastPart) -> Result<Sealed, PhoneError> {
    let sync_type = match part.kind {
        HistorySyncType::FULL => wa::history_sync::HistorySyncType::FULL,
        _ => wa::history_sync::HistorySyncType::RECENT,
    };
    let history = wa::HistorySync {
        sync_type,
        conversations: part.conversations,
        chunk_order: Some(part.order),
        progress: Some(part.progress),
        ..Default::default()
    };
    let plain = compressed(&history)?;
    let file = encrypt_media(&plain, MediaType::History)
        .map_err(|_| PhoneError::internal("history could not be encrypted"))?;
    Ok(Sealed {
        file,
        len: plain.len() as u64,
        kind: part.kind,
        order: part.order,
        progress: part.progress,
    })
}
