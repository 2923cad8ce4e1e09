//! Messages to send that the contract has no fields for: events, buttons and lists.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::request::{check_required, check_sent_text};
use crate::validation::limits;
use crate::{Choice, EventData, EventPlace, Faults};

/// How links of calls begin.
const CALL_LINK: &str = "https://call.whatsapp.com/";

/// An event to send.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventInput {
    /// The link of the call that it is held as: `https://call.whatsapp.com/…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048)]
    pub call_link: Option<String>,
    /// Whether it is called off; only an event that was sent can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled: Option<bool>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048)]
    pub description: Option<String>,
    /// When it ends, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<i64>,
    /// Whether who comes may bring others; not, unless it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_guests_allowed: Option<bool>,
    /// Where it takes place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<EventPlace>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub name: Option<String>,
    /// When it begins, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<i64>,
}

/// A button to send.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ButtonInput {
    /// What comes back when it is pressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub id: Option<String>,
    /// The text on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 72)]
    pub title: Option<String>,
}

/// A list to send.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListInput {
    /// The text on the button that opens the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 72)]
    pub button_text: Option<String>,
    /// Its sections: 1 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 10)]
    pub sections: Option<Vec<ListSectionInput>>,
}

/// A section of a list.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListSectionInput {
    /// Its rows: 1 to 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 30)]
    pub rows: Option<Vec<ListRowInput>>,
    /// What stands above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 72)]
    pub title: Option<String>,
}

/// A row of a list.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListRowInput {
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub description: Option<String>,
    /// What comes back when it is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub id: Option<String>,
    /// The text of the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 72)]
    pub title: Option<String>,
}

/// A message that offers a choice, as it goes out.
#[derive(Clone, PartialEq, Eq)]
pub struct Offer {
    /// The text.
    pub text: String,
    /// The small text below it.
    pub footer: Option<String>,
    /// The text on the button that opens the list; none for buttons.
    pub button_text: Option<String>,
    /// The sections of a list, or one with all buttons.
    pub sections: Vec<OfferSection>,
}

/// Choices that stand together.
#[derive(Clone, PartialEq, Eq)]
pub struct OfferSection {
    /// What stands above them.
    pub title: Option<String>,
    /// The choices.
    pub choices: Vec<Choice>,
}

impl Offer {
    /// Everything that can be chosen.
    #[must_use]
    pub fn choices(&self) -> Vec<Choice> {
        let sections = self.sections.iter();
        sections
            .flat_map(|section| section.choices.clone())
            .collect()
    }
}

impl EventInput {
    /// Adds the faults of an event that is not sent yet, as [`Self::check`] does.
    pub fn check_new(&self, field: &str, faults: &mut Faults) {
        let is_called_off = self.canceled == Some(true);
        faults.check(!is_called_off, &format!("{field}.canceled"), || {
            "is for events that were sent: edit the message to call it off".into()
        });
        self.check(field, faults);
    }

    /// Adds the faults of every field, under a field's name.
    pub fn check(&self, field: &str, faults: &mut Faults) {
        let at = |name: &str| format!("{field}.{name}");
        let name = self.name.as_deref();
        check_required(&at("name"), name, limits::EVENT_NAME_CHARS, faults);
        if let Some(text) = &self.description {
            faults.check_text(&at("description"), text, limits::EVENT_DESCRIPTION_CHARS);
        }
        match (self.start_time, self.end_time) {
            (None, _) => faults.add(at("startTime"), "is required"),
            (Some(start), _) if start <= 0 => faults.add(at("startTime"), "must be after 1970"),
            (Some(start), Some(end)) if end <= start => {
                faults.add(at("endTime"), "must be after startTime");
            }
            _ => {}
        }
        if let Some(link) = &self.call_link {
            let is_link = link.starts_with(CALL_LINK) && link.len() <= limits::URL_CHARS;
            faults.check(is_link, &at("callLink"), || {
                format!("must begin with {CALL_LINK}")
            });
        }
        if let Some(place) = &self.location {
            check_place(place, &at("location"), faults);
        }
    }

    /// The event, of a request that was validated.
    #[must_use]
    pub fn event(&self) -> EventData {
        EventData {
            call_link: self.call_link.clone(),
            canceled: self.canceled.unwrap_or(false),
            description: self.description.clone(),
            end_time: self.end_time,
            extra_guests_allowed: self.extra_guests_allowed.unwrap_or(false),
            location: self.location.clone(),
            name: self.name.clone().unwrap_or_default(),
            start_time: self.start_time.unwrap_or_default(),
        }
    }
}

