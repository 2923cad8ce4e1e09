//! A phone's half of the Signal protocol: its keys, its sessions and their persistence.

mod cipher;
mod groups;
mod keys;
mod state;
mod stores;

pub(crate) use cipher::{Ciphertext, EncKind};
pub(crate) use keys::PhoneKeys;
pub(crate) use state::{SignalState, raw_identity};
