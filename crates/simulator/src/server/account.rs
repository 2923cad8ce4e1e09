//! What the server tells about an account and its devices.

use wacore_binary::Jid;

/// An account: a phone number with its primary device and linked companions.
#[derive(Debug, Clone)]
pub struct Account {
    /// The phone number, digits only.
    pub number: String,
    /// The primary device by phone number.
    pub jid: Jid,
    /// The primary device by LID.
    pub lid: Jid,
    /// The name shown to others.
    pub push_name: String,
    /// Whether the primary device is attached.
    pub is_online: bool,
    /// The linked companions, by device id.
    pub devices: Vec<Device>,
}

/// A linked companion.
#[derive(Debug, Clone)]
pub struct Device {
    /// The device id, from 1.
    pub id: u16,
    /// The companion by phone number.
    pub jid: Jid,
    /// The companion by LID.
    pub lid: Jid,
    /// The key index that the account's signed list knows the companion by.
    pub key_index: u32,
    /// What the companion said it runs on when it registered.
    pub platform: String,
    /// Whether the companion has a live socket.
    pub is_online: bool,
    /// Whether the companion has logged in since it was linked.
    pub has_logged_in: bool,
    /// When the companion was linked, in milliseconds since the Unix epoch.
    pub linked_at_ms: i64,
}
