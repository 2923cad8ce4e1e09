//! What a row of `engine_record` holds.

/// The kinds of record; the numbers are stored and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// The linked device: keys, account, counters. `stamp` is 1 once it is paired.
    Device = 1,
    /// A peer's identity key, by protocol address.
    Identity = 10,
    /// A Double Ratchet session, by protocol address.
    Session = 11,
    /// A one-time prekey, by id. `stamp` is 1 once it was uploaded.
    PreKey = 12,
    /// A signed prekey, by id.
    SignedPreKey = 13,
    /// A group sender key, by group and sender.
    SenderKey = 14,
    /// An app state key, by key id.
    AppStateKey = 20,
    /// The id of the app state key that was stored last.
    AppStateKeyLatest = 21,
    /// Version and hash of an app state collection, by name.
    AppStateVersion = 22,
    /// The value MAC of an app state mutation, by collection and index MAC.
    AppStateMac = 23,
    /// The base key of a session at a retry, by address and message. `stamp` is when, in seconds.
    BaseKey = 30,
    /// A user's devices, by user.
    DeviceList = 31,
    /// A group as last queried, by JID.
    GroupMetadata = 32,
    /// A decrypted message that waits to be committed. `stamp` is when it came, in seconds.
    PendingInbound = 33,
    /// A part of the history that is not stored to its end, by the message that announced it.
    /// `stamp` is how many of its pages are stored.
    HistoryPart = 34,
}

impl RecordKind {
    /// The number in the `kind` column.
    pub(crate) const fn number(self) -> i16 {
        self as i16
    }

    /// Whether writing it can make a message that came in undecryptable when it comes again.
    pub(crate) const fn is_signal_state(self) -> bool {
        matches!(
            self,
            Self::Identity | Self::Session | Self::PreKey | Self::SignedPreKey | Self::SenderKey
        )
    }
}
