//! Login tokens: made here, and accepted from here and from other issuers.

use std::sync::Arc;

use wagate_model::UserId;

use crate::error::AuthError;
use crate::principal::Principal;
use crate::service::Identity;

impl Identity {
    /// Recognizes a person by a login token.
    pub(crate) async fn authenticate_token(
        &self,
        _token: &str,
    ) -> Result<Arc<Principal>, AuthError> {
        Err(AuthError::Malformed)
    }

    /// Drops what is remembered of a user: the next caller with a token has the store asked.
    ///
    /// To be called where another process says that what the user may do has changed.
    pub fn forget_user(&self, _user: UserId) {}
}
