//! Which webhooks want which events, remembered from group to group.

use std::collections::{BTreeMap, HashMap};

use sqlx::{FromRow, QueryBuilder};
use wagate_model::{EventSelector, OrganizationId, SessionId, WebhookId};

use super::NewEvent;
use super::flush::{ROWS_PER_INSERT, ROWS_WORTH_PREPARING, Stream};
use crate::error::Result;
use crate::text::Text;
use crate::tx::{Tx, on};

/// Organizations whose subscriptions one writer remembers; beyond, it begins anew.
const MAX_REMEMBERED: usize = 10_000;

#[derive(FromRow)]
struct SubscriptionRow {
    id: Text<WebhookId>,
    organization_id: Text<OrganizationId>,
    session_id: Option<Text<SessionId>>,
    events: String,
}

#[derive(Debug)]
struct Subscriber {
    id: WebhookId,
    session: Option<SessionId>,
    selector: EventSelector,
}

impl SubscriptionRow {
    /// What the webhook wants; nothing where that cannot be read, so that one broken row
    /// does not stop the events of all.
    fn into_subscriber(self) -> Option<Subscriber> {
        let names: Vec<String> = match serde_json::from_str(&self.events) {
            Ok(names) => names,
            Err(error) => {
                tracing::error!(
                    webhook.id = %self.id.0,
                    error = %error,
                    "the events that a webhook wants cannot be read: it gets none"
                );
                metrics::counter!("wagate_store_unreadable_subscriptions_total").increment(1);
                return None;
            }
        };
        Some(Subscriber {
            id: self.id.0,
            session: self.session_id.map(|session| session.0),
            selector: EventSelector::of_known(&names),
        })
    }
}

#[derive(Debug)]
struct Remembered {
    webhooks_version: i64,
    subscribers: Vec<Subscriber>,
}

/// The active webhooks of organizations, each list good for one version of them.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(HashMap<OrganizationId, Remembered>);

impl Subscriptions {
    /// The webhooks that want an event, by the lists last refreshed.
    pub(super) fn wanting(&self, event: &NewEvent) -> impl Iterator<Item = WebhookId> {
        let remembered = self.0.get(&event.organization).into_iter();
        remembered
            .flat_map(|remembered| &remembered.subscribers)
            .filter(|subscriber| {
                subscriber.selector.wants(event.kind)
                    && subscriber
                        .session
                        .is_none_or(|session| session == event.session)
            })
            .map(|subscriber| subscriber.id)
    }
}

impl Tx {
    /// Has every writer read the organization's webhooks again, once the group is committed.
    pub(crate) fn note_changed_webhooks(&mut self, organization: OrganizationId) {
        self.changed_webhooks.insert(organization);
    }

    /// Reads the webhooks of organizations whose locked streams tell another version than
    /// the one remembered.
    pub(super) async fn refresh_subscriptions(
        &mut self,
        organizations: &[OrganizationId],
        streams: &BTreeMap<OrganizationId, Stream>,
    ) -> Result<()> {
        let version = |organization: &OrganizationId| {
            let stream = streams.get(organization);
            stream.map_or(0, |stream| stream.webhooks_version)
        };
        if self.subscriptions.0.len() > MAX_REMEMBERED {
            self.subscriptions = Subscriptions::default();
        }
        let mut stale = organizations.to_vec();
        stale.retain(|organization| {
            let known = self.subscriptions.0.get(organization);
            known.is_none_or(|known| known.webhooks_version != version(organization))
        });
        for organization in &stale {
            let nobody = Remembered {
                webhooks_version: version(organization),
                subscribers: Vec::new(),
            };
            self.subscriptions.0.insert(*organization, nobody);
        }
        for chunk in stale.chunks(ROWS_PER_INSERT) {
            for row in self.subscription_rows(chunk).await? {
                let remembered = self.subscriptions.0.get_mut(&row.organization_id.0);
                if let (Some(remembered), Some(subscriber)) = (remembered, row.into_subscriber()) {
                    remembered.subscribers.push(subscriber);
                }
            }
        }
        Ok(())
    }

    async fn subscription_rows(
        &mut self,
        organizations: &[OrganizationId],
    ) -> Result<Vec<SubscriptionRow>> {
        Ok(on!(self, |conn| {
            let mut query = QueryBuilder::new(
                "SELECT id, organization_id, session_id, events FROM webhook \
                 WHERE active AND organization_id IN (",
            );
            let mut list = query.separated(", ");
            for organization in organizations {
                list.push_bind(Text(*organization));
            }
            query.push(") ORDER BY id");
            query
                .build_query_as()
                .persistent(organizations.len() <= ROWS_WORTH_PREPARING)
                .fetch_all(conn)
                .await
        })?)
    }
}
