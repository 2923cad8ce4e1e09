//! Devices coming online and going offline.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use wacore_binary::{Jid, Node};

use crate::faults::{Fault, FaultError, FaultKind, FaultSpec, LoginFate};

use super::api::Server;
use super::error::ServerError;
use super::link::{Link, LinkReceiver, Outgoing};
use super::outbox::Outbox;
use super::pairings::{Registration, Waiting};
use super::port::DevicePort;
use super::session::Session;
use super::stanza::{marshal, stream_conflict, stream_error};
use super::state::{AccountCell, Live};

/// Why a login is refused, as the `reason` of `<failure>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 401: no such device, or its key is another.
    LoggedOut,
    /// 402, with the `code` and the seconds that it lasts.
    TemporarilyBanned { code: u16, expire_s: u64 },
    /// 403.
    Banned,
    /// 405.
    Outdated,
}

impl Server {
    /// Attaches an in-process device, usually the primary: the stanzas that a socket's client gets
    /// after `<success>`, what waited in the queue first. An earlier connection is replaced.
    pub fn attach(&self, device: &Jid) -> Result<DevicePort, ServerError> {
        let account = self
            .inner
            .directory
            .by_jid(device)
            .ok_or(ServerError::UnknownAccount)?;
        let (link, receiver) = Link::unbounded(self.inner.next_link_id(), &self.inner.shutdown);
        let session = Self::open_session(account, device.device, link, false)
            .ok_or(ServerError::UnknownDevice)?;
        let outbox = self.pushed_outbox(&session, receiver);
        Ok(DevicePort::new(self.clone(), session, outbox))
    }

    /// What a socket's task writes from.
    pub(crate) fn socket_outbox(&self, session: &Session, receiver: LinkReceiver) -> Outbox {
        let patience = Duration::from_millis(self.inner.config.offline_patience_ms);
        let journal = self.inner.journal.clone();
        Outbox::pulled(session.clone(), receiver, journal, patience)
    }

    /// What a device reads that gets its backlog as fast as it reads.
    pub(crate) fn pushed_outbox(&self, session: &Session, receiver: LinkReceiver) -> Outbox {
        let journal = self.inner.journal.clone();
        Outbox::pushed(session.clone(), receiver, journal)
    }

    /// A link for a socket.
    pub(crate) fn socket_link(&self) -> (Link, LinkReceiver) {
        Link::bounded(
            self.inner.next_link_id(),
            self.inner.config.socket_queue_len,
            &self.inner.shutdown,
        )
    }

    /// Whether the client is older than the server takes.
    pub(crate) fn is_outdated(&self, version: [u32; 3]) -> bool {
        self.inner
            .config
            .min_client_version
            .is_some_and(|least| version < least)
    }

    /// An id for a stanza that the server starts.
    pub(crate) fn stanza_id(&self) -> String {
        self.inner.stanza_id()
    }

    /// Checks a login: who it is, and whether it may.
    pub(crate) fn admit(
        &self,
        number: &str,
        device_id: u16,
        noise_key: &[u8; 32],
    ) -> Result<Arc<AccountCell>, Refusal> {
        match self.inner.faults.login(number) {
            Some(LoginFate::Banned) => return Err(Refusal::Banned),
            Some(LoginFate::TemporarilyBanned { code, for_s }) => {
                let expire_s = for_s;
                return Err(Refusal::TemporarilyBanned { code, expire_s });
            }
            Some(LoginFate::ExpiredVersion) => return Err(Refusal::Outdated),
            None => {}
        }
        let account = self.cell(number).map_err(|_| Refusal::LoggedOut)?;
        {
            let state = account.lock();
            let device = state.devices.get(&device_id).ok_or(Refusal::LoggedOut)?;
            if device.record.noise_key != noise_key {
                return Err(Refusal::LoggedOut);
            }
        }
        Ok(account)
    }

