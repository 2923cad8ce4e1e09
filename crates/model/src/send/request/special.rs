//! What is special in a request: events, what is offered to choose from, and when it is sent.

use super::{SendRequest, SendType};
use crate::send::special::{EventInput, Offer, check_buttons, check_list, sections};
use crate::validation::limits;
use crate::{EventData, Faults};

impl SendRequest {
    pub(super) fn check_event(&self, faults: &mut Faults) {
        match &self.event {
            Some(event) => event.check_new("event", faults),
            None => faults.add("event", "is required for type event"),
        }
    }

    /// Checks the choices of a request of type buttons or list.
    pub(super) fn check_offer(&self, faults: &mut Faults) {
        let text = self.text.as_deref();
        if self.kind == SendType::List {
            check_list(text, self.list.as_ref(), faults);
        } else {
            check_buttons(text, self.buttons.as_deref(), faults);
        }
    }

    pub(super) fn check_footer(&self, faults: &mut Faults) {
        if let Some(footer) = &self.footer {
            faults.check_text("footer", footer, limits::FOOTER_CHARS);
        }
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
}
