//! Whether numbers are on WhatsApp, and under which number.
//!
//! WhatsApp answers with the number that an account is registered under, which is not always
//! the one that was asked about: mobile numbers of Brazil, Mexico and Argentina have two forms.

use std::collections::BTreeSet;

use wagate_model::{Jid, JidKind, OnWhatsApp};
use whatsapp_rust::Client;
use whatsapp_rust::lid_pn_cache::LearningSource;
use whatsapp_rust::usync::{
    UsyncAddressingMode, UsyncContext, UsyncMode, UsyncOutcome, UsyncProtocol, UsyncProtocolKind,
    UsyncProtocolResult, UsyncQuery, UsyncResponse, UsyncUser, UsyncUserResult,
};

use super::Connection;
use super::actions::request_error;
use super::hook::other_address;
use crate::RequestError;
use crate::convert::{library_jid, model_jid};

impl Connection {
    /// Whether numbers are on WhatsApp, in the order of the question.
    ///
    /// The JID is that of the account's own number, also where that was written differently.
    pub async fn check_numbers(&self, phones: &[Jid]) -> Result<Vec<OnWhatsApp>, RequestError> {
        let client = &self.session().client;
        let asked: Vec<&Jid> = BTreeSet::from_iter(phones).into_iter().collect();
        let answers = ask(client, &asked).await?;
        learn(client, &answers).await;
        let digits: Vec<&str> = asked.iter().map(|phone| phone.user()).collect();
        let found = matched(&digits, &answers);
        let answer = |phone: &Jid| {
            let place = asked.iter().position(|asked| *asked == phone);
            let found = place.and_then(|place| found[place]);
            let found = found.filter(|found| found.is_there);
            let jid = found.map(|found| found.phone.as_ref().unwrap_or(phone));
            OnWhatsApp {
                is_on_whats_app: found.is_some(),
                jid: jid.map(Jid::to_string),
                query: phone.user().to_owned(),
            }
        };
        Ok(phones.iter().map(answer).collect())
    }
}

/// What WhatsApp says of one number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Found {
    /// The number as it was asked about, where WhatsApp repeats it.
    echo: Option<String>,
    is_there: bool,
    /// The number that the answer bears: the account's own, where there is one.
    phone: Option<Jid>,
    /// The account's other address.
    lid: Option<Jid>,
}

impl Found {
    fn of(user: &UsyncUserResult) -> Self {
        let contact = match user.protocol(UsyncProtocolKind::Contact) {
            Some(UsyncProtocolResult::Contact(UsyncOutcome::Value(contact))) => Some(contact),
            _ => None,
        };
        let is_there = contact.is_some_and(|contact| contact.contact_type == "in");
        let lid = match user.protocol(UsyncProtocolKind::Lid) {
            Some(UsyncProtocolResult::Lid(UsyncOutcome::Value(lid))) => lid.as_ref(),
            _ => None,
        };
        let addresses = [user.id.as_ref(), user.pn_jid.as_ref(), lid];
        let addresses = addresses.into_iter().flatten().filter_map(model_jid);
        let (phones, lids): (Vec<_>, Vec<_>) = addresses
            .filter(|jid| jid.kind().is_person())
            .partition(|jid| jid.kind() == JidKind::User);
        let echo = contact.and_then(|contact| contact.content.as_deref());
        let echo: Option<String> =
            echo.map(|text| text.chars().filter(char::is_ascii_digit).collect());
        Self {
            echo: echo.filter(|digits| !digits.is_empty()),
            is_there,
            phone: phones.into_iter().next(),
            lid: lids.into_iter().next(),
        }
    }

    fn bears(&self, digits: &str) -> bool {
        self.phone
            .as_ref()
            .is_some_and(|phone| phone.user() == digits)
    }
}

async fn ask(client: &Client, asked: &[&Jid]) -> Result<Vec<Found>, RequestError> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let contact = UsyncProtocol::Contact {
        addressing_mode: UsyncAddressingMode::Pn,
    };
    let mut users = Vec::with_capacity(asked.len());
    for phone in asked {
        let user = UsyncUser::from_phone(phone.user());
        users.push(match other_address(client, phone).await {
            Some(lid) => user.with_known_lid(library_jid(&lid)),
            None => user,
        });
    }
    let (mode, context) = (UsyncMode::Query, UsyncContext::Interactive);
    let query = UsyncQuery::new(mode, context, vec![contact, UsyncProtocol::Lid], users);
    let query = query.map_err(|_| RequestError::Failed)?;
    let answer = client.query_usync(query).await;
    let answer = answer.map_err(|error| request_error(&error))?;
    check_contacts(&answer)?;
    Ok(answer.users.iter().map(Found::of).collect())
}

