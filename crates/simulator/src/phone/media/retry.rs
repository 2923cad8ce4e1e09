//! A companion cannot fetch a file any more: the phone uploads it again and says where it is.

use rand::Rng as _;
use wacore::crypto::hkdf_sha256_into;
use wacore::media_retry::decrypt_media_retry_notification;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use wacore_libsignal::crypto::aes_256_gcm_encrypt;
use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

use crate::phone::error::PhoneError;
use crate::phone::nodes::child_bytes;

/// What the key of request and answer is derived with.
const KEY_INFO: &[u8] = b"WhatsApp Media Retry Notification";

/// What a phone says to a request for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The file is at this path again.
    At(String),
    /// The phone does not have the file.
    NotFound,
    /// The request does not open with the file's key.
    Unreadable,
    /// The file could not be uploaded.
    Failed,
}

/// Whether the request in a receipt is one for the file with this key.
pub(crate) fn opens(receipt: &Node, id: &str, media_key: &[u8]) -> bool {
    let Some(sealed) = receipt.get_optional_child("encrypt") else {
        return false;
    };
    let (Some(bytes), Some(iv)) = (child_bytes(sealed, "enc_p"), child_bytes(sealed, "enc_iv"))
    else {
        return false;
    };
    // Request and answer are sealed alike.
    decrypt_media_retry_notification(media_key, id, &iv, &bytes)
        .ok()
        .and_then(|plain| wa::ServerErrorReceipt::decode_from_slice(&plain).ok())
        .is_some_and(|request| request.stanza_id.as_deref() == Some(id))
}

/// The notification that a companion waits for.
///
/// Shape: wacore `media_retry::parse_media_retry_notification`.
pub(crate) fn answer(
    to: &Jid,
    id: &str,
    rmr: Option<&Node>,
    media_key: &[u8],
    answer: &Answer,
) -> Result<Node, PhoneError> {
    let content = match answer {
        Answer::At(direct_path) => {
            let (sealed, iv) = seal(id, media_key, direct_path)?;
            NodeBuilder::new("encrypt").children([
                NodeBuilder::new("enc_p").bytes(sealed).build(),
                NodeBuilder::new("enc_iv").bytes(iv.to_vec()).build(),
            ])
        }
        Answer::Failed => NodeBuilder::new("error").attr("code", "1"),
        Answer::NotFound => NodeBuilder::new("error").attr("code", "2"),
        Answer::Unreadable => NodeBuilder::new("error").attr("code", "3"),
    };
    let children = rmr.cloned().into_iter().chain([content.build()]);
    Ok(NodeBuilder::new("notification")
        .attr("to", to)
        .attr("id", id)
        .attr("type", "mediaretry")
        .children(children)
        .build())
}

fn seal(id: &str, media_key: &[u8], direct_path: &str) -> Result<(Vec<u8>, [u8; 12]), PhoneError> {
    let failed = || PhoneError::internal("an answer could not be encrypted");
    let plain = wa::MediaRetryNotification {
        stanza_id: Some(id.to_owned()),
        direct_path: Some(direct_path.to_owned()),
        result: Some(wa::media_retry_notification::ResultType::SUCCESS),
        ..Default::default()
    }
    .encode_to_vec();
    let mut key = [0; 32];
    hkdf_sha256_into(media_key, None, KEY_INFO, &mut key).map_err(|_| failed())?;
    let mut iv = [0; 12];
    rand::rng().fill_bytes(&mut iv);
    let mut sealed = Vec::new();
    aes_256_gcm_encrypt(&key, &iv, id.as_bytes(), &plain, &mut sealed).map_err(|_| failed())?;
    Ok((sealed, iv))
}

#[cfg(test)]
mod tests {
    use wacore::media_retry::{
        MediaRetryResult, build_media_retry_receipt, encrypt_media_retry_receipt,
        parse_media_retry_notification,
    };

    use super::*;

    fn asked(id: &str, key: &[u8]) -> Node {
        let (sealed, iv) = encrypt_media_retry_receipt(key, id).unwrap();
        let jid = Jid::pn("1");
        build_media_retry_receipt(&jid, id, &jid, false, None, &sealed, &iv)
    }

    #[test]
    fn only_the_files_own_key_opens_a_request() {
        let receipt = asked("A", &[7; 32]);
        assert!(opens(&receipt, "A", &[7; 32]));
        assert!(!opens(&receipt, "A", &[8; 32]));
        assert!(!opens(&receipt, "B", &[7; 32]));
        assert!(!opens(&NodeBuilder::new("receipt").build(), "A", &[7; 32]));
    }

    #[test]
    fn clients_understand_every_answer() {
        let heard = |said: &Answer| {
            let to = Jid::pn_device("1", 2);
            let node = answer(&to, "A", None, &[7; 32], said).unwrap();
            parse_media_retry_notification(&node.as_node_ref(), &[7; 32]).unwrap()
        };
        let path = "/v/image/x".to_owned();
        let MediaRetryResult::Success { direct_path } = heard(&Answer::At(path.clone())) else {
            panic!("no success");
        };
        assert_eq!(direct_path, path);
        let result = heard(&Answer::NotFound);
        assert!(matches!(result, MediaRetryResult::NotFound));
        let result = heard(&Answer::Unreadable);
        assert!(matches!(result, MediaRetryResult::DecryptionError));
        let result = heard(&Answer::Failed);
        assert!(matches!(result, MediaRetryResult::GeneralError));
    }
}
