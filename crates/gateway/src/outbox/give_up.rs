//! Giving up what a session still has to send: it has no account any more.

use std::sync::Arc;

use wagate_model::OutboxId;
use wagate_store::{Account, Owned, Result};

use super::finish::{Finish, NotFinished};
use super::outcome::{Failure, Outcome};
use super::queue::Item;
use super::scheduled;
use crate::context::Context;
use crate::session::Session;

/// Why messages are not sent after their account is gone.
pub(crate) const LOGGED_OUT: &str = "session_logged_out";
/// Entries that are given up at a time.
const AT_ONCE: i64 = 64;

/// A message that was given up, once its transaction is committed.
pub(crate) struct GivenUp {
    id: OutboxId,
    outcome: Outcome,
}

impl GivenUp {
    /// Tells those who wait for the messages; to be called after the commit.
    pub(crate) fn tell(given_up: Vec<Self>, cx: &Context) {
        for Self { id, outcome } in given_up {
            metrics::counter!("wagate_gateway_sends_total", "outcome" => "failed").increment(1);
            cx.waiters.finish(id, outcome);
        }
    }
}

/// Gives up all, a few entries per transaction.
pub(crate) async fn abandon(cx: &Context, session: &Session, reason: &'static str) -> Result<()> {
    let account = Arc::new(session.account());
    let now_ms = cx.now_ms();
    loop {
        let account = account.clone();
        let given_up = session
            .commit(&cx.store, move |owned| {
                let account = account.clone();
                Box::pin(async move {
                    let account = account.as_ref().as_ref();
                    give_up(owned, account, reason, now_ms).await
                })
            })
            .await?;
        if given_up.is_empty() {
            break;
        }
        GivenUp::tell(given_up, cx);
    }
    while session
        .commit(&cx.store, move |owned| {
            Box::pin(async move { give_up_scheduled(owned, reason, now_ms).await })
        })
        .await?
    {}
    Ok(())
}

/// Gives up messages that wait for their time, a few at a time; whether there were any.
async fn give_up_scheduled(owned: &mut Owned<'_>, reason: &str, now_ms: i64) -> Result<bool> {
    let waiting = owned.waiting_scheduled(AT_ONCE).await?;
    for row in &waiting {
        scheduled::give_up(owned, row, reason, now_ms).await?;
    }
    Ok(!waiting.is_empty())
}

/// Gives up all, in the caller's transaction.
pub(crate) async fn give_up_all(
    owned: &mut Owned<'_>,
    account: Option<&Account>,
    reason: &str,
    now_ms: i64,
) -> Result<Vec<GivenUp>> {
    let mut all = Vec::new();
    loop {
        let given_up = give_up(owned, account, reason, now_ms).await?;
        if given_up.is_empty() {
            break;
        }
        all.extend(given_up);
    }
    while give_up_scheduled(owned, reason, now_ms).await? {}
    Ok(all)
}

async fn give_up(
    owned: &mut Owned<'_>,
    account: Option<&Account>,
    reason: &str,
    now_ms: i64,
) -> Result<Vec<GivenUp>> {
    let mut given_up = Vec::new();
    for due in owned.due_outbox(i64::MAX, AT_ONCE, AT_ONCE).await? {
        let (Ok(item) | Err(item)) = Item::read(due);
        let id = item.id;
        let finish = Finish::failed(item, account.cloned(), Failure::new(reason), now_ms);
        match finish.store(owned).await {
            Ok((outcome, _)) => given_up.push(GivenUp { id, outcome }),
            Err(NotFinished::FinishedBefore) => {}
            Err(NotFinished::Store(error)) => return Err(error),
        }
    }
    Ok(given_up)
}
