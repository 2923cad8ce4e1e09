//! Files of messages to send, put where the session's owner finds them.

use std::sync::Arc;

use base64::Engine as _;
use wagate_media::Prepared;
use wagate_model::{Attachment, AttachmentId, MediaKind, MediaPayload, OrganizationId};
use wagate_store::ATTACHMENT_PIECE_BYTES;

use crate::caller::SessionAccess;
use crate::error::{Error, Result};
use crate::intake::{BASE64, Incoming};
use crate::service::Core;

impl Core {
    /// Takes files in, each as (field, kind, file), and puts them where the session's owner finds them.
    pub(crate) async fn attach(
        &self,
        access: &SessionAccess,
        files: Vec<(String, MediaKind, MediaPayload)>,
    ) -> Result<Vec<Attachment>> {
        let mut attachments = Vec::new();
        let mut total = 0;
        for (field, kind, payload) in files {
            let file = Incoming::new(field, kind, payload);
            let attached = self.attach_one(access, file, &mut total).await;
            match attached {
                Ok(attachment) => attachments.push(attachment),
                Err(error) => {
                    self.discard(access.organization_id(), &attachments).await;
                    return Err(error);
                }
            }
        }
        Ok(attachments)
    }

    async fn attach_one(
        &self,
        access: &SessionAccess,
        mut file: Incoming,
        total: &mut usize,
    ) -> Result<Attachment> {
        let (intake, organization) = (&self.intake, access.organization_id());
        let (bytes, _share) = intake.take(organization, &mut file).await?;
        *total += bytes.len();
        if *total > intake.limits.message_bytes {
            let limit = intake.limits.message_bytes;
            let message = format!("must be at most {limit} bytes with the message's other files");
            return Err(file.fault(message).into());
        }
        let (bytes, prepared) = intake.look(organization, &file, bytes).await?;
        let id = self.store_file(access, &bytes).await?;
        Ok(attachment(id, file, bytes.len(), prepared))
    }

    /// Writes a file in pieces, each in a transaction of its own.
    async fn store_file(&self, access: &SessionAccess, bytes: &[u8]) -> Result<AttachmentId> {
        let (organization, session) = (access.organization_id(), access.id());
        let (time, random) = self.id_parts();
        let id = AttachmentId::from_parts(time, random);
        let now_ms = self.clock.now_ms();
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let most = i64::try_from(self.intake.limits.waiting_bytes).unwrap_or(i64::MAX);
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    let waiting = tx.attachment_bytes(organization, session).await?;
                    if waiting.saturating_add(size) > most {
                        return Err(Error::unavailable());
                    }
                    tx.insert_attachment(organization, session, id, size, now_ms)
                        .await?;
                    Ok(())
                })
            })
            .await?;
        for (position, piece) in (0_i64..).zip(bytes.chunks(ATTACHMENT_PIECE_BYTES)) {
            let piece: Arc<[u8]> = piece.into();
            let written = self
                .store
                .write::<_, Error, _>(organization, move |tx| {
                    let piece = Arc::clone(&piece);
                    Box::pin(async move {
                        let written = tx
                            .insert_attachment_piece(organization, id, position, &piece)
                            .await?;
                        Ok(written)
                    })
                })
                .await?;
            if !written {
                return Err(Error::unavailable());
            }
        }
        Ok(id)
    }

    /// Deletes files that no message has; what is left by a failure goes by its age.
    pub(crate) async fn discard(&self, organization: OrganizationId, files: &[Attachment]) {
        if files.is_empty() {
            return;
        }
        let ids: Arc<[AttachmentId]> = files.iter().map(|file| file.id).collect();
        let deleted = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                let ids = Arc::clone(&ids);
                Box::pin(async move { Ok(tx.delete_attachments(organization, &ids).await?) })
            })
            .await;
        if let Err(error) = deleted {
            tracing::debug!(%error, "files of a refused message stay for a while");
        }
    }
}

fn attachment(id: AttachmentId, file: Incoming, size: usize, prepared: Prepared) -> Attachment {
    let payload = file.payload;
    let encode = |bytes: &[u8]| BASE64.encode(bytes);
    Attachment {
        id,
        kind: file.kind,
        mimetype: prepared.mime,
        size: u64::try_from(size).unwrap_or(u64::MAX),
        filename: payload
            .filename
            .filter(|_| file.kind == MediaKind::Document),
        caption: payload.caption.filter(|caption| !caption.is_empty()),
        width: prepared.width,
        height: prepared.height,
        seconds: prepared.duration_seconds,
        waveform: prepared.waveform.map(|waveform| encode(&waveform)),
        thumbnail: prepared.thumbnail.as_deref().map(encode),
        pages: prepared.page_count,
        is_animated: prepared.is_animated,
        is_view_once: payload.view_once == Some(true),
    }
}
