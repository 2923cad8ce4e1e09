//! Stored messages as they are sent on: as they read now, and whether they may be.

use bytes::Bytes;
use whatsapp_rust::waproto;
use whatsapp_rust::waproto::whatsapp as wa;

use super::outgoing::{raw, text_message};
use super::wrappers::unwrap;

/// A message's stored form with the text, or the caption, that it has now.
///
/// It is freed of its wrappers, as what is forwarded and quoted is anyway.
#[must_use]
pub fn raw_edited(stored: &Bytes, text: &str) -> Bytes {
    let Ok(original) = waproto::codec::message_decode(stored) else {
        return raw(&text_message(text));
    };
    let mut message = unwrap(&original).message.clone();
    if !set_caption(&mut message, text) {
        set_text(&mut message, text);
    }
    raw(&message)
}

/// Whether a stored message may be looked at once only.
#[must_use]
pub fn is_view_once(stored: &Bytes) -> bool {
    waproto::codec::message_decode(stored).is_ok_and(|message| unwrap(&message).is_view_once)
}

fn set_caption(message: &mut wa::Message, text: &str) -> bool {
    macro_rules! first_of {
        ($($field:ident),+) => {
            $(if let Some(file) = message.$field.as_option_mut() {
                file.caption = Some(text.to_owned());
                return true;
            })+
        };
    }
    first_of!(image_message, video_message, document_message);
    false
}

fn set_text(message: &mut wa::Message, text: &str) {
    let Some(extended) = message.extended_text_message.as_option_mut() else {
        message.conversation = Some(text.to_owned());
        return;
    };
    extended.text = Some(text.to_owned());
    // A preview is of a link that may be in the text no more.
    let is_linked = |link: &String| text.contains(link.as_str());
    if !extended.matched_text.as_ref().is_some_and(is_linked) {
        extended.matched_text = None;
        extended.title = None;
        extended.description = None;
        extended.jpeg_thumbnail = None;
    }
}

#[cfg(test)]
mod tests {
    use whatsapp_rust::waproto::buffa::MessageField;

    use super::*;

    fn edited(message: &wa::Message, text: &str) -> wa::Message {
        waproto::codec::message_decode(&raw_edited(&raw(message), text)).unwrap()
    }

    #[test]
    fn a_text_reads_as_it_was_edited() {
        let plain = wa::Message {
            conversation: Some("wrnog".into()),
            ..Default::default()
        };
        assert_eq!(
            edited(&plain, "right").conversation.as_deref(),
            Some("right")
        );
        let linked = wa::Message {
            extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
                text: Some("see https://example.com".into()),
                matched_text: Some("https://example.com".into()),
                title: Some("An example".into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let kept = edited(&linked, "look: https://example.com");
        assert_eq!(
            kept.extended_text_message.title.as_deref(),
            Some("An example")
        );
        let gone = edited(&linked, "never mind");
        assert_eq!(
            gone.extended_text_message.text.as_deref(),
            Some("never mind")
        );
        assert_eq!(gone.extended_text_message.title, None);
    }

    #[test]
    fn a_file_has_the_new_caption_and_stays_what_it_is() {
        let image = wa::Message {
            image_message: MessageField::some(wa::message::ImageMessage {
                caption: Some("wrnog".into()),
                direct_path: Some("/v/1".into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let wrapped = wa::Message {
            ephemeral_message: MessageField::some(wa::message::FutureProofMessage {
                message: MessageField::some(image),
            }),
            ..Default::default()
        };
        let edited = edited(&wrapped, "right");
        assert_eq!(edited.image_message.caption.as_deref(), Some("right"));
        assert_eq!(edited.image_message.direct_path.as_deref(), Some("/v/1"));
        assert_eq!(edited.conversation, None);
    }

    #[test]
    fn what_cannot_be_read_becomes_its_text() {
        let stored = Bytes::from_static(&[0xff; 4]);
        let read = waproto::codec::message_decode(&raw_edited(&stored, "right")).unwrap();
        let text = read.extended_text_message.text.clone();
        assert_eq!(text.or(read.conversation).as_deref(), Some("right"));
    }
}
