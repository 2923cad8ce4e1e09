//! What a message says.

use wagate_model::{ContactData, LocationData, MediaKind};
use whatsapp_rust::waproto;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::pin_in_chat_message::Type as PinType;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type as ProtocolType;

use super::choices::{choices, offer_text};
use super::events::event;
use super::media::media;
use super::polls::poll;
use super::replies::interactive_reply;
use super::targets::{Speaker, target};
use super::text::{clean, present};
use super::unknown;
use super::wrappers::unwrap;
use crate::{Content, VoteChoice};

/// WhatsApp allows 257 cards in one message.
const CARDS_MAX: usize = 512;

/// The content of a message that has been freed of its wrappers; none if it
/// holds nothing for people.
pub(super) fn content(message: &wa::Message, speaker: Speaker<'_>) -> Option<Content> {
    if let Some(protocol) = message.protocol_message.as_option() {
        return from_protocol(protocol, speaker);
    }
    if let Some(reaction) = message.reaction_message.as_option() {
        return Some(Content::Reaction {
            target: target(reaction.key.as_option()?, speaker)?,
            emoji: clean(reaction.text.as_deref().unwrap_or_default()),
        });
    }
    if let Some(update) = message.poll_update_message.as_option() {
        return Some(Content::PollVote {
            target: target(update.poll_creation_message_key.as_option()?, speaker)?,
            choice: VoteChoice::Unreadable,
        });
    }
    if let Some(response) = message.enc_event_response_message.as_option() {
        return Some(Content::EventResponse {
            target: target(response.event_creation_message_key.as_option()?, speaker)?,
            response: None,
        });
    }
    if let Some(pin) = message.pin_in_chat_message.as_option() {
        return Some(Content::Pin {
            target: target(pin.key.as_option()?, speaker)?,
            seconds: match pin.r#type? {
                PinType::PIN_FOR_ALL => Some(pin_seconds(message)),
                _ => None,
            },
        });
    }
    if let Some(keep) = message.keep_in_chat_message.as_option() {
        return Some(Content::Keep {
            target: target(keep.key.as_option()?, speaker)?,
            is_kept: keep.keep_type == Some(wa::KeepType::KEEP_FOR_ALL),
        });
    }
    plain(message)
}

/// How long a pin lasts; where it is not said, as long as official clients propose: 7 days.
fn pin_seconds(message: &wa::Message) -> u32 {
    const WEEK: u32 = 604_800;
    let said = message.message_context_info.as_option();
    let seconds = said.and_then(|context| context.message_add_on_duration_in_secs);
    seconds.filter(|seconds| *seconds > 0).unwrap_or(WEEK)
}

/// Content that stands for itself: neither an edit nor about another message.
fn plain(message: &wa::Message) -> Option<Content> {
    if let Some(media) = media(message) {
        return Some(Content::Media(media));
    }
    if let Some(poll) = poll(message) {
        return Some(Content::Poll(poll));
    }
    if let Some(event) = event(message) {
        return Some(Content::Event(event));
    }
    if let Some(reply) = interactive_reply(message) {
        return Some(Content::InteractiveReply(reply));
    }
    if let Some((place, is_live)) = location(message) {
        return Some(Content::Location { place, is_live });
    }
    if let Some(cards) = cards(message) {
        return Some(Content::Contacts(cards));
    }
    let choices = choices(message);
    if !choices.is_empty() {
        let body = offer_text(text(message), &choices);
        return Some(Content::Offer { body, choices });
    }
    if let Some(body) = text(message) {
        return Some(Content::Text { body });
    }
    unknown::kind(message).map(|kind| Content::System { kind })
}

fn from_protocol(protocol: &wa::message::ProtocolMessage, speaker: Speaker<'_>) -> Option<Content> {
    match protocol.r#type? {
        ProtocolType::REVOKE => Some(Content::Revoke {
            target: target(protocol.key.as_option()?, speaker)?,
        }),
        ProtocolType::MESSAGE_EDIT => {
            let edited = unwrap(protocol.edited_message.as_option()?).message;
            Some(Content::Edit {
                target: target(protocol.key.as_option()?, speaker)?,
                content: Box::new(plain(edited)?),
            })
        }
        ProtocolType::EPHEMERAL_SETTING => Some(Content::Timer {
            seconds: protocol.ephemeral_expiration.unwrap_or(0),
        }),
        // Between clients: keys, history, settings, requests to the phone.
        _ => None,
    }
}

