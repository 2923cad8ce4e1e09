//! A device that is logged in on one connection.

use std::sync::Arc;

use wacore_binary::Jid;

use super::jids::Addressing;
use super::link::Link;
use super::state::AccountCell;

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) account: Arc<AccountCell>,
    pub(crate) device_id: u16,
    pub(crate) link: Arc<Link>,
}

impl Session {
    /// The device's own address.
    pub(crate) fn jid(&self, addressing: Addressing) -> Jid {
        self.account.device_jid(addressing, self.device_id)
    }

    /// The account's other devices.
    pub(crate) fn siblings(&self) -> impl Iterator<Item = u16> + use<'_> {
        let device_ids = self.account.device_ids().into_iter();
        device_ids.filter(|device_id| *device_id != self.device_id)
    }
}
