//! Functions that see every organization: for the service's own work and its operator.

mod api_keys;
mod audit;
mod deliveries;
mod diagnosis;
mod external_accounts;
mod gateways;
mod leases;
mod logins;
mod media;
mod organizations;
mod reseal;
mod retention;
mod second_factors;
mod sessions;
mod settings;
mod tickets;
mod token_keys;
mod users;

use crate::tx::Tx;

pub use deliveries::{
    AttemptRecord, ClaimLimits, ClaimedDelivery, Claims, DeliveryClaim, DeliveryOutcome,
    UnreadableWebhook, WebhookHealth, WebhookTarget, Workload,
};
pub use diagnosis::Diagnosis;
pub use gateways::{Gateway, Heartbeat};
pub use leases::ClaimedSession;
pub use logins::{LinkPurpose, LoginRecord, Standing};
pub use media::UnwantedMedia;
pub use reseal::{ResealProgress, SealedColumn};
pub(crate) use token_keys::SEALED_AS as TOKEN_KEY_SEALED_AS;
pub use token_keys::TokenKey;
pub(crate) use users::TOTP_SEALED_AS;
pub use users::UserSecrets;

/// What is not bound to one organization; see [`Tx::admin`].
#[derive(Debug)]
pub struct Admin<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl Tx {
    /// Opens what sees every organization; never call it on behalf of a tenant.
    pub fn admin(&mut self) -> Admin<'_> {
        Admin { tx: self }
    }
}
