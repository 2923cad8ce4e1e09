//! Who is behind a number and a LID: one person, two addresses.

use std::collections::{BTreeSet, HashMap};

use wacore_binary::{Jid, Server};

use crate::journal::{Batch, Journal};
use crate::phone::error::PhoneError;

const CONTACTS: &str = "phone-contact";

/// The pairs of number and LID that a phone has learned.
///
/// Sessions are kept under LIDs, as the servers address devices today; what people see is
/// named by number.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    lid_by_number: HashMap<String, String>,
    number_by_lid: HashMap<String, String>,
    changed: BTreeSet<String>,
}

impl Contacts {
    /// Reads the contacts of `number`.
    pub(crate) fn restore(journal: &Journal, number: &str) -> Result<Self, PhoneError> {
        let mut contacts = Self::default();
        let prefix = format!("{number}/");
        for (key, value) in journal.scan_prefix(CONTACTS, &prefix)? {
            let known = key.get(prefix.len()..).map(<[u8]>::to_vec);
            if let (Some(Ok(number)), Ok(lid)) = (
                known.map(String::from_utf8),
                String::from_utf8(value.to_vec()),
            ) {
                contacts.insert(number, lid);
            }
        }
        Ok(contacts)
    }

    /// Adds everything that changed since the last call to `batch`.
    pub(crate) fn write_changes(&mut self, batch: &mut Batch<'_>, number: &str) {
        for contact in std::mem::take(&mut self.changed) {
            if let Some(lid) = self.lid_by_number.get(&contact) {
                batch.put(CONTACTS, format!("{number}/{contact}"), lid.clone());
            }
        }
    }

    /// Deletes every trace of `number`.
    pub(crate) fn erase(journal: &Journal, number: &str) -> Result<(), PhoneError> {
        let mut batch = journal.batch();
        for (key, _) in journal.scan_prefix(CONTACTS, format!("{number}/"))? {
            batch.delete(CONTACTS, key);
        }
        Ok(batch.commit()?)
    }

    /// Learns that two addresses mean the same person; anything else is ignored.
    pub(crate) fn learn(&mut self, one: &Jid, other: &Jid) {
        let (number, lid) = match (one.server, other.server) {
            (Server::Pn, Server::Lid) => (one, other),
            (Server::Lid, Server::Pn) => (other, one),
            _ => return,
        };
        let (number, lid) = (number.user.to_string(), lid.user.to_string());
        if self.lid_by_number.get(&number) != Some(&lid) {
            self.changed.insert(number.clone());
            self.insert(number, lid);
        }
    }

    /// The LID of a user, keeping the device; `None` while it is not known.
    pub(crate) fn lid_of(&self, jid: &Jid) -> Option<Jid> {
        match jid.server {
            Server::Lid => Some(jid.clone()),
            Server::Pn => {
                let lid = self.lid_by_number.get(jid.user.as_str())?;
                Some(Jid::lid_device(lid.as_str(), jid.device))
            }
            _ => None,
        }
    }

    /// The user by number, without a device; by LID while the number is not known.
    pub(crate) fn shown(&self, jid: &Jid) -> Jid {
        match self.number_by_lid.get(jid.user.as_str()) {
            Some(number) if jid.server == Server::Lid => Jid::pn(number.as_str()),
            _ => jid.to_non_ad(),
        }
    }

    /// Every known pair of number and LID.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lid_by_number
            .iter()
            .map(|(number, lid)| (number.as_str(), lid.as_str()))
    }

    fn insert(&mut self, number: String, lid: String) {
        self.number_by_lid.insert(lid.clone(), number.clone());
        self.lid_by_number.insert(number, lid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_found_by_either_address() {
        let journal = Journal::memory();
        let mut contacts = Contacts::default();
        contacts.learn(&Jid::lid_device("77", 3), &Jid::pn("1555"));
        let mut batch = journal.batch();
        contacts.write_changes(&mut batch, "9");
        batch.commit().unwrap();
        let contacts = Contacts::restore(&journal, "9").unwrap();
        let device = contacts.lid_of(&Jid::pn_device("1555", 3)).unwrap();
        assert_eq!(device, Jid::lid_device("77", 3));
        assert_eq!(contacts.shown(&Jid::lid_device("77", 3)), Jid::pn("1555"));
        assert_eq!(contacts.lid_of(&Jid::pn("1556")), None);
        assert_eq!(contacts.shown(&Jid::lid("78")), Jid::lid("78"));
    }
}
