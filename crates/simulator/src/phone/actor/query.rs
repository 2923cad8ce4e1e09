//! Asking the server and waiting for its answer.

use std::collections::HashMap;
use std::time::Duration;

use wacore::iq::prekeys::PreKeyFetchSpec;
use wacore::iq::spec::IqSpec;
use wacore::iq::usync::{
    DeviceListSpec, IsOnWhatsAppQueryType, IsOnWhatsAppSpec, IsOnWhatsAppUser,
};
use wacore::request::{InfoQuery, RequestUtils};
use wacore_binary::{Jid, Node, NodeContent, Server};
use wacore_libsignal::protocol::PreKeyBundle;

use super::mail::Mail;
use super::run::Actor;
use crate::phone::error::PhoneError;
use crate::phone::nodes::{number_attr, text_attr};
use crate::phone::signal::raw_identity;

/// How long the server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

impl Actor {
    /// Asks the server; other mail waits in the backlog meanwhile.
    pub(super) async fn ask_server(&mut self, query: InfoQuery<'_>) -> Result<Node, PhoneError> {
        let id = self.requests.generate_request_id();
        let node = RequestUtils::build_iq_node(&self.requests, query, Some(id.clone()));
        self.transmit(node)?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.await_answer(&id)).await;
        let Ok(answer) = answer else {
            self.lose_connection();
            return Err(PhoneError::unreachable("the server did not answer in time"));
        };
        let answer = answer?;
        if text_attr(&answer, "type").as_deref() != Some("error") {
            return Ok(answer);
        }
        let error = answer.get_optional_child("error");
        Err(PhoneError::Refused {
            code: error
                .and_then(|error| number_attr(error, "code"))
                .and_then(|code| u16::try_from(code).ok())
                .unwrap_or(500),
            text: error
                .and_then(|error| text_attr(error, "text"))
                .unwrap_or_default(),
        })
    }

    async fn await_answer(&mut self, id: &str) -> Result<Node, PhoneError> {
        loop {
            let mail = self
                .mail
                .recv()
                .await
                .ok_or_else(|| PhoneError::unreachable("the phone is being stopped"))?;
            match mail {
                Mail::Stanza(connection, node)
                    if self.is_current(connection)
                        && node.tag == "iq"
                        && text_attr(&node, "id").as_deref() == Some(id) =>
                {
                    return Ok(node);
                }
                Mail::Closed(connection) if self.is_current(connection) => {
                    self.lose_connection();
                    return Err(PhoneError::unreachable("the connection was lost"));
                }
                mail => self.backlog.push_back(mail),
            }
        }
    }

    pub(super) async fn ask_typed<S: IqSpec>(
        &mut self,
        spec: &S,
    ) -> Result<S::Response, PhoneError> {
        let answer = self.ask_server(spec.build_iq()).await?;
        spec.parse_response(&answer.as_node_ref())
            .map_err(|error| PhoneError::Conflict(format!("the server's answer is odd: {error}")))
    }

    /// The devices of each user, the primary included, by LID; asks the server for those that are
    /// not known.
    pub(super) async fn devices_of(&mut self, users: &[&Jid]) -> Result<Vec<Jid>, PhoneError> {
        let is_unknown = |user: &&&Jid| !self.devices.contains_key(user.user.as_str());
        let unknown: Vec<Jid> = users
            .iter()
            .filter(is_unknown)
            .map(|u| (*u).clone())
            .collect();
        if !unknown.is_empty() {
            let sid = self.requests.generate_request_id();
            let response = self.ask_typed(&DeviceListSpec::new(unknown, sid)).await?;
            for list in response.device_lists {
                let user = self.contacts.lid_of(&list.user).unwrap_or(list.user);
                let ids = list.devices.into_iter().map(|device| device.device);
                self.devices.insert(user.user.to_string(), ids.collect());
            }
        }
        let mut devices = Vec::new();
        for user in users {
            if let Some(ids) = self.devices.get(user.user.as_str()) {
                devices.extend(ids.iter().map(|id| user.with_device(*id)));
            }
        }
        Ok(devices)
    }

    /// A user's devices have changed: they are asked for when they are needed again.
    pub(super) fn forget_devices(&mut self, user: &Jid) {
        let lid = self.contacts.lid_of(user);
        let user = lid.as_ref().unwrap_or(user);
        self.devices.remove(user.user.as_str());
    }

    /// Key bundles of devices; those without one are left out.
    pub(super) async fn bundles_of(
        &mut self,
        devices: Vec<Jid>,
    ) -> Result<HashMap<Jid, PreKeyBundle>, PhoneError> {
        let own_identity = raw_identity(self.shared.keys.identity.identity_key());
        let mut accounts = HashMap::new();
        for device in &devices {
            let account = if device.user == self.shared.lid.user {
                Some(own_identity)
            } else {
                self.signal
                    .identity_of(&device.to_non_ad())
                    .map(raw_identity)
            };
            if let Some(account) = account {
                accounts.insert(device.clone(), account);
            }
        }
        let spec = PreKeyFetchSpec::new(devices).with_account_identities(accounts);
        Ok(self.ask_typed(&spec).await?.bundles)
    }

    /// The LID behind a user's address; asks the server when it is not known.
    pub(super) async fn lid_of(&mut self, jid: &Jid) -> Result<Jid, PhoneError> {
        if let Some(lid) = self.contacts.lid_of(jid) {
            return Ok(lid);
        }
        if jid.server != Server::Pn {
            return Err(PhoneError::invalid(
                "to",
                "only chats with one person can be used",
            ));
        }
        let spec = IsOnWhatsAppSpec::new(
            vec![IsOnWhatsAppUser {
                jid: jid.to_non_ad(),
                known_lid: None,
            }],
            self.requests.generate_request_id(),
            IsOnWhatsAppQueryType::Pn,
        );
        for found in self.ask_typed(&spec).await? {
            if let Some(lid) = &found.lid {
                self.contacts.learn(&found.jid, lid);
            }
            if let Some(number) = &found.pn_jid {
                self.contacts.learn(number, &found.jid);
            }
        }
        self.contacts
            .lid_of(jid)
            .ok_or_else(|| PhoneError::NotFound("the number is not registered".to_owned()))
    }

    /// Asks the server for the number behind a LID.
    pub(super) async fn learn_number(&mut self, lid: &Jid) -> Result<(), PhoneError> {
        let spec = IsOnWhatsAppSpec::new(
            vec![IsOnWhatsAppUser {
                jid: lid.to_non_ad(),
                known_lid: None,
            }],
            self.requests.generate_request_id(),
            IsOnWhatsAppQueryType::Lid,
        );
        for found in self.ask_typed(&spec).await? {
            if let Some(number) = &found.pn_jid {
                self.contacts.learn(number, &found.jid);
            }
        }
        Ok(())
    }

    /// Uploads a batch of one-time prekeys; they are in the journal before they leave.
    pub(super) async fn upload_prekeys(&mut self) -> Result<(), PhoneError> {
        let children = self.signal.prekey_upload()?;
        self.commit()?;
        let query = InfoQuery::set(
            "encrypt",
            Jid::new("", Server::Pn),
            Some(NodeContent::Nodes(children)),
        );
        self.ask_server(query).await?;
        if !self.record.has_uploaded_prekeys {
            self.record.has_uploaded_prekeys = true;
            self.commit_record()?;
        }
        Ok(())
    }
}
