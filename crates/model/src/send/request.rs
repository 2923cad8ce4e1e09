//! The body of `sendMessage`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::files::{AlbumMediaPayload, AlbumMediaType, MediaPayload};
use super::special::{
    ButtonInput, EventInput, ListInput, Offer, check_buttons, check_list, sections,
};
use crate::validation::limits;
use crate::{ContactData, EventData, Faults, Jid, JidKind, LocationData, MediaKind, PollData};

/// What kind of message to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SendType {
    /// A text.
    Text,
    /// A poll.
    Poll,
    /// A place on the map.
    Location,
    /// A contact card.
    Contact,
    /// A picture.
    Image,
    /// A video.
    Video,
    /// Sound, also a voice note.
    Audio,
    /// Any file.
    Document,
    /// A sticker.
    Sticker,
    /// Several pictures and videos that are shown together.
    Album,
    /// An event with answers (beyond the contract).
    Event,
    /// A text with buttons (beyond the contract).
    Buttons,
    /// A text with a list to choose from (beyond the contract).
    List,
}

impl SendType {
    /// The kind of file that a message of this type has; none for those without one of its own.
    #[must_use]
    pub const fn media_kind(self) -> Option<MediaKind> {
        match self {
            Self::Image => Some(MediaKind::Image),
            Self::Video => Some(MediaKind::Video),
            Self::Audio => Some(MediaKind::Audio),
            Self::Document => Some(MediaKind::Document),
            Self::Sticker => Some(MediaKind::Sticker),
            Self::Text
            | Self::Poll
            | Self::Location
            | Self::Contact
            | Self::Album
            | Self::Event
            | Self::Buttons
            | Self::List => None,
        }
    }
}

/// A contact card to send.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContactCard {
    /// The name on the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub name: Option<String>,
    /// The phone number on the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub phone: Option<String>,
    /// The card as vCard text, taken as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65536)]
    pub vcard: Option<String>,
}

/// The body of `sendMessage`; which fields count depends on `type`.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendRequest {
    /// The buttons, for type buttons: 1 to 10 (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 10)]
    pub buttons: Option<Vec<ButtonInput>>,
    /// The text under a file or an album.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65536)]
    pub caption: Option<String>,
    /// The card, for type contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactCard>,
    /// The event, for type event (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventInput>,
    /// The small text below a message with buttons or a list (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub footer: Option<String>,
    /// Degrees north, for type location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// Whether a text shows what its first link leads to, unless the installation shows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_preview: Option<bool>,
    /// The list, for type list (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListInput>,
    /// Degrees east, for type location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    /// The file, for types image, video, audio, document and sticker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaPayload>,
    /// The files of an album: 2 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 10)]
    pub medias: Option<Vec<AlbumMediaPayload>>,
    /// Phone numbers or JIDs that the text mentions as `@<number>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 1024)]
    pub mentions: Option<Vec<String>>,
    /// The question of a poll, or what a place is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub name: Option<String>,
    /// The answers of a poll: 2 to 12, all different.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 12)]
    pub options: Option<Vec<String>>,
    /// When a poll closes, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_end_time: Option<i64>,
    /// Whether a poll shows nobody who voted for what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_hide_votes: Option<bool>,
    /// The WhatsApp id of the message to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 128)]
    pub reply_to: Option<String>,
    /// How many answers of a poll one voter may choose: 1 by default, 0 for any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selectable_count: Option<i64>,
    /// When to send it, in milliseconds since 1970: later than now, and within a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_at: Option<i64>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65536)]
    pub text: Option<String>,
    /// The chat: a phone number in digits, or a JID.
    #[schema(max_length = 64)]
    pub to: String,
    /// What kind of message to send.
    #[serde(rename = "type")]
    pub kind: SendType,
}