fn text(message: &wa::Message) -> Option<String> {
    let extended = message.extended_text_message.as_option();
    let list = message.list_message.as_option();
    let buttons = message.buttons_message.as_option();
    let interactive = message.interactive_message.as_option();
    let template = message
        .template_message
        .as_option()
        .and_then(|template| template.hydrated_template.as_option());
    [
        message.conversation.as_deref(),
        extended.and_then(|text| text.text.as_deref()),
        buttons.and_then(|buttons| buttons.content_text.as_deref()),
        list.and_then(|list| list.description.as_deref().or(list.title.as_deref())),
        template.and_then(|template| template.hydrated_content_text.as_deref()),
        interactive
            .and_then(|interactive| interactive.body.as_option())
            .and_then(|body| body.text.as_deref()),
    ]
    .into_iter()
    .find_map(present)
}

fn location(message: &wa::Message) -> Option<(LocationData, bool)> {
    if let Some(place) = message.location_message.as_option() {
        let data = LocationData {
            address: present(place.address.as_deref()),
            name: present(place.name.as_deref()),
            ..coordinates(place.degrees_latitude, place.degrees_longitude)?
        };
        return Some((data, place.is_live == Some(true)));
    }
    let live = message.live_location_message.as_option()?;
    let data = LocationData {
        name: present(live.caption.as_deref()),
        ..coordinates(live.degrees_latitude, live.degrees_longitude)?
    };
    Some((data, true))
}

/// Numbers that are no place on earth would not survive JSON either.
fn coordinates(latitude: Option<f64>, longitude: Option<f64>) -> Option<LocationData> {
    let latitude = latitude.unwrap_or(0.0);
    let longitude = longitude.unwrap_or(0.0);
    let is_place = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
    is_place.then(|| LocationData {
        latitude,
        longitude,
        ..LocationData::default()
    })
}

fn cards(message: &wa::Message) -> Option<Vec<ContactData>> {
    let card = |card: &wa::message::ContactMessage| ContactData {
        display_name: present(card.display_name.as_deref()),
        vcard: present(card.vcard.as_deref()),
    };
    if let Some(contact) = message.contact_message.as_option() {
        return Some(vec![card(contact)]);
    }
    let contacts = message.contacts_array_message.as_option()?;
    Some(contacts.contacts.iter().take(CARDS_MAX).map(card).collect())
}

/// What a message says now, by a decrypted edit of it; none where it cannot be read.
pub(crate) fn edited_content(edit: &wa::Message) -> Option<Content> {
    let edit = unwrap(edit).message;
    let edited = edit
        .protocol_message
        .as_option()
        .and_then(|protocol| protocol.edited_message.as_option());
    plain(unwrap(edited.unwrap_or(edit)).message)
}

/// What a stored message says ([`crate::InboundMessage::raw`]); none where it cannot be read or
/// says nothing by itself.
#[must_use]
pub fn content_of(raw: &[u8]) -> Option<Content> {
    let message = waproto::codec::message_decode(raw).ok()?;
    plain(unwrap(&message).message)
}

/// Whether whoever gets a stored message tells that they played it: voice notes, video notes,
/// and what may be seen once.
#[must_use]
pub fn is_played(raw: &[u8]) -> bool {
    let Ok(message) = waproto::codec::message_decode(raw) else {
        return false;
    };
    let unwrapped = unwrap(&message);
    let is_note = matches!(
        plain(unwrapped.message),
        Some(Content::Media(media)) if matches!(media.kind, MediaKind::Voice | MediaKind::VideoNote)
    );
    is_note || unwrapped.is_view_once
}

/// The text that stands for a message where it is quoted.
pub(super) fn content_text(message: &wa::Message) -> Option<String> {
    plain(message).and_then(|content| content.body().map(str::to_owned))
}
