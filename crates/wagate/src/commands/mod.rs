//! What each command does.

mod doctor;
mod documents;
mod keys;
mod organizations;
#[cfg(feature = "sandbox")]
mod sandbox;
mod serve;
mod users;

pub(crate) use self::doctor::doctor;
pub(crate) use self::documents::{openapi, version};
pub(crate) use self::keys::key;
pub(crate) use self::organizations::organization;
#[cfg(feature = "sandbox")]
pub(crate) use self::sandbox::{sandbox, simulator};
pub(crate) use self::serve::{migrate, serve};
pub(crate) use self::users::user;
