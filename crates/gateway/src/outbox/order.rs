//! What the outbox holds of a message.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wagate_model::{Attachment, LinkPreview, MediaKind, SendRequest, SendTask, SendType};

/// A message to send, with what was decided when it was accepted.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) task: SendTask,
    /// What votes in a poll, answers to an event, or the message's file, are encrypted with; every attempt sends the
    /// same.
    #[serde(default, with = "hex::serde", skip_serializing_if = "is_zero")]
    pub(crate) secret: [u8; 32],
    /// The message's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attachment: Option<Attachment>,
    /// The album that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) album: Option<Album>,
    /// What the message's text shows of the page that it links to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) preview: Option<LinkPreview>,
    /// After how many seconds it disappears, as its chat was set when it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_after_s: Option<u32>,
}

/// What a message has to do with an album.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Album {
    /// It begins one.
    Begins {
        images: u32,
        videos: u32,
        /// The ids of the messages that its files are.
        #[serde(default)]
        files: Vec<String>,
    },
    /// It belongs to the one that a message of this id has begun.
    Belongs { to: String },
}

fn is_zero(secret: &[u8; 32]) -> bool {
    *secret == [0; 32]
}

impl Order {
    /// The order of a task that has just been accepted.
    pub(crate) fn new(task: SendTask) -> Self {
        let has_answers = task
            .request()
            .is_some_and(|request| request.poll().is_some() || request.event().is_some());
        let secret = if has_answers { rand::random() } else { [0; 32] };
        Self {
            task,
            secret,
            attachment: None,
            album: None,
            preview: None,
            expires_after_s: None,
        }
    }

    /// Whether the sending limits count it: of an album, the message that begins it alone.
    ///
    /// An album is accepted as a whole, and with more files than the limit it never could be.
    pub(crate) const fn is_counted(&self) -> bool {
        self.task.is_counted() && !matches!(self.album, Some(Album::Belongs { .. }))
    }

    /// The ids of the files, where it begins an album.
    pub(crate) fn files(&self) -> Option<Vec<String>> {
        match &self.album {
            Some(Album::Begins { files, .. }) => Some(files.clone()),
            _ => None,
        }
    }

    fn with_file(task: SendTask, attachment: Attachment) -> Self {
        Self {
            secret: rand::random(),
            attachment: Some(attachment),
            ..Self::new(task)
        }
    }

    /// The messages of a command, each with its reserved id: one, or an album and its files.
    /// None where the files are not there that the message is to have.
    pub(crate) fn all_of(
        task: SendTask,
        attachments: Vec<Attachment>,
        preview: Option<LinkPreview>,
        mut new_id: impl FnMut() -> String,
    ) -> Option<Vec<(String, Self)>> {
        let kind = task.request().map(|request| request.kind);
        let id = new_id();
        match kind {
            Some(SendType::Album) => {
                let count = |kind: MediaKind| {
                    let files = attachments.iter().filter(|file| file.kind == kind);
                    u32::try_from(files.count()).unwrap_or(u32::MAX)
                };
                let (images, videos) = (count(MediaKind::Image), count(MediaKind::Video));
                if images + videos == 0 {
                    return None;
                }
                let album = Album::Belongs { to: id.clone() };
                let mut members = Vec::with_capacity(attachments.len());
                for attachment in attachments {
                    let order = Self {
                        album: Some(album.clone()),
                        ..Self::with_file(member_of(&task, attachment.kind)?, attachment)
                    };
                    members.push((new_id(), order));
                }
                let begins = Self {
                    album: Some(Album::Begins {
                        images,
                        videos,
                        files: members.iter().map(|(id, _)| id.clone()).collect(),
                    }),
                    ..Self::new(task)
                };
                let mut all = vec![(id, begins)];
                all.append(&mut members);
                Some(all)
            }
            Some(kind) if kind.media_kind().is_some() => {
                let attachment = attachments.into_iter().next()?;
                Some(vec![(id, Self::with_file(task, attachment))])
            }
            _ => {
                // Stories have a file or not.
                let order = match attachments.into_iter().next() {
                    Some(attachment) => Self::with_file(task, attachment),
                    None => Self {
                        preview,
                        ..Self::new(task)
                    },
                };
                Some(vec![(id, order)])
            }
        }
    }

