//! Use cases of login tokens.

use std::sync::Arc;

use serde_json::Value;
use wagate_identity::{CurrentLogin, IdentityError, MintedToken};

use crate::error::{Error, Result};
use crate::service::Core;

impl Core {
    /// The public keys of login tokens, as a JWK set.
    pub async fn login_token_keys(&self) -> Result<Arc<Value>> {
        Ok(self.identity.jwks().await?)
    }

    /// Makes a login token for a browser; forbidden where only other issuers make them.
    pub async fn create_login_token(&self, login: &CurrentLogin) -> Result<MintedToken> {
        if !self.identity.config().has_builtin_issuer {
            return Err(Error::Forbidden);
        }
        match self.identity.mint_token(&login.record).await {
            // It has ended since it was looked up.
            Err(IdentityError::NotFound) => Err(Error::Unauthorized),
            minted => Ok(minted?),
        }
    }
}
