//! Files of messages, as far as a phone's task has to do with them: the rest happens beside it.

use wacore::iq::mediaconn::MediaConnSpec;
use wacore_binary::{Jid, Node};
use waproto::whatsapp as wa;

use super::mail::{Command, Mail};
use super::run::Actor;
use crate::phone::error::PhoneError;
use crate::phone::media::{Answer, Fetched, FileRef, MediaState, answer, fetch, opens, upload};
use crate::phone::nodes::{jid_attr, text_attr};

impl Actor {
    /// Asks for a token with which files can be uploaded.
    pub(super) async fn media_auth(&mut self) -> Result<String, PhoneError> {
        Ok(self.ask_typed(&MediaConnSpec::new()).await?.auth)
    }

    /// Fetches the file of a message that came in, where it has one.
    pub(super) fn fetch_file(&self, id: &str, message: &wa::Message) {
        let Some(file) = FileRef::of(message) else {
            return;
        };
        let (server, shared) = (self.server.clone(), self.shared.clone());
        let (own_mail, id) = (self.own_mail.clone(), id.to_owned());
        tokio::spawn(async move {
            let Ok(_slot) = shared.media.slot().await else {
                return;
            };
            let state = match fetch(&server, &file).await {
                Ok(Fetched::Gone) => MediaState::Gone,
                Ok(Fetched::File(sealed)) => {
                    let token = file.token();
                    let bytes = sealed.clone();
                    let opened = tokio::task::spawn_blocking(move || file.open(&bytes)).await;
                    if matches!(opened, Ok(Ok(_))) {
                        shared.media.keep(&shared.number, &token, sealed);
                        MediaState::Ready
                    } else {
                        MediaState::Broken
                    }
                }
                // Whoever asks for the file later has it fetched again.
                Err(PhoneError::Unreachable(_)) => return,
                Err(_) => MediaState::Broken,
            };
            if let Some(mail) = own_mail.upgrade() {
                let _ = mail.send(Mail::Command(Command::FileFetched { id, state }));
            }
        });
    }

    /// Notes how far the phone has come with a file.
    pub(super) fn on_file_fetched(&mut self, id: &str, state: MediaState) {
        self.shared.log().note_file(id, state);
        if let Err(error) = self.commit() {
            tracing::error!(%error, "phone could not save what became of a file");
        }
    }

    /// A companion cannot fetch a file any more: it is uploaded again from what the phone keeps.
    ///
    /// Shape: wacore `media_retry::build_media_retry_receipt`.
    pub(super) async fn on_file_request(&mut self, receipt: &Node) -> Result<(), PhoneError> {
        let (Some(id), Some(companion)) = (text_attr(receipt, "id"), jid_attr(receipt, "from"))
        else {
            return Ok(());
        };
        if companion.user != self.shared.lid.user && companion.user != self.shared.jid.user {
            return Ok(());
        }
        let rmr = receipt.get_optional_child("rmr").cloned();
        let request = FileRequest { companion, id, rmr };
        let Some(file) = self.file_of(&request.id) else {
            return self.answer_file_request(&request, &[], &Answer::NotFound);
        };
        // What is not encrypted is posted by others, and kept by no phone.
        let Some(media_key) = file.media_key.clone() else {
            return self.answer_file_request(&request, &[], &Answer::NotFound);
        };
        if !opens(receipt, &request.id, &media_key) {
            return self.answer_file_request(&request, &[], &Answer::Unreadable);
        }
        let token = file.token();
        let Some(sealed) = self.shared.media.kept(&self.shared.number, &token) else {
            return self.answer_file_request(&request, &[], &Answer::NotFound);
        };
        let auth = self.media_auth().await?;
        let (server, own_mail) = (self.server.clone(), self.own_mail.clone());
        tokio::spawn(async move {
            let kind = file.media_type.mms_type();
            let answer = match upload(&server, &auth, kind, &token, sealed).await {
                Ok(place) => Answer::At(place.direct_path),
                Err(error) => {
                    tracing::debug!(%error, "a file could not be uploaded again");
                    Answer::Failed
                }
            };
            if let Some(mail) = own_mail.upgrade() {
                let uploaded = Command::FileUploaded {
                    request,
                    media_key,
                    answer,
                };
                let _ = mail.send(Mail::Command(uploaded));
            }
        });
        Ok(())
    }

    /// Tells a companion where the file is that it has asked for.
    pub(super) fn answer_file_request(
        &self,
        request: &FileRequest,
        media_key: &[u8],
        said: &Answer,
    ) -> Result<(), PhoneError> {
        let (to, id) = (&request.companion, &request.id);
        self.transmit(answer(to, id, request.rmr.as_ref(), media_key, said)?)
    }

    fn file_of(&self, id: &str) -> Option<FileRef> {
        let log = self.shared.log();
        let message = waproto::codec::message_decode(&log.get(id)?.encoded).ok()?;
        FileRef::of(&message)
    }
}

/// What a companion asks for.
pub(crate) struct FileRequest {
    companion: Jid,
    id: String,
    /// What names the message, to be repeated in the answer.
    rmr: Option<Node>,
}