    /// The same order in a chat whose messages disappear after so many seconds.
    pub(crate) fn in_chat(self: &Arc<Self>, disappearing_seconds: Option<u32>) -> Arc<Self> {
        if self.expires_after_s == disappearing_seconds {
            return self.clone();
        }
        Arc::new(Self {
            expires_after_s: disappearing_seconds,
            ..Self::clone(self)
        })
    }

    /// An order as it was stored; earlier versions stored the request alone.
    pub(crate) fn read(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok().or_else(|| {
            let request: SendRequest = serde_json::from_slice(stored).ok()?;
            Some(Self::new(SendTask::Send(request)))
        })
    }
}

/// The message of one file of an album: it goes where the album goes, and answers nothing.
fn member_of(album: &SendTask, kind: MediaKind) -> Option<SendTask> {
    let mut request = album.request()?.clone();
    request.kind = match kind {
        MediaKind::Video => SendType::Video,
        _ => SendType::Image,
    };
    request.reply_to = None;
    request.mentions = None;
    Some(SendTask::Send(request))
}

#[cfg(test)]
mod tests {
    use wagate_model::AttachmentId;

    use super::*;

    fn attachment(kind: &str) -> Attachment {
        let id = AttachmentId::from_parts(1, 1);
        serde_json::from_value(serde_json::json!({
            "id": id, "kind": kind, "mimetype": "x/y", "size": 1
        }))
        .unwrap()
    }

    fn send(kind: &str) -> SendTask {
        let request = serde_json::json!({"to": "15551234567", "type": kind, "replyTo": "3EB0"});
        SendTask::Send(serde_json::from_value(request).unwrap())
    }

    #[test]
    fn an_album_is_a_message_and_one_for_each_file() {
        let files = vec![
            attachment("image"),
            attachment("video"),
            attachment("image"),
        ];
        let mut last = 0;
        let all = Order::all_of(send("album"), files, None, || {
            last += 1;
            last.to_string()
        });
        let all = all.unwrap();
        assert_eq!(all.len(), 4);
        let begins = Album::Begins {
            images: 2,
            videos: 1,
            files: ["2", "3", "4"].map(str::to_owned).into(),
        };
        assert!(all[0].0 == "1" && all[0].1.album == Some(begins));
        assert!(all[0].1.is_counted());
        for (id, order) in &all[1..] {
            assert!(id != "1" && order.attachment.is_some());
            let belongs = Album::Belongs { to: "1".into() };
            assert!(order.album == Some(belongs));
            assert_eq!(order.task.request().unwrap().reply_to, None);
            assert_ne!(order.secret, [0; 32], "each file has a key of its own");
            assert!(
                !order.is_counted(),
                "it is one message to the sending limits"
            );
        }
        let kinds: Vec<_> = all[1..]
            .iter()
            .map(|(_, order)| order.task.request().unwrap().kind)
            .collect();
        assert_eq!(kinds, [SendType::Image, SendType::Video, SendType::Image]);
    }

    #[test]
    fn a_file_that_is_missing_is_no_message() {
        let id = || "1".to_owned();
        assert!(Order::all_of(send("image"), Vec::new(), None, id).is_none());
        assert!(Order::all_of(send("album"), Vec::new(), None, id).is_none());
        let one = Order::all_of(send("image"), vec![attachment("image")], None, id).unwrap();
        let stored = serde_json::to_vec(&one[0].1).unwrap();
        let read = Order::read(&stored).unwrap();
        assert!(read.attachment == one[0].1.attachment && read.secret == one[0].1.secret);
    }

    #[test]
    fn an_order_is_read_as_it_was_written_in_both_forms() {
        let poll = r#"{"to":"15551234567","type":"poll","name":"q","options":["a","b"]}"#;
        let order = Order::new(SendTask::Send(serde_json::from_str(poll).unwrap()));
        assert_ne!(order.secret, [0; 32]);
        let read = Order::read(&serde_json::to_vec(&order).unwrap()).unwrap();
        assert!(read.task == order.task && read.secret == order.secret);

        let text = br#"{"to":"15551234567","type":"text","text":"hi"}"#;
        let earlier = Order::read(text).unwrap();
        let request = earlier.task.request().unwrap();
        assert_eq!(request.text.as_deref(), Some("hi"));
        assert!(Order::read(b"{}").is_none());
    }
}
