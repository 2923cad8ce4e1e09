//! The store on a real database: SQLite by default, PostgreSQL where `TEST_DATABASE_URL` is set.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod attachments;
mod audit;
mod buckets;
mod chats;
mod claims;
mod deliveries;
mod diagnosis;
mod ended;
mod engine;
mod events;
mod history;
mod labels;
mod leases;
mod logins;
mod marks;
mod media;
mod media_claims;
mod media_removal;
mod members;
mod outbox;
mod people;
mod polls;
mod replays;
mod restrictions;
mod retention;
mod scheduled;
mod schema;
mod search;
mod tenants;
mod token_keys;
mod users;
mod webhook_secrets;
mod writer;

/// Runs a job on the writer and waits for its commit.
macro_rules! write {
    ($store:expr, $lane:expr, |$tx:ident| $body:expr) => {
        $store
            .write::<_, wagate_store::StoreError, _>($lane, move |$tx| {
                Box::pin(async move { $body })
            })
            .await
    };
}

pub(crate) use write;

/// A fresh id.
macro_rules! fresh {
    ($kind:ty) => {
        <$kind>::from_parts(1_767_225_600_000, rand::random::<u128>() >> 48)
    };
}

pub(crate) use fresh;