impl std::fmt::Debug for SendRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendRequest")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl SendRequest {
    /// Checks every field and gives the chat's address.
    pub fn validate(&self) -> Result<Jid, Faults> {
        let mut faults = Faults::new();
        match self.check(&mut faults) {
            Some(chat) if faults.is_empty() => Ok(chat),
            _ => Err(faults),
        }
    }

    /// The chat's address, of a request that was validated: its files may be gone meanwhile.
    pub fn recipient(&self) -> Result<Jid, Faults> {
        let mut faults = Faults::new();
        self.check_recipient(&mut faults).ok_or(faults)
    }

    /// Adds the faults of every field, and gives the chat's address where it has none.
    pub fn check(&self, faults: &mut Faults) -> Option<Jid> {
        let chat = self.check_recipient(faults);
        // What must be there depends on the kind.
        if faults.is_unreadable("type") {
            // A text that is there can be wrong for itself.
            if self.text.as_deref().is_some_and(|text| !text.is_empty()) {
                self.check_body(faults);
            }
        } else {
            match self.kind {
                SendType::Text => self.check_body(faults),
                SendType::Poll => self.check_poll(faults),
                SendType::Location => self.check_location(faults),
                SendType::Contact => self.check_contact(faults),
                SendType::Album => self.check_album(faults),
                SendType::Event => match &self.event {
                    Some(event) => event.check_new("event", faults),
                    None => faults.add("event", "is required for type event"),
                },
                SendType::Buttons => {
                    check_buttons(self.text.as_deref(), self.buttons.as_deref(), faults);
                }
                SendType::List => check_list(self.text.as_deref(), self.list.as_ref(), faults),
                SendType::Image
                | SendType::Video
                | SendType::Audio
                | SendType::Document
                | SendType::Sticker => self.check_file(faults),
            }
        }
        if let Some(id) = &self.reply_to {
            faults.check_length("replyTo", id, limits::MESSAGE_ID_CHARS);
            let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic());
            faults.check(is_id, "replyTo", || "must be the id of a message".into());
        }
        if let Some(footer) = &self.footer {
            faults.check_text("footer", footer, limits::FOOTER_CHARS);
        }
        self.check_mentions(faults);
        chat
    }

    fn check_body(&self, faults: &mut Faults) {
        check_sent_text("text", self.text.as_deref(), faults);
    }

    fn check_poll(&self, faults: &mut Faults) {
        let name = self.name.as_deref();
        check_required("name", name, limits::POLL_NAME_CHARS, faults);
        let options = self.options.as_deref().unwrap_or_default();
        let is_count = limits::POLL_OPTIONS.contains(&options.len());
        faults.check(is_count, "options", || "must have 2 to 12 entries".into());
        for (index, option) in options.iter().enumerate().take(*limits::POLL_OPTIONS.end()) {
            let field = format!("options[{index}]");
            check_required(&field, Some(option), limits::POLL_OPTION_CHARS, faults);
            faults.check(!options[..index].contains(option), &field, || {
                "must differ from the others".into()
            });
        }
        let most = i64::try_from(options.len()).unwrap_or(i64::MAX);
        let is_choice = self
            .selectable_count
            .is_none_or(|count| (0..=most).contains(&count));
        faults.check(is_choice, "selectableCount", || {
            "must be 0 to the number of options".into()
        });
    }

    fn check_location(&self, faults: &mut Faults) {
        for (field, value, most) in [
            ("latitude", self.latitude, 90.0),
            ("longitude", self.longitude, 180.0),
        ] {
            match value {
                None => faults.add(field, "is required for type location"),
                Some(degrees) => faults.check(degrees.abs() <= most, field, || {
                    format!("must be -{most} to {most}")
                }),
            }
        }
        if let Some(name) = &self.name {
            faults.check_text("name", name, limits::PLACE_NAME_CHARS);
        }
    }

    fn check_contact(&self, faults: &mut Faults) {
        let Some(card) = &self.contact else {
            faults.add("contact", "is required for type contact");
            return;
        };
        if let Some(vcard) = card.vcard.as_deref() {
            let is_card = vcard.trim_start().starts_with("BEGIN:VCARD");
            faults.check(is_card, "contact.vcard", || {
                "must be a vCard: it begins with BEGIN:VCARD".into()
            });
            return;
        }
        let name = card.name.as_deref();
        check_required("contact.name", name, limits::CARD_NAME_CHARS, faults);
        let digits = card.phone.as_deref().map_or(0, |phone| {
            phone.chars().filter(char::is_ascii_digit).count()
        });
        faults.check((5..=20).contains(&digits), "contact.phone", || {
            "must be a phone number".into()
        });
    }

    fn check_file(&self, faults: &mut Faults) {
        let Some(base) = self.kind.media_kind() else {
            return;
        };
        let Some(media) = &self.media else {
            faults.add("media", format!("is required for type {}", base.as_str()));
            return;
        };
        // The file itself may be large: it is looked at where it is.
        let caption = media.caption.as_deref().or(self.caption.as_deref());
        media.check_with("media", base, caption, faults);
    }

    fn check_album(&self, faults: &mut Faults) {
        let medias = self.medias.as_deref().unwrap_or_default();
        let is_count = limits::ALBUM_FILES.contains(&medias.len());
        faults.check(is_count, "medias", || "must have 2 to 10 entries".into());
        for (index, item) in medias.iter().enumerate().take(*limits::ALBUM_FILES.end()) {
            item.check(&format!("medias[{index}]"), faults);
        }
        if let Some(caption) = &self.caption {
            faults.check_text("caption", caption, limits::TEXT_CHARS);
        }
    }

    /// Whether it is of a type whose messages have files.
    #[must_use]
    pub const fn has_files(&self) -> bool {
        self.kind.media_kind().is_some() || matches!(self.kind, SendType::Album)
    }

    /// Takes the files out, as (name of the field, kind, file): what is left is the message
    /// without their bytes.
    pub fn take_files(&mut self) -> Vec<(String, MediaKind, MediaPayload)> {
        let caption = self.caption.take();
        if let Some(medias) = self.medias.take() {
            let mut files = Vec::new();
            for (index, item) in medias.into_iter().enumerate() {
                let kind = match item.kind {
                    Some(AlbumMediaType::Video) => MediaKind::Video,
                    Some(AlbumMediaType::Image) | None => MediaKind::Image,
                };
                let mut payload = MediaPayload::from(item);
                // Official clients show an album's text under its first picture.
                payload.caption = caption.clone().filter(|_| index == 0);
                files.push((format!("medias[{index}]"), kind, payload));
            }
            return files;
        }
        let (Some(base), Some(mut media)) = (self.kind.media_kind(), self.media.take()) else {
            return Vec::new();
        };
        media.caption = media.caption.or(caption);
        let kind = media.check("media", base, &mut Faults::new());
        vec![("media".to_owned(), kind, media)]
    }

    /// The poll, for a request of that type.
    #[must_use]
    pub fn poll(&self) -> Option<PollData> {
        (self.kind == SendType::Poll).then(|| PollData {
            end_time: self.poll_end_time,
            hide_votes: self.poll_hide_votes.filter(|is_hidden| *is_hidden),
            name: self.name.clone().unwrap_or_default(),
            options: self.options.clone().unwrap_or_default(),
            selectable_count: self.selectable_count.unwrap_or(1),
        })
    }

    /// The event, for a request of that type.
    #[must_use]
    pub fn event(&self) -> Option<EventData> {
        let event = self.event.as_ref();
        event
            .filter(|_| self.kind == SendType::Event)
            .map(EventInput::event)
    }

    /// What is offered to choose from, for a request of type buttons or list.
    #[must_use]
    pub fn offer(&self) -> Option<Offer> {
        let list = self.list.as_ref().filter(|_| self.kind == SendType::List);
        (list.is_some() || self.kind == SendType::Buttons).then(|| Offer {
            text: self.text.clone().unwrap_or_default(),
            footer: self.footer.clone(),
            button_text: list.and_then(|list| list.button_text.clone()),
            sections: sections(self.buttons.as_deref(), list),
        })
    }

    /// The place, for a request of that type.
    #[must_use]
    pub fn location(&self) -> Option<LocationData> {
        (self.kind == SendType::Location).then(|| LocationData {
            address: None,
            latitude: self.latitude.unwrap_or_default(),
            longitude: self.longitude.unwrap_or_default(),
            name: self.name.clone(),
        })
    }

    /// The card, for a request of that type: as it was given, or made from name and number.
    #[must_use]
    pub fn card(&self) -> Option<ContactData> {
        if self.kind != SendType::Contact {
            return None;
        }
        let card = self.contact.clone().unwrap_or_default();
        let vcard = card.vcard.unwrap_or_else(|| {
            vcard(
                card.name.as_deref().unwrap_or_default(),
                card.phone.as_deref().unwrap_or_default(),
            )
        });
        let name = card.name.or_else(|| name_of(&vcard));
        Some(ContactData {
            display_name: name,
            vcard: Some(vcard),
        })
    }

    fn check_recipient(&self, faults: &mut Faults) -> Option<Jid> {
        match Jid::parse_lenient(&self.to) {
            Ok(jid) if matches!(jid.kind(), JidKind::Status | JidKind::Broadcast) => {
                faults.add("to", "must be a person, a group or a channel");
                None
            }
            // What kind it is may not be known.
            Ok(jid)
                if jid.kind() == JidKind::Newsletter
                    && !faults.is_unreadable("type")
                    && self.kind != SendType::Text
                    && self.kind.media_kind().is_none() =>
            {
                faults.add(
                    "to",
                    "must be a person or a group: channels take texts and single files",
                );
                None
            }
            Ok(jid) => {
                let media = self.media.as_ref();
                let is_view_once = media.is_some_and(|media| media.view_once == Some(true));
                if jid.kind() == JidKind::Newsletter && is_view_once {
                    faults.add("media.viewOnce", "is not for channels");
                }
                Some(jid)
            }
            Err(error) => {
                faults.add("to", error.to_string());
                None
            }
        }
    }

    fn check_mentions(&self, faults: &mut Faults) {
        let mentions = self.mentions.as_deref().unwrap_or_default();
        faults.check(mentions.len() <= limits::MENTIONS, "mentions", || {
            format!("must have at most {} entries", limits::MENTIONS)
        });
        for (index, mention) in mentions.iter().enumerate().take(limits::MENTIONS) {
            let is_person = Jid::parse_lenient(mention).is_ok_and(|jid| jid.kind().is_person());
            faults.check(is_person, &format!("mentions[{index}]"), || {
                "must be a phone number or the JID of a person".into()
            });
        }
    }

    /// Adds the faults of its times, which depend on what time it is now.
    pub fn check_times(&self, now_ms: i64, faults: &mut Faults) {
        let sent_at = self.send_at.unwrap_or(now_ms);
        if self.send_at.is_some() {
            let latest = now_ms.saturating_add(limits::SCHEDULE_MS);
            faults.check(sent_at > now_ms && sent_at <= latest, "sendAt", || {
                "must be in the future, and within a year".into()
            });
        }
        let is_ahead = self.poll_end_time.is_none_or(|end| end > sent_at);
        let late = || match self.send_at {
            Some(_) => "must be later than sendAt".into(),
            None => "must be in the future".into(),
        };
        faults.check(is_ahead, "pollEndTime", late);
        let begins = self.event.as_ref().and_then(|event| event.start_time);
        let is_ahead = begins.is_none_or(|begins| begins > sent_at);
        faults.check(is_ahead, "event.startTime", late);
    }

    /// What can be read of it in a list: the text, the caption, or the question of a poll.
    #[must_use]
    pub fn shown_text(&self) -> Option<&str> {
        let texts = [&self.text, &self.caption, &self.name];
        texts.into_iter().find_map(Option::as_deref)
    }

    /// The people mentioned, for a request that was validated.
    #[must_use]
    pub fn mentioned(&self) -> Vec<Jid> {
        let mentions = self.mentions.iter().flatten();
        mentions
            .filter_map(|mention| Jid::parse_lenient(mention).ok())
            .collect()
    }
}

