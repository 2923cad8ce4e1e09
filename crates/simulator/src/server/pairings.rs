//! Companions that wait to be linked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use wacore_binary::Jid;

use super::api::Server;
use super::error::LinkError;
use super::link::Link;
use super::record::DeviceRecord;
use super::state::AccountCell;

/// What an unpaired companion published when it connected
/// (`DevicePairingRegistrationData` of `ClientPayload`).
#[derive(Debug, Clone)]
pub struct Registration {
    /// The static key of the companion's Noise handshake.
    pub noise_key: [u8; 32],
    /// The companion's Signal identity key, without the type byte.
    pub identity: [u8; 32],
    /// The companion's Signal registration id.
    pub registration_id: u32,
    /// The id of the signed prekey.
    pub signed_prekey_id: u32,
    /// The signed prekey, without the type byte.
    pub signed_prekey: Vec<u8>,
    /// The identity's signature over the signed prekey.
    pub signed_prekey_signature: Vec<u8>,
    /// The companion's `DeviceProps`, encoded.
    pub device_props: Vec<u8>,
    /// What the companion says it runs on.
    pub platform: String,
    /// The name that the companion brought, when it did.
    pub push_name: Option<String>,
}

/// What the primary needs to sign a link.
#[derive(Debug, Clone)]
pub struct LinkContext {
    /// The account's number.
    pub number: String,
    /// The new device by phone number.
    pub jid: Jid,
    /// The new device by LID.
    pub lid: Jid,
    /// The key index allotted to the new device.
    pub key_index: u32,
    /// The key indexes that the account's list is to hold: 0 for the primary, every companion's, and the new one.
    pub valid_key_indexes: Vec<u32>,
    /// The server's time in seconds, for the signed structures.
    pub timestamp_s: i64,
    /// What the companion published.
    pub registration: Arc<Registration>,
}

/// What the primary signed.
#[derive(Debug, Clone)]
pub struct SignedLink {
    /// An encoded `ADVSignedDeviceIdentityHMAC`, sent in `<pair-success>`.
    pub device_identity: Vec<u8>,
    /// An encoded `ADVSignedKeyIndexList`, published with the account's device list.
    pub key_index_list: Vec<u8>,
    /// An encoded `ClientPairingProps` for `<client-props>`.
    pub client_props: Option<Vec<u8>>,
}

/// The first stage of linking by code, as the companion published it.
#[derive(Debug, Clone)]
pub struct LinkCodeHello {
    /// The reference that `primary_hello`, `companion_finish` and [`crate::server::Server::link_by_ref`] repeat.
    pub pairing_ref: String,
    /// `link_code_pairing_wrapped_companion_ephemeral_pub`: salt, counter and the wrapped key.
    pub wrapped_companion_ephemeral: Vec<u8>,
    /// `companion_server_auth_key_pub`: the companion's static Noise key.
    pub companion_noise_key: Vec<u8>,
    /// `companion_platform_id`.
    pub platform_id: String,
    /// `companion_platform_display`.
    pub platform_display: String,
}

/// A link that waits for the companion's `pair-device-sign`.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) iq_id: String,
    pub(crate) device: NewDevice,
    pub(crate) answer: oneshot::Sender<Result<(), LinkError>>,
}

/// What the account gets when the link is made.
#[derive(Debug)]
pub(crate) struct NewDevice {
    pub(crate) allotted: Allotted,
    pub(crate) key_index_list: Vec<u8>,
}

/// A device that an attempt may make; when it is dropped, its id is free for another attempt.
///
/// It must not be dropped while the account is locked.
#[derive(Debug)]
pub(crate) struct Allotted {
    pub(crate) account: Arc<AccountCell>,
    pub(crate) record: DeviceRecord,
}

impl Drop for Allotted {
    fn drop(&mut self) {
        self.account.lock().allotted.remove(&self.record.id);
    }
}

/// Resolves at the first login of a device; when it is dropped, nobody waits for that any more.
pub(crate) struct FirstLogin<'a> {
    server: &'a Server,
    device: (String, u16),
    id: u64,
    pub(crate) receiver: oneshot::Receiver<()>,
}

