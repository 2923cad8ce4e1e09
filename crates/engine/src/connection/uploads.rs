//! Bringing files to WhatsApp's media hosts.

use std::pin::Pin;
use std::time::Duration;

use wagate_model::MediaKind;
use whatsapp_rust::Client;
use whatsapp_rust::anyhow;
use whatsapp_rust::http::HttpStatusError;
use whatsapp_rust::upload::UploadResponse;
use whatsapp_rust::wacore::upload::EncryptedMediaInfo;

use super::Connection;
use crate::media::media_type;
use crate::upload::{Encrypted, UploadSource, UploadSourceError, Uploaded};
use crate::{RejectReason, SendFailure};

/// How long one file may take; where nothing moves, the HTTP client gives up long before.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(10);

impl Connection {
    /// Encrypts a file under a key and brings it to WhatsApp's media hosts.
    ///
    /// The same file under the same key is the same there: doing it again after any failure
    /// leaves one file. In memory there is a piece of it at a time.
    pub async fn upload(
        &self,
        source: &mut dyn UploadSource,
        kind: MediaKind,
        key: [u8; 32],
    ) -> Result<Uploaded, SendFailure> {
        let client = self.logged_in().map_err(|_| SendFailure::NotConnected)?;
        let work = async {
            let (encrypted, info) = Encrypted::of(source, kind, key).await?;
            bring(client, encrypted, info, kind).await
        };
        match tokio::time::timeout(UPLOAD_TIMEOUT, work).await {
            Ok(Ok(answer)) => Ok(answer.into()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(SendFailure::Transient {
                code: None,
                reason: RejectReason::Upload,
            }),
        }
    }
}

/// Behind a pointer, as in [`super::chats`]: the library's future is nested too deeply.
#[inline(never)]
fn bring(
    client: &Client,
    encrypted: Encrypted,
    info: EncryptedMediaInfo,
    kind: MediaKind,
) -> Pin<Box<dyn Future<Output = Result<UploadResponse, anyhow::Error>> + Send + '_>> {
    Box::pin(client.upload_stream(encrypted, info, media_type(kind)))
}

pub(super) fn failure(error: &anyhow::Error) -> SendFailure {
    if error.is::<UploadSourceError>() {
        return SendFailure::Transient {
            code: None,
            reason: RejectReason::Preparation,
        };
    }
    let status = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<HttpStatusError>())
        .map(|error| error.status);
    let reason = RejectReason::Upload;
    match status {
        // The hosts will not take this file from anybody.
        Some(code @ (400 | 404 | 405 | 411 | 413 | 415 | 422)) => SendFailure::Permanent {
            code: Some(code),
            reason,
        },
        code => SendFailure::Transient { code, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hosts_refuse_for_good_is_not_tried_again() {
        let refused = |status| {
            let error = anyhow::Error::from(HttpStatusError { status });
            failure(&error.context("on the way"))
        };
        assert!(matches!(
            refused(413),
            SendFailure::Permanent {
                code: Some(413),
                reason: RejectReason::Upload
            }
        ));
        for status in [401, 403, 429, 500, 507] {
            assert!(matches!(
                refused(status),
                SendFailure::Transient { code: Some(_), .. }
            ));
        }
        let unreadable = UploadSourceError("the store is away".into());
        assert!(matches!(
            failure(&unreadable.into()),
            SendFailure::Transient {
                reason: RejectReason::Preparation,
                ..
            }
        ));
    }
}
