//! People: what they show, how they are saved, and whether they are blocked.

use std::pin::Pin;

use wagate_model::{Jid, JidKind, ProfilePicture};
use whatsapp_rust::Client;
use whatsapp_rust::features::{AppStateError, BlockingError, ContactError};

use super::Connection;
use super::actions::request_error;
use super::chats::failure as app_state_error;
use super::hook::other_address;
use crate::convert::{library_jid, model_jid};
use crate::{ContactName, KnownPerson, RequestError};

impl Connection {
    /// What WhatsApp says of people's addresses and businesses; who is not there is left out.
    pub async fn people(&self, people: &[Jid]) -> Result<Vec<KnownPerson>, RequestError> {
        if people.is_empty() {
            return Ok(Vec::new());
        }
        let client = &self.session().client;
        let asked: Vec<_> = people.iter().map(library_jid).collect();
        let contacts = client.contacts();
        let found = contacts.is_on_whatsapp(&asked).await;
        let found = found.map_err(|error| contact_error(&error))?;
        let there = found.into_iter().filter(|result| result.is_registered);
        let known = there.map(|result| {
            let addresses = [
                Some(&result.jid),
                result.lid.as_ref(),
                result.pn_jid.as_ref(),
            ];
            let addresses: Vec<_> = addresses
                .into_iter()
                .flatten()
                .filter_map(model_jid)
                .collect();
            let of = |kind| addresses.iter().find(|jid| jid.kind() == kind).cloned();
            let name = result.verified_name.and_then(|verified| verified.name);
            KnownPerson {
                phone: of(JidKind::User),
                lid: of(JidKind::Lid),
                business_name: name.map(|name| name.replace('\0', "")),
            }
        });
        Ok(known.collect())
    }

    /// The text below a person's name; empty where there is none or it is hidden.
    ///
    /// Fails with code 404 where there is no such person.
    pub async fn about_of(&self, person: &Jid) -> Result<String, RequestError> {
        let client = &self.session().client;
        let asked = [library_jid(person)];
        let contacts = client.contacts();
        let found = contacts.get_user_info(&asked).await;
        let found = found.map_err(|error| contact_error(&error))?;
        let info = found.into_values().next();
        let info = info.ok_or(RequestError::Refused { code: 404 })?;
        Ok(info.status.unwrap_or_default().replace('\0', ""))
    }

    /// The picture of a person or group, where one is shown to this account.
    pub async fn picture_of(&self, of: &Jid) -> Result<Option<ProfilePicture>, RequestError> {
        let client = &self.session().client;
        let contacts = client.contacts();
        let found = contacts.get_profile_picture(&library_jid(of), false).await;
        let found = found.map_err(|error| contact_error(&error))?;
        Ok(found.map(|picture| ProfilePicture {
            id: Some(picture.id),
            url: Some(picture.url),
        }))
    }

    /// Blocks or unblocks a person.
    pub async fn set_blocked(&self, person: &Jid, is_blocked: bool) -> Result<(), RequestError> {
        match self.change_blocklist(person, is_blocked).await {
            // Both addresses are needed, and WhatsApp knows the other one.
            Err(BlockingError::InvalidJid(_)) => {
                let client = &self.session().client;
                let asked = [library_jid(person)];
                let learned = client.contacts().is_on_whatsapp(&asked).await;
                learned.map_err(|error| contact_error(&error))?;
                let changed = self.change_blocklist(person, is_blocked).await;
                changed.map_err(|error| blocking_error(&error))
            }
            changed => changed.map_err(|error| blocking_error(&error)),
        }
    }

    /// Saves a person under a name, on the account's other devices; gives what is to be noted.
    ///
    /// Fails with code 404 where the person's phone number is not known: contacts have one.
    pub async fn save_contact(
        &self,
        person: &Jid,
        full_name: &str,
        first_name: Option<&str>,
    ) -> Result<ContactName, RequestError> {
        let client = self.logged_in()?;
        let other = other_address(client, person).await;
        let (phone, alias) = match person.kind() {
            JidKind::Lid => (other, Some(person.clone())),
            _ => (Some(person.clone()), other),
        };
        let phone = phone.ok_or(RequestError::Refused { code: 404 })?;
        let name = ContactName {
            person: phone,
            alias,
            full_name: Some(full_name.to_owned()),
            first_name: first_name.map(str::to_owned),
            is_initial: false,
        };
        let saving = save(client, &name);
        saving.await.map_err(|error| app_state_error(&error))?;
        Ok(name)
    }

    async fn change_blocklist(&self, person: &Jid, is_blocked: bool) -> Result<(), BlockingError> {
        let blocking = self.session().client.blocking();
        let person = library_jid(person);
        if is_blocked {
            blocking.block(&person).await
        } else {
            blocking.unblock(&person).await
        }
    }

    /// The people whom the account has blocked.
    pub async fn blocklist(&self) -> Result<Vec<Jid>, RequestError> {
        let blocking = self.session().client.blocking();
        let entries = blocking.get_blocklist().await;
        let entries = entries.map_err(|error| blocking_error(&error))?;
        Ok(entries
            .iter()
            .filter_map(|entry| model_jid(&entry.jid))
            .collect())
    }
}

/// Behind a pointer, as in [`super::chats`]: the library's future is nested too deeply.
#[inline(never)]
fn save<'s>(
    client: &'s Client,
    name: &'s ContactName,
) -> Pin<Box<dyn Future<Output = Result<(), AppStateError>> + Send + 's>> {
    Box::pin(async move {
        let person = library_jid(&name.person);
        let (full, first) = (name.full_name.clone(), name.first_name.clone());
        let actions = client.chat_actions();
        // Into the phone's own address book nothing is written.
        actions.save_contact(&person, full, first, false).await
    })
}

fn contact_error(error: &ContactError) -> RequestError {
    match error {
        ContactError::Iq(error) => request_error(error),
        ContactError::InvalidJid(_) => RequestError::Refused { code: 404 },
        _ => RequestError::Failed,
    }
}

fn blocking_error(error: &BlockingError) -> RequestError {
    match error {
        BlockingError::Iq(error) => request_error(error),
        // WhatsApp knows no such person.
        BlockingError::InvalidJid(_) => RequestError::Refused { code: 404 },
        _ => RequestError::Failed,
    }
}
