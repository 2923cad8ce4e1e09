//! Simulated phones: primary devices that encrypt, decrypt, link companions and remember.
//!
//! A phone is a device like any other to the server: all it does goes through its port as
//! stanzas, and only ciphertext does.

mod actor;
mod contacts;
pub(crate) mod content;
mod error;
mod groups;
mod handle;
pub(crate) mod link;
mod linking;
mod log;
mod media;
mod nodes;
mod past;
mod phones;
mod record;
mod shared;
pub(crate) mod signal;

pub use content::{Content, FileContent, FileKind, SendRequest};
pub use error::{FieldError, PhoneError};
pub use groups::{GroupSettings, Joined, MemberAction, MemberOutcome, NewGroup};
pub use handle::{ChatState, Phone, Sent};
pub use log::{MessageQuery, MessageStatus, StoredMessage};
pub use media::{FoundFile, MediaState, StoredMedia};
pub use past::Past;
pub(crate) use phones::unknown_phone;
pub use phones::{Phones, PhonesConfig};
pub use record::Behaviour;