fn check_place(place: &EventPlace, field: &str, faults: &mut Faults) {
    for (name, text) in [("name", &place.name), ("address", &place.address)] {
        if let Some(text) = text {
            faults.check_text(&format!("{field}.{name}"), text, limits::PLACE_NAME_CHARS);
        }
    }
    for (name, value, most) in [
        ("latitude", place.latitude, 90.0),
        ("longitude", place.longitude, 180.0),
    ] {
        let is_place = value.is_none_or(|degrees| degrees.abs() <= most);
        faults.check(is_place, &format!("{field}.{name}"), || {
            format!("must be -{most} to {most}")
        });
    }
    let is_whole = place.latitude.is_some() == place.longitude.is_some();
    faults.check(is_whole, field, || {
        "must have both latitude and longitude, or neither".into()
    });
    let is_named = place.name.is_some() || place.address.is_some() || place.latitude.is_some();
    faults.check(is_named, field, || "must say where it is".into());
}

/// Checks the buttons of a message, and its text.
pub(super) fn check_buttons(
    text: Option<&str>,
    buttons: Option<&[ButtonInput]>,
    faults: &mut Faults,
) {
    check_sent_text("text", text, faults);
    let buttons = buttons.unwrap_or_default();
    let is_count = limits::BUTTONS.contains(&buttons.len());
    faults.check(is_count, "buttons", || "must have 1 to 10 entries".into());
    let mut ids = Vec::new();
    for (index, button) in buttons.iter().enumerate().take(*limits::BUTTONS.end()) {
        let field = format!("buttons[{index}]");
        check_choice(&field, (&button.id, &button.title), &mut ids, faults);
    }
}

/// Checks the list of a message, and its text.
pub(super) fn check_list(text: Option<&str>, list: Option<&ListInput>, faults: &mut Faults) {
    check_sent_text("text", text, faults);
    let Some(list) = list else {
        faults.add("list", "is required for type list");
        return;
    };
    let button = list.button_text.as_deref();
    check_required("list.buttonText", button, limits::CHOICE_CHARS, faults);
    let sections = list.sections.as_deref().unwrap_or_default();
    let is_count = limits::LIST_SECTIONS.contains(&sections.len());
    faults.check(is_count, "list.sections", || {
        "must have 1 to 10 entries".into()
    });
    let mut ids = Vec::new();
    for (index, section) in sections
        .iter()
        .enumerate()
        .take(*limits::LIST_SECTIONS.end())
    {
        let field = format!("list.sections[{index}]");
        if let Some(title) = &section.title {
            faults.check_text(&format!("{field}.title"), title, limits::CHOICE_CHARS);
        }
        let rows = section.rows.as_deref().unwrap_or_default();
        let is_count = limits::LIST_ROWS.contains(&rows.len());
        faults.check(is_count, &format!("{field}.rows"), || {
            "must have 1 to 30 entries".into()
        });
        for (row, choice) in rows.iter().enumerate().take(*limits::LIST_ROWS.end()) {
            let field = format!("{field}.rows[{row}]");
            check_choice(&field, (&choice.id, &choice.title), &mut ids, faults);
            if let Some(text) = &choice.description {
                faults.check_text(
                    &format!("{field}.description"),
                    text,
                    limits::CHOICE_ID_CHARS,
                );
            }
        }
    }
}

fn check_choice<'a>(
    field: &str,
    (id, title): (&'a Option<String>, &Option<String>),
    ids: &mut Vec<&'a str>,
    faults: &mut Faults,
) {
    let id_field = format!("{field}.id");
    check_required(&id_field, id.as_deref(), limits::CHOICE_ID_CHARS, faults);
    check_required(
        &format!("{field}.title"),
        title.as_deref(),
        limits::CHOICE_CHARS,
        faults,
    );
    if let Some(id) = id.as_deref() {
        faults.check(!ids.contains(&id), &id_field, || {
            "must differ from the others".into()
        });
        ids.push(id);
    }
}

/// The sections of an offer: buttons stand together, rows as they are.
pub(super) fn sections(
    buttons: Option<&[ButtonInput]>,
    list: Option<&ListInput>,
) -> Vec<OfferSection> {
    let choice =
        |id: &Option<String>, title: &Option<String>, description: Option<String>| Choice {
            description,
            id: id.clone().unwrap_or_default(),
            title: title.clone().unwrap_or_default(),
        };
    if let Some(list) = list {
        let sections = list.sections.iter().flatten();
        return sections
            .map(|section| OfferSection {
                title: section.title.clone(),
                choices: section
                    .rows
                    .iter()
                    .flatten()
                    .map(|row| choice(&row.id, &row.title, row.description.clone()))
                    .collect(),
            })
            .collect();
    }
    let buttons = buttons.unwrap_or_default().iter();
    vec![OfferSection {
        title: None,
        choices: buttons
            .map(|button| choice(&button.id, &button.title, None))
            .collect(),
    }]
}

macro_rules! hide_contents {
    ($($type:ident),*) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(…)"))
            }
        }
    )*};
}

// What people write must not reach logs by `{:?}`.
hide_contents!(
    EventInput,
    ButtonInput,
    ListInput,
    ListSectionInput,
    ListRowInput,
    Offer,
    OfferSection
);