impl<'a> FirstLogin<'a> {
    pub(crate) fn awaited(server: &'a Server, number: &str, device_id: u16) -> Self {
        let (sender, receiver) = oneshot::channel();
        let device = (number.to_owned(), device_id);
        let id = server.inner.next_link_id();
        let mut waitings = server.inner.pairings.lock();
        waitings.first_logins.insert(device.clone(), (id, sender));
        drop(waitings);
        Self {
            server,
            device,
            id,
            receiver,
        }
    }
}

impl Drop for FirstLogin<'_> {
    fn drop(&mut self) {
        let mut waitings = self.server.inner.pairings.lock();
        if let Some((id, _)) = waitings.first_logins.get(&self.device)
            && *id == self.id
        {
            waitings.first_logins.remove(&self.device);
        }
    }
}

/// An unpaired companion's connection.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) link: Arc<Link>,
    pub(crate) registration: Arc<Registration>,
    pub(crate) attempt: Option<Attempt>,
    /// The references that lead to the connection.
    pub(crate) refs: Vec<String>,
    /// The number that the companion asked a code for.
    pub(crate) code_number: Option<String>,
}

#[derive(Debug, Clone)]
struct Issued {
    link_id: u64,
    expires_at_ms: i64,
}

/// State of the companions that wait, by connection, reference and number.
#[derive(Debug, Default)]
pub(crate) struct Waitings {
    pub(crate) by_link: HashMap<u64, Waiting>,
    refs: HashMap<String, Issued>,
    hellos: HashMap<String, (u64, LinkCodeHello)>,
    /// Resolved at the first login of a device that was just linked.
    pub(crate) first_logins: HashMap<(String, u16), (u64, oneshot::Sender<()>)>,
}

impl Waitings {
    /// Makes a reference known for a connection.
    pub(crate) fn issue(&mut self, pairing_ref: String, link_id: u64, expires_at_ms: i64) {
        // A connection that has gone shows nothing, and nobody would forget the reference.
        let Some(waiting) = self.by_link.get_mut(&link_id) else {
            return;
        };
        waiting.refs.push(pairing_ref.clone());
        self.refs.insert(
            pairing_ref,
            Issued {
                link_id,
                expires_at_ms,
            },
        );
    }

    /// The connection that shows this reference.
    pub(crate) fn by_ref(&mut self, pairing_ref: &str, now_ms: i64) -> Option<(u64, &mut Waiting)> {
        let issued = self.refs.get(pairing_ref)?;
        if issued.expires_at_ms < now_ms {
            return None;
        }
        let link_id = issued.link_id;
        Some((link_id, self.by_link.get_mut(&link_id)?))
    }

    /// Keeps the newest first stage for a number, and of a connection; a code entered for an older
    /// one is not answered.
    pub(crate) fn hello(&mut self, number: String, link_id: u64, hello: LinkCodeHello) {
        self.forget_hello(link_id);
        let Some(waiting) = self.by_link.get_mut(&link_id) else {
            return;
        };
        waiting.code_number = Some(number.clone());
        self.hellos.insert(number, (link_id, hello));
    }

    fn forget_hello(&mut self, link_id: u64) {
        let waiting = self.by_link.get_mut(&link_id);
        let Some(number) = waiting.and_then(|waiting| waiting.code_number.take()) else {
            return;
        };
        if let Some((_, hello)) = self
            .hellos
            .get(&number)
            .filter(|(owner, _)| *owner == link_id)
        {
            self.refs.remove(&hello.pairing_ref);
            if let Some(waiting) = self.by_link.get_mut(&link_id) {
                waiting.refs.retain(|known| *known != hello.pairing_ref);
            }
            self.hellos.remove(&number);
        }
    }

    pub(crate) fn pending_hello(&self, number: &str) -> Option<&LinkCodeHello> {
        self.hellos.get(number).map(|(_, hello)| hello)
    }

    /// Forgets a connection and whatever waited on it.
    pub(crate) fn remove(&mut self, link_id: u64) -> Option<Waiting> {
        self.forget_hello(link_id);
        let waiting = self.by_link.remove(&link_id)?;
        for pairing_ref in &waiting.refs {
            self.refs.remove(pairing_ref);
        }
        Some(waiting)
    }
}

/// The companions that wait, under one lock.
#[derive(Debug, Default)]
pub(crate) struct Pairings(Mutex<Waitings>);

impl Pairings {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Waitings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
