//! What a credential proves.

use std::sync::Arc;

use wagate_model::{ApiKeyPrincipal, ApiKeySecret, PersonPrincipal};

use crate::error::AuthError;
use crate::service::Identity;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A program, by its API key.
    ApiKey(ApiKeyPrincipal),
    /// A person, by login.
    Person(PersonPrincipal),
}

impl Identity {
    /// Recognizes a caller by an API key or a login token.
    pub async fn authenticate(&self, credential: &str) -> Result<Arc<Principal>, AuthError> {
        if credential.starts_with(ApiKeySecret::PREFIX) {
            self.authenticate_key(credential).await
        } else {
            self.authenticate_token(credential).await
        }
    }
}
