//! Files of posts: plain at the media host, and named by the handle that the host gave.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use waproto::whatsapp as wa;

use crate::server::api::Server;
use crate::server::media::{CHANNEL_PREFIX, channel_handle};

/// The types of media whose messages have a file.
const WITH_FILES: [&str; 8] = [
    "image", "video", "gif", "ptv", "audio", "ptt", "document", "sticker",
];

/// What a message says of its file: its hash, and whether there is a key.
fn file_of(message: &wa::Message) -> Option<(Vec<u8>, bool)> {
    let wrapper = &message.document_with_caption_message;
    if let Some(inner) = wrapper.as_option().and_then(|it| it.message.as_option()) {
        return file_of(inner);
    }
    macro_rules! file {
        ($($field:ident),*) => {$(
            if let Some(file) = message.$field.as_option() {
                return Some((file.file_sha256.clone()?, file.media_key.is_some()));
            }
        )*};
    }
    file!(
        image_message,
        video_message,
        ptv_message,
        audio_message,
        document_message,
        sticker_message
    );
    None
}

impl Server {
    /// Whether a post of a type has the file that it needs: unencrypted, at the media host under
    /// its hash, and named by its handle.
    pub(super) fn has_its_file(
        &self,
        media_type: Option<&str>,
        plaintext: &[u8],
        handle: Option<&str>,
    ) -> bool {
        if !media_type.is_some_and(|kind| WITH_FILES.contains(&kind)) {
            return true;
        }
        let message = waproto::codec::message_decode(plaintext).ok();
        let Some((sha256, has_key)) = message.as_ref().and_then(file_of) else {
            return false;
        };
        let token = URL_SAFE_NO_PAD.encode(sha256);
        let is_there = self
            .media_kind(&token)
            .is_some_and(|kind| kind.starts_with(CHANNEL_PREFIX));
        !has_key && is_there && handle == Some(&*channel_handle(&token))
    }
}