/// Checks a text that is to be sent.
pub(super) fn check_sent_text(field: &str, text: Option<&str>, faults: &mut Faults) {
    match text {
        None | Some("") => faults.add(field, "is required"),
        Some(text) if text.trim().is_empty() => faults.add(field, "must not be blank"),
        Some(text) => faults.check_text(field, text, limits::TEXT_CHARS),
    }
}

pub(super) fn check_required(field: &str, text: Option<&str>, most: usize, faults: &mut Faults) {
    match text.map(str::trim) {
        None | Some("") => faults.add(field, "is required"),
        Some(_) => faults.check_text(field, text.unwrap_or_default(), most),
    }
}

/// A card in version 3.0 (RFC 2426), with the parameter by which WhatsApp knows the number.
fn vcard(name: &str, phone: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars().filter(|c| !c.is_control()) {
        if matches!(c, '\\' | ',' | ';') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    format!(
        "BEGIN:VCARD\nVERSION:3.0\nN:;{escaped};;;\nFN:{escaped}\n\
         TEL;type=CELL;waid={digits}:+{digits}\nEND:VCARD"
    )
}

/// The formatted name of a card.
fn name_of(vcard: &str) -> Option<String> {
    let line = vcard.lines().find(|line| line.starts_with("FN"))?;
    let (_, name) = line.split_once(':')?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: serde_json::Value) -> SendRequest {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let request = request(serde_json::json!({
            "type": "text", "to": "nobody", "replyTo": "", "mentions": ["x", "15551234567"]
        }));
        let faults = request.validate().unwrap_err().into_vec();
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["to", "text", "replyTo", "mentions[0]"]);
    }

    #[test]
    fn each_kind_asks_for_its_own_fields() {
        for (json, expected) in [
            (
                serde_json::json!({"type": "poll", "to": "15551234567", "name": "q", "options": ["a"]}),
                vec!["options"],
            ),
            (
                serde_json::json!({"type": "poll", "to": "15551234567", "name": " ",
                    "options": ["a", "a"], "selectableCount": 3}),
                vec!["name", "options[1]", "selectableCount"],
            ),
            (
                serde_json::json!({"type": "location", "to": "15551234567", "latitude": 91.0}),
                vec!["latitude", "longitude"],
            ),
            (
                serde_json::json!({"type": "contact", "to": "15551234567", "contact": {"phone": "x"}}),
                vec!["contact.name", "contact.phone"],
            ),
            (
                serde_json::json!({"type": "contact", "to": "15551234567", "contact": {"vcard": "Ann"}}),
                vec!["contact.vcard"],
            ),
        ] {
            let faults = request(json).validate().unwrap_err().into_vec();
            let fields: Vec<_> = faults.iter().map(|fault| fault.field.clone()).collect();
            assert_eq!(fields, expected);
        }
    }

    #[test]
    fn channels_take_texts_and_single_files() {
        let to = "120363000000000001@newsletter";
        let media = serde_json::json!({"data": "AAAA"});
        let file = |kind: &str| serde_json::json!({"type": kind, "to": to, "media": media});
        for kind in ["image", "video", "audio", "document", "sticker"] {
            assert!(request(file(kind)).validate().is_ok(), "{kind}");
        }
        let once = serde_json::json!({"data": "AAAA", "viewOnce": true});
        for (json, field) in [
            (
                serde_json::json!({"type": "image", "to": to, "media": once}),
                "media.viewOnce",
            ),
            (
                serde_json::json!({"type": "album", "to": to, "medias": [media, media]}),
                "to",
            ),
            (
                serde_json::json!({"type": "poll", "to": to, "name": "q", "options": ["a", "b"]}),
                "to",
            ),
        ] {
            let faults = request(json).validate().unwrap_err().into_vec();
            assert_eq!(faults[0].field, field);
        }
    }

    #[test]
    fn a_card_is_taken_as_it_is_or_made() {
        let made = request(serde_json::json!({"type": "contact", "to": "15551234567",
            "contact": {"name": "Ann; Lee", "phone": "+1 555"}}));
        let card = made.card().unwrap();
        assert_eq!(card.display_name.as_deref(), Some("Ann; Lee"));
        let vcard = card.vcard.unwrap();
        assert!(
            vcard.contains("FN:Ann\\; Lee") && vcard.contains("waid=1555:+1555"),
            "{vcard}"
        );
        let given = request(serde_json::json!({"type": "contact", "to": "15551234567",
            "contact": {"vcard": "BEGIN:VCARD\nFN:Bob\nEND:VCARD"}}));
        assert_eq!(given.card().unwrap().display_name.as_deref(), Some("Bob"));
    }

    #[test]
    fn a_number_becomes_a_chat() {
        let request =
            request(serde_json::json!({"type": "text", "to": "+15551234567", "text": "hi"}));
        assert_eq!(
            request.validate().unwrap().as_str(),
            "15551234567@s.whatsapp.net"
        );
    }
}