/// Whether WhatsApp has answered the question at all: it may refuse it for a while.
fn check_contacts(answer: &UsyncResponse) -> Result<(), RequestError> {
    let state = answer.protocol_state(UsyncProtocolKind::Contact);
    match state.and_then(|state| state.error.as_ref()) {
        Some(error) => Err(error
            .code
            .map_or(RequestError::Failed, |code| RequestError::Refused { code })),
        None => Ok(()),
    }
}

/// Keeps the accounts' other addresses in mind, as the library does with its own questions.
async fn learn(client: &Client, answers: &[Found]) {
    for found in answers {
        if let (true, Some(phone), Some(lid)) = (found.is_there, &found.phone, &found.lid) {
            let learned =
                client.add_lid_pn_mapping(lid.user(), phone.user(), LearningSource::Usync);
            if let Err(error) = learned.await {
                // It is learned again with the first message.
                tracing::debug!(%error, "an address was not kept");
            }
        }
    }
}

/// The answer to each number: the one that repeats it, else the one that bears it; what is left
/// over by their order, where neither side has more.
fn matched<'f>(asked: &[&str], answers: &'f [Found]) -> Vec<Option<&'f Found>> {
    let mut is_taken = vec![false; answers.len()];
    let mut take = |is_wanted: &dyn Fn(&Found) -> bool| {
        let free = |(place, found): &(usize, &Found)| !is_taken[*place] && is_wanted(found);
        let (place, found) = answers.iter().enumerate().find(free)?;
        is_taken[place] = true;
        Some(found)
    };
    let mut matched: Vec<Option<&Found>> = asked
        .iter()
        .map(|digits| take(&|found| found.echo.as_deref() == Some(*digits)))
        .collect();
    for (found, digits) in matched.iter_mut().zip(asked) {
        *found = found.or_else(|| take(&|found| found.echo.is_none() && found.bears(digits)));
    }
    let mut rest: Vec<&Found> = Vec::new();
    while let Some(found) = take(&|found| found.echo.is_none()) {
        rest.push(found);
    }
    let missing = matched.iter().filter(|found| found.is_none()).count();
    if rest.len() == missing {
        let mut rest = rest.into_iter();
        for found in matched.iter_mut().filter(|found| found.is_none()) {
            *found = rest.next();
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(echo: Option<&str>, user: Option<&str>) -> Found {
        Found {
            echo: echo.map(str::to_owned),
            is_there: true,
            phone: user.map(|user| format!("{user}@s.whatsapp.net").parse().unwrap()),
            lid: None,
        }
    }

    fn users<'f>(asked: &[&str], answers: &'f [Found]) -> Vec<Option<&'f str>> {
        let matched = matched(asked, answers);
        let user = |found: Option<&'f Found>| Some(found?.phone.as_ref()?.user());
        matched.into_iter().map(user).collect()
    }

    #[test]
    fn a_repeated_number_names_its_answer_whatever_it_bears() {
        let answers = [
            found(Some("5215512345678"), Some("525512345678")),
            found(Some("5511987654321"), Some("551187654321")),
        ];
        let asked = ["5511987654321", "5215512345678"];
        assert_eq!(
            users(&asked, &answers),
            [Some("551187654321"), Some("525512345678")]
        );
        // One that repeats another number is no answer.
        assert_eq!(users(&["15550001111"], &answers), [None]);
    }

    #[test]
    fn answers_without_a_number_asked_are_told_by_their_own_then_by_their_order() {
        let answers = [
            found(None, Some("551187654321")),
            found(None, Some("15550001111")),
            found(None, Some("525512345678")),
        ];
        let asked = ["5511987654321", "5215512345678", "15550001111"];
        assert_eq!(
            users(&asked, &answers),
            [
                Some("551187654321"),
                Some("525512345678"),
                Some("15550001111")
            ]
        );
        // Fewer than were asked about: nobody knows whose they are.
        assert_eq!(
            users(&asked, &answers[..1]),
            [None, None, None],
            "rather none than another's"
        );
        assert_eq!(users(&asked[..1], &answers[..1]), [Some("551187654321")]);
    }
}
