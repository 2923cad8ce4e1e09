//! People: whether they are there, what they show, and whether they are blocked.

use std::sync::Arc;

use wagate_cluster::{ContactReply, ContactRequest, LiveReply};
use wagate_engine::EngineEvent;
use wagate_model::{Jid, JidKind};

use super::{Live, LiveResult};
use crate::inbound::commit_news;
use crate::outbox::store_refusal;

impl Live<'_> {
    pub(super) async fn contact(&self, request: ContactRequest) -> LiveResult {
        let connection = &self.connection;
        let reply = match request {
            ContactRequest::Check { phones } => connection
                .check_numbers(&phones)
                .await
                .map(ContactReply::Checked),
            ContactRequest::About { person } => {
                connection.about_of(&person).await.map(ContactReply::About)
            }
            ContactRequest::Picture { of } => {
                connection.picture_of(&of).await.map(ContactReply::Picture)
            }
            ContactRequest::SetBlocked { person, is_blocked } => {
                return self.done(connection.set_blocked(&person, is_blocked).await);
            }
            ContactRequest::MuteStatus { person, is_muted } => {
                return self.mute_status(person, is_muted).await;
            }
            ContactRequest::Blocklist => connection.blocklist().await.map(ContactReply::Blocklist),
            ContactRequest::Save {
                person,
                full_name,
                first_name,
            } => return self.save(&person, full_name, first_name).await,
        };
        match reply {
            Ok(reply) => Ok(LiveReply::Contact(reply)),
            Err(error) => Err(self.refusal(&error)),
        }
    }

    /// Has WhatsApp tell it to the account's other devices, and notes it here.
    async fn mute_status(&self, person: Jid, is_muted: bool) -> LiveResult {
        // Stories come by LID.
        let alias = self.connection.alias_of(&person).await;
        let lid = [Some(person.clone()), alias]
            .into_iter()
            .flatten()
            .find(|address| address.kind() == JidKind::Lid);
        let person = lid.unwrap_or(person);
        self.done(self.connection.mute_status(&person, is_muted).await)?;
        let muted = EngineEvent::StatusMuted { person, is_muted };
        let noted = commit_news(self.cx, self.session, Arc::new(vec![muted])).await;
        noted.map_err(|error| store_refusal(&error))?;
        Ok(LiveReply::Done)
    }

    /// Has WhatsApp tell the name to the account's other devices, and notes it here.
    async fn save(
        &self,
        person: &Jid,
        full_name: String,
        first_name: Option<String>,
    ) -> LiveResult {
        let connection = &self.connection;
        let saved = connection
            .save_contact(person, &full_name, first_name.as_deref())
            .await;
        let name = match saved {
            Ok(name) => EngineEvent::ContactName(name),
            Err(error) => return Err(self.refusal(&error)),
        };
        let noted = commit_news(self.cx, self.session, Arc::new(vec![name])).await;
        noted.map_err(|error| store_refusal(&error))?;
        Ok(LiveReply::Done)
    }
}
