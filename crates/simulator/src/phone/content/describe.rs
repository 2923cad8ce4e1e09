//! From the protocol's messages to what a person or a script wants to see.

use serde_json::{Value, json};
use waproto::whatsapp as wa;

use super::details::{describe_special, with_expiration};
use crate::phone::log::LinkPreview;
use crate::phone::media::{StoredMedia, shown};

/// The readable parts of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    /// The public contract's word for the kind of message.
    pub(crate) kind: &'static str,
    /// The text, caption, name, emoji or question; empty when there is none.
    pub(crate) body: String,
    /// The message that this one reacts to, edits, revokes or votes on.
    pub(crate) target_id: Option<String>,
    /// The message that this one answers.
    pub(crate) quoted_id: Option<String>,
    /// What the text shows of the page that it links to.
    pub(crate) link_preview: Option<LinkPreview>,
    /// JIDs that the text mentions.
    pub(crate) mentions: Vec<String>,
    /// The file.
    pub(crate) media: Option<StoredMedia>,
    /// What else a message of a special kind says.
    pub(crate) details: Option<Value>,
}

impl Described {
    /// A message of a special kind.
    pub(super) fn special(
        kind: &'static str,
        body: &str,
        target_id: Option<String>,
        details: Value,
    ) -> Self {
        Self {
            details: Some(details),
            ..targeting(kind, body, target_id)
        }
    }
}

/// Describes a message; `None` for what devices tell each other behind the scenes.
pub(crate) fn describe(message: &wa::Message) -> Option<Described> {
    let inner = innermost(message);
    let mut described = describe_inner(inner)?;
    described.details = with_expiration(described.details, inner);
    described.media = shown(message);
    Some(described)
}

/// The message inside of its wrappers.
pub(crate) fn innermost(mut message: &wa::Message) -> &wa::Message {
    while let Some(inner) = wrapped(message) {
        message = inner;
    }
    message
}

fn describe_inner(message: &wa::Message) -> Option<Described> {
    describe_protocol(message)
        .or_else(|| describe_text(message))
        .or_else(|| describe_media(message))
        .or_else(|| describe_other(message))
        .or_else(|| describe_special(message).map(Some))
        .unwrap_or_else(|| {
            // A sender key alone is not for people.
            let is_key = message.sender_key_distribution_message.is_set();
            (!is_key).then(|| plain("system", ""))
        })
}

type Answer = Option<Option<Described>>;

fn describe_protocol(message: &wa::Message) -> Answer {
    use wa::message::protocol_message::Type;
    if let Some(protocol) = message.protocol_message.as_option() {
        let target = protocol.key.as_option().and_then(|key| key.id.clone());
        return Some(match protocol.r#type {
            Some(Type::REVOKE) => Some(targeting("revoke", "", target)),
            Some(Type::MESSAGE_EDIT) => {
                let edited = protocol.edited_message.as_option().and_then(describe);
                let body = edited.map(|edited| edited.body).unwrap_or_default();
                Some(targeting("edit", &body, target))
            }
            Some(Type::EPHEMERAL_SETTING) => {
                let details = json!({"seconds": protocol.ephemeral_expiration});
                Some(Described::special("timer", "", None, details))
            }
            _ => None,
        });
    }
    None
}

fn describe_text(message: &wa::Message) -> Answer {
    if let Some(text) = &message.conversation {
        return Some(Some(plain("text", text)));
    }
    let text = message.extended_text_message.as_option()?;
    let body = text.text.as_deref().unwrap_or_default();
    Some(Some(Described {
        link_preview: link_preview(text),
        ..in_context("text", body, text.context_info.as_option())
    }))
}

fn link_preview(text: &wa::message::ExtendedTextMessage) -> Option<LinkPreview> {
    Some(LinkPreview {
        matched_text: text.matched_text.clone()?,
        title: text.title.clone()?,
        description: text.description.clone(),
        thumbnail_bytes: text.jpeg_thumbnail.as_ref().map_or(0, Vec::len),
    })
}

fn describe_media(message: &wa::Message) -> Answer {
    macro_rules! media {
        ($field:ident, $kind:literal, $text:ident) => {
            if let Some(media) = message.$field.as_option() {
                let body = media.$text.as_deref().unwrap_or_default();
                return Some(Some(in_context(
                    $kind,
                    body,
                    media.context_info.as_option(),
                )));
            }
        };
    }
    media!(image_message, "image", caption);
    media!(video_message, "video", caption);
    media!(ptv_message, "video", caption);
    media!(document_message, "document", caption);
    media!(contact_message, "contact", display_name);
    media!(location_message, "location", name);
    media!(poll_creation_message, "poll", name);
    media!(poll_creation_message_v2, "poll", name);
    media!(poll_creation_message_v3, "poll", name);
    if let Some(audio) = message.audio_message.as_option() {
        return Some(Some(in_context(
            "audio",
            "",
            audio.context_info.as_option(),
        )));
    }
    if let Some(sticker) = message.sticker_message.as_option() {
        let context = sticker.context_info.as_option();
        return Some(Some(in_context("sticker", "", context)));
    }
    let album = message.album_message.as_option()?;
    let context = album.context_info.as_option();
    Some(Some(in_context("album", "", context)))
}