    /// Makes the link the device's connection; the one before is told that it was replaced.
    pub(crate) fn open_session(
        account: Arc<AccountCell>,
        device_id: u16,
        link: Link,
        is_passive: bool,
    ) -> Option<Session> {
        let link = Arc::new(link);
        let live = Live {
            link: link.clone(),
            drain_from: Some(0),
            asked_for: 0,
            is_passive,
            is_available: false,
        };
        let replaced = account
            .lock()
            .devices
            .get_mut(&device_id)?
            .live
            .replace(live);
        if let Some(replaced) = replaced {
            let conflict = stream_conflict("replaced");
            replaced.link.push(Outgoing::Last(marshal(&conflict)));
        }
        Some(Session {
            account,
            device_id,
            link,
        })
    }

    /// The connection has ended: the device is offline unless it has a newer one.
    pub(crate) fn close_session(&self, session: &Session) {
        let was_available = {
            let mut state = session.account.lock();
            let Some(device) = state.devices.get_mut(&session.device_id) else {
                return;
            };
            if device
                .live
                .as_ref()
                .is_none_or(|live| live.link.id != session.link.id)
            {
                return;
            }
            device.live.take().is_some_and(|live| live.is_available)
        };
        if was_available {
            self.presence_ended(session);
        }
    }

    /// Starts to wait for an unpaired companion to be linked.
    pub(crate) fn open_waiting(&self, link: &Arc<Link>, registration: Registration) {
        let waiting = Waiting {
            link: link.clone(),
            registration: Arc::new(registration),
            attempt: None,
            refs: Vec::new(),
            code_number: None,
        };
        self.inner.pairings.lock().by_link.insert(link.id, waiting);
    }

    /// Makes references for a QR code, each valid until the time given with it.
    pub(crate) fn issue_refs(&self, link_id: u64, expiries_ms: &[i64]) -> Vec<String> {
        let refs: Vec<String> = expiries_ms.iter().map(|_| self.new_ref()).collect();
        let mut waitings = self.inner.pairings.lock();
        for (pairing_ref, expires_at_ms) in refs.iter().zip(expiries_ms) {
            waitings.issue(pairing_ref.clone(), link_id, *expires_at_ms);
        }
        refs
    }

    /// Whether an unpaired companion asked for a linking code.
    pub(crate) fn waits_for_code(&self, link_id: u64) -> bool {
        let waitings = self.inner.pairings.lock();
        waitings
            .by_link
            .get(&link_id)
            .is_some_and(|waiting| waiting.code_number.is_some())
    }

    /// The unpaired companion has gone; a link that waits for its answer fails.
    pub(crate) fn close_waiting(&self, link_id: u64) {
        self.inner.pairings.lock().remove(link_id);
    }

    /// A reference as WhatsApp's look: a format marker and random bytes.
    pub(crate) fn new_ref(&self) -> String {
        use base64::Engine as _;
        let bytes: [u8; 90] = self.inner.with_rng(|rng| {
            let mut bytes = [0; 90];
            rng.fill(&mut bytes[..]);
            bytes
        });
        format!(
            "2@{}",
            base64::engine::general_purpose::STANDARD.encode(bytes)
        )
    }

    /// Adds a fault, and strikes live sockets with it when it is of that kind.
    pub fn inject(&self, spec: FaultSpec) -> Result<Fault, FaultError> {
        let is_immediate = spec.kind.is_immediate() && spec.tag.is_none();
        let mut fault = self.inner.faults.add(spec)?;
        if is_immediate {
            self.strike_live(&mut fault);
        }
        Ok(fault)
    }

    fn strike_live(&self, fault: &mut Fault) {
        for account in self.inner.directory.all() {
            let links: Vec<Arc<Link>> = account
                .lock()
                .devices
                .values()
                .filter(|device| device.record.id != 0)
                .filter_map(|device| Some(device.live.as_ref()?.link.clone()))
                .collect();
            for link in links {
                if !self.inner.faults.strike_live(fault, &account.number) {
                    continue;
                }
                match last_words(fault) {
                    Some(last) => {
                        link.push(Outgoing::Last(marshal(&last)));
                    }
                    None => link.cut(),
                }
            }
        }
    }
}

fn last_words(fault: &Fault) -> Option<Node> {
    match fault.spec.kind {
        FaultKind::StreamError => Some(stream_error(fault.spec.code.unwrap_or(503))),
        FaultKind::Replaced => Some(stream_conflict("replaced")),
        FaultKind::Ban => Some(stream_error(403)),
        _ => None,
    }
}
