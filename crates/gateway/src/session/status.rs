//! Storing where a session stands, with what changes along with it.

use std::sync::Arc;

use wagate_model::EventKind;
use wagate_store::{NewEvent, Owned, Result};

use super::handle::Session;
use super::standing::Standing;
use crate::context::Context;
use crate::outbox::{self, GivenUp};

/// A change that is stored with a status.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Also {
    /// Nothing else.
    Nothing,
    /// The session is not to run any more.
    Unwanted,
    /// As `Unwanted`, and its credentials and number are forgotten, and what it still has to
    /// send fails: the next account must not send it.
    Unpaired,
}

/// Stores a status with what goes with it, in one transaction; `is_told` adds an event where
/// the stored status was another.
pub(super) async fn store_standing(
    cx: &Arc<Context>,
    session: &Session,
    standing: Standing,
    also: Also,
    is_told: bool,
) -> Result<()> {
    // Before it is stored: who reads `working` in the store may send at once, and a message
    // that is accepted after the end of an account sees that in its own transaction.
    session.set_standing(standing);
    let change = Change {
        standing,
        also,
        is_told,
        now_ms: cx.now_ms(),
    };
    let given_up = session
        .persist(|| {
            let account = Arc::new(session.account());
            session.commit(&cx.store, move |owned| {
                let account = account.clone();
                Box::pin(async move {
                    change.store(owned).await?;
                    if also != Also::Unpaired {
                        return Ok(Vec::new());
                    }
                    let account = account.as_ref().as_ref();
                    outbox::give_up_all(owned, account, outbox::LOGGED_OUT, change.now_ms).await
                })
            })
        })
        .await?;
    GivenUp::tell(given_up, cx);
    Ok(())
}

#[derive(Clone, Copy)]
struct Change {
    standing: Standing,
    also: Also,
    is_told: bool,
    now_ms: i64,
}

impl Change {
    async fn store(self, owned: &mut Owned<'_>) -> Result<()> {
        let (organization, session) = (owned.organization(), owned.session());
        let Standing {
            status,
            reason,
            detail,
        } = self.standing;
        let has_changed = owned
            .set_status(status, reason, detail, self.now_ms)
            .await?;
        if self.also != Also::Nothing {
            owned.set_wanted(false, self.now_ms).await?;
        }
        if self.also == Also::Unpaired {
            owned.set_account(None, self.now_ms).await?;
            owned.clear_restrictions(self.now_ms).await?;
            owned.wipe_engine_state(organization, session).await?;
        }
        if has_changed && self.is_told {
            let payload = self.standing.payload();
            let kind = EventKind::SessionStatus;
            let event = NewEvent::new(organization, session, kind, self.now_ms, &payload)?;
            owned.append_event(event);
        }
        Ok(())
    }
}
