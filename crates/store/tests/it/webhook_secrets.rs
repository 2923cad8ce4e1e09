//! Secrets of webhooks that follow one another.

use wagate_model::{OrganizationId, WebhookId};
use wagate_store::testing::{self, START_MS, TestStore};
use wagate_store::{Rotated, SecretChange, SecretRotation, WebhookSecrets};

use crate::events::webhook;
use crate::write;

const DAY_MS: i64 = 86_400_000;

/// A new secret, beside which the one before it stays valid for a while.
pub(crate) fn rotation(secret: &str) -> SecretRotation {
    SecretRotation {
        secret: secret.into(),
        derived: "d3rived".into(),
        valid_until_ms: START_MS + DAY_MS,
    }
}

/// An organization with a webhook, and the time by which it is looked at.
struct Place {
    store: TestStore,
    organization: OrganizationId,
    hook: WebhookId,
}

impl Place {
    async fn new(secret: Option<&'static str>) -> Self {
        let store = testing::store().await;
        let organization = store.organization().await;
        let hook = webhook(organization, &["*"]);
        let id = hook.id;
        write!(store, organization, |tx| {
            tx.insert_webhook(organization, &hook, secret).await
        })
        .unwrap();
        Self {
            store,
            organization,
            hook: id,
        }
    }

    async fn rotate(&self, secret: &str, now_ms: i64) -> Rotated {
        let (organization, hook) = (self.organization, self.hook);
        let rotation = SecretRotation {
            valid_until_ms: now_ms + DAY_MS,
            ..rotation(secret)
        };
        let rotated = write!(self.store, organization, |tx| {
            tx.rotate_webhook_secret(organization, hook, &rotation, now_ms)
                .await
        });
        rotated.unwrap().unwrap()
    }

    async fn secrets(&self, now_ms: i64) -> (Option<String>, Vec<String>) {
        let mut tx = self.store.read().await.unwrap();
        let secrets = tx
            .webhook_secrets(self.organization, self.hook, now_ms)
            .await;
        let WebhookSecrets { current, earlier } = secrets.unwrap().unwrap();
        (current, earlier)
    }
}

#[tokio::test]
async fn each_secret_stays_valid_for_a_day_of_its_own() {
    let place = Place::new(Some("one")).await;
    let hour = DAY_MS / 24;
    assert_eq!(place.rotate("two", START_MS).await, Rotated::Now);
    assert_eq!(place.rotate("three", START_MS + hour).await, Rotated::Now);
    let of = async |now_ms| place.secrets(now_ms).await.1;
    assert_eq!(
        place.secrets(START_MS + hour).await,
        (
            Some("three".into()),
            vec!["two".to_owned(), "one".to_owned()]
        )
    );
    assert_eq!(of(START_MS + DAY_MS - 1).await, ["two", "one"]);
    assert_eq!(of(START_MS + DAY_MS).await, ["two"]);
    assert!(of(START_MS + DAY_MS + hour).await.is_empty());
    // Repeated, it changes nothing; back to an earlier one, that is the present one again.
    let valid_until_ms = Some(START_MS + hour + DAY_MS);
    assert_eq!(
        place.rotate("three", START_MS + 2 * hour).await,
        Rotated::Before { valid_until_ms }
    );
    assert_eq!(place.rotate("two", START_MS + 2 * hour).await, Rotated::Now);
    assert_eq!(of(START_MS + 2 * hour).await, ["three", "one"]);
}

#[tokio::test]
async fn what_signed_without_a_secret_stays_valid_too() {
    let place = Place::new(None).await;
    assert_eq!(place.rotate("one", START_MS).await, Rotated::Now);
    assert_eq!(
        place.secrets(START_MS).await,
        (Some("one".into()), vec!["d3rived".to_owned()])
    );
    // A secret that is set in the ordinary way is valid alone.
    let (organization, hook) = (place.organization, place.hook);
    write!(place.store, organization, |tx| {
        let webhook = tx.webhook(organization, hook).await?.unwrap();
        let change = SecretChange::Replace("set".into());
        tx.update_webhook(organization, &webhook, &change, START_MS)
            .await
    })
    .unwrap();
    assert_eq!(
        place.secrets(START_MS).await,
        (Some("set".into()), Vec::new())
    );
    assert_eq!(
        place.rotate("set", START_MS).await,
        Rotated::Before {
            valid_until_ms: None
        }
    );
}

#[tokio::test]
async fn one_more_than_may_be_valid_waits_for_the_first_to_expire() {
    let place = Place::new(Some("s0")).await;
    for (turn, now_ms) in (1..).zip(START_MS..START_MS + 5) {
        let secret = format!("s{turn}");
        assert_eq!(place.rotate(&secret, now_ms).await, Rotated::Now);
    }
    let until_ms = START_MS + DAY_MS;
    assert_eq!(
        place.rotate("s6", until_ms - 1).await,
        Rotated::TooMany { until_ms }
    );
    assert_eq!(place.secrets(START_MS + 9).await.0.unwrap(), "s5");
    assert_eq!(place.rotate("s6", until_ms).await, Rotated::Now);
    assert_eq!(
        place.secrets(until_ms).await.1,
        ["s5", "s4", "s3", "s2", "s1"]
    );
}
