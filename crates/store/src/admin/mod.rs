//! Functions that see every organization: for the service's own work and its operator.

mod api_keys;
mod deliveries;
mod diagnosis;
mod gateways;
mod leases;
mod organizations;
mod reseal;
mod retention;
mod sessions;
mod settings;
mod tickets;

use crate::tx::Tx;

pub use deliveries::{
    AttemptRecord, ClaimLimits, ClaimedDelivery, Claims, DeliveryClaim, DeliveryOutcome,
    UnreadableWebhook, WebhookHealth, WebhookTarget, Workload,
};
pub use diagnosis::Diagnosis;
pub use gateways::{Gateway, Heartbeat};
pub use leases::ClaimedSession;
pub use reseal::{ResealProgress, SealedColumn};

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
