//! Who calls: organizations and their API keys.
//!
//! [`Identity`] keeps both in the store and recognizes callers from a cache, which
//! forgets a key at once when it is told so and by itself within a minute.

mod api_keys;
mod authentication;
mod error;
mod last_used;
mod organizations;
mod randomness;
mod service;

pub use api_keys::{CreatedApiKey, NewApiKey};
pub use error::{AuthError, IdentityError};
pub use randomness::{Randomness, SystemRandomness};
pub use service::Identity;
