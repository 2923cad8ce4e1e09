//! Polls, places and contact cards of a request.

use super::{SendRequest, SendType, check_required};
use crate::validation::limits;
use crate::{ContactData, Faults, LocationData, PollData};

impl SendRequest {
    pub(super) fn check_poll(&self, faults: &mut Faults) {
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

    pub(super) fn check_location(&self, faults: &mut Faults) {
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

    pub(super) fn check_contact(&self, faults: &mut Faults) {
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
}
