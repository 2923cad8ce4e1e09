//! The primary's side of linking a companion: what it reads, what it signs.

mod adv;
mod code;
mod qr;

pub(crate) use adv::{CompanionIdentity, key_index_list, sign_companion, verify_device_identity};
pub(crate) use code::{CompanionFinish, PendingCode, normalize};
pub(crate) use qr::QrCode;