fn describe_other(message: &wa::Message) -> Answer {
    if let Some(reaction) = message.reaction_message.as_option() {
        let target = reaction.key.as_option().and_then(|key| key.id.clone());
        let emoji = reaction.text.as_deref().unwrap_or_default();
        return Some(Some(targeting("reaction", emoji, target)));
    }
    let vote = message.poll_update_message.as_option()?;
    let target = vote
        .poll_creation_message_key
        .as_option()
        .and_then(|key| key.id.clone());
    Some(Some(targeting("poll_vote", "", target)))
}

fn wrapped(message: &wa::Message) -> Option<&wa::Message> {
    [
        &message.ephemeral_message,
        &message.view_once_message,
        &message.view_once_message_v2,
        &message.view_once_message_v2_extension,
        &message.document_with_caption_message,
        &message.edited_message,
        &message.associated_child_message,
    ]
    .into_iter()
    .find_map(|field| field.as_option()?.message.as_option())
}

fn plain(kind: &'static str, body: &str) -> Described {
    targeting(kind, body, None)
}

fn targeting(kind: &'static str, body: &str, target_id: Option<String>) -> Described {
    Described {
        kind,
        body: body.to_owned(),
        target_id,
        quoted_id: None,
        link_preview: None,
        mentions: Vec::new(),
        media: None,
        details: None,
    }
}

fn in_context(kind: &'static str, body: &str, context: Option<&wa::ContextInfo>) -> Described {
    Described {
        quoted_id: context.and_then(|context| context.stanza_id.clone()),
        mentions: context.map_or_else(Vec::new, |context| context.mentioned_jid.clone()),
        ..plain(kind, body)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waproto::buffa::MessageField;

    use super::super::{Content, Quoted, build, edit, reaction, revoke};
    use super::*;

    fn key(id: &str) -> wa::MessageKey {
        wa::MessageKey {
            id: Some(id.to_owned()),
            ..Default::default()
        }
    }

    #[test]
    fn what_is_built_is_described_again() {
        let text = build(&Content::Text("hi".to_owned()), None, Vec::new());
        assert_eq!(describe(&text).unwrap(), plain("text", "hi"));

        let quoted = Quoted {
            id: "Q".to_owned(),
            sender_jid: "1@s.whatsapp.net".to_owned(),
            message: text,
        };
        let mentions = vec!["2@s.whatsapp.net".to_owned()];
        let answer = build(
            &Content::Text("yo".to_owned()),
            Some(quoted),
            mentions.clone(),
        );
        let described = describe(&answer).unwrap();
        assert_eq!(described.quoted_id.as_deref(), Some("Q"));
        assert_eq!(described.mentions, mentions);

        let poll = Content::Poll {
            name: "lunch?".to_owned(),
            options: vec!["a".to_owned(), "b".to_owned()],
            selectable_count: 1,
            end_time_ms: None,
            is_hiding_votes: false,
        };
        let described = describe(&build(&poll, None, Vec::new())).unwrap();
        assert_eq!((described.kind, &*described.body), ("poll", "lunch?"));
    }

    #[test]
    fn additions_name_their_target() {
        for (message, kind, body) in [
            (reaction(key("T"), "👍", 1), "reaction", "👍"),
            (edit(key("T"), "new", 1), "edit", "new"),
            (revoke(key("T")), "revoke", ""),
        ] {
            let described = describe(&message).unwrap();
            assert_eq!((described.kind, &*described.body), (kind, body));
            assert_eq!(described.target_id.as_deref(), Some("T"));
        }
    }

    #[test]
    fn devices_talking_to_each_other_are_not_shown() {
        use wa::message::protocol_message::Type;
        let mut message = revoke(key("T"));
        message.protocol_message.get_or_insert_default().r#type =
            Some(Type::APP_STATE_SYNC_KEY_SHARE);
        assert_eq!(describe(&message), None);
    }

    proptest! {
        #[test]
        fn any_message_is_described_or_passed_over(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in "\\PC{0,20}",
            depth in 0_usize..40,
        ) {
            crate::fuzzing::phone_message(&bytes);
            let text = build(&Content::Text(text), None, Vec::new());
            let nested = (0..depth).fold(text, |inner, _| wa::Message {
                ephemeral_message: MessageField::some(wa::message::FutureProofMessage {
                    message: MessageField::some(inner),
                }),
                ..Default::default()
            });
            crate::fuzzing::phone_message(&waproto::codec::message_to_vec(&nested));
        }
    }
}
