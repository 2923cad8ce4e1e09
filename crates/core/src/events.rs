//! Use cases of the event log.

use std::time::Duration;

use tokio::time::Instant;
use wagate_cluster::{Subscription, Topic};
use wagate_model::{Draft, EventId, EventKind, EventSelector, Faults, OrganizationId, SessionId};
use wagate_store::{EventFilter, Tx};

use crate::caller::{Caller, SessionAccess};
use crate::error::Result;
use crate::pages::clamp_limit;
use crate::service::Core;

/// Events that are read from the log at once.
pub(crate) const BATCH: i64 = 200;

/// Most batches of one pull: who may see a few sessions only reads a long log in several.
const MAX_BATCHES: usize = 10;

/// Longest time that a pull waits for events, in milliseconds.
pub const MAX_WAIT_MS: i64 = 30_000;

/// Which events a caller pulls.
#[derive(Debug, Clone, Default)]
pub struct PullRequest {
    /// Only events after this one; all that are kept where absent.
    pub after: Option<String>,
    /// Only this session's.
    pub session: Option<String>,
    /// Only these kinds; all where absent.
    pub types: Option<Vec<String>>,
    /// Most events of the answer.
    pub limit: i64,
    /// How long to wait while there is none, in milliseconds.
    pub wait_ms: i64,
}

/// A page of the log.
#[derive(Debug, Clone, Default)]
pub struct EventPage {
    /// Envelopes as stored, oldest first.
    pub envelopes: Vec<String>,
    /// The last event that was looked at, where one was.
    pub last: Option<EventId>,
    /// Whether there are more, which were not looked at.
    pub has_more: bool,
}

/// What somebody may see and wants to see of an organization's events.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) filter: EventFilter,
    /// The sessions that the caller is restricted to.
    pub(crate) session_ids: Option<Vec<SessionId>>,
}

impl View {
    /// Whether an event of a session and kind belongs to the view.
    pub(crate) fn shows(&self, session: SessionId, kind: EventKind) -> bool {
        self.filter.session.is_none_or(|wanted| wanted == session)
            && self
                .filter
                .kinds
                .as_ref()
                .is_none_or(|kinds| kinds.contains(&kind))
            && self
                .session_ids
                .as_ref()
                .is_none_or(|ids| ids.contains(&session))
    }

    /// Whether a stored envelope, which passed the filter, is of a session that may be seen.
    pub(crate) fn permits(&self, envelope: &str) -> bool {
        #[derive(serde::Deserialize)]
        struct Head {
            session: SessionId,
        }
        let Some(ids) = &self.session_ids else {
            return true;
        };
        serde_json::from_str::<Head>(envelope).is_ok_and(|head| ids.contains(&head.session))
    }
}

/// Reads names of events; `*` or no list at all means every kind.
pub(crate) fn parse_kinds(
    field: &str,
    names: &[String],
    faults: &mut Faults,
) -> Option<Vec<EventKind>> {
    match EventSelector::check(field, names, faults)? {
        EventSelector::All => None,
        EventSelector::Only(kinds) => Some(kinds),
    }
}

pub(crate) fn parse_event_id(
    field: &str,
    text: Option<&str>,
    faults: &mut Faults,
) -> Option<EventId> {
    let id = text?.parse();
    faults.check(id.is_ok(), field, || "must be the id of an event".into());
    id.ok()
}

/// Notes a fault where what comes after a position cannot be given without a gap.
///
/// Events that are no longer kept would be missing silently; after an event that never was
/// (the database was set back, or another installation's id), nothing would ever come.
pub(crate) async fn check_position(
    tx: &mut Tx,
    organization: OrganizationId,
    field: &str,
    position: Option<EventId>,
    faults: &mut Faults,
) -> Result<()> {
    let Some(position) = position else {
        return Ok(());
    };
    let newest = tx.last_event_id(organization).await?;
    if newest == Some(position) {
        return Ok(());
    }
    if newest.is_none_or(|newest| position > newest) {
        faults.add(field, "is newer than every event of the organization");
        return Ok(());
    }
    let purged = tx.purged_through(organization).await?;
    let is_kept = purged.is_none_or(|purged| purged <= position);
    faults.check(is_kept, field, || {
        "is older than the events that are kept: some after it are gone".into()
    });
    Ok(())
}

impl Core {
    /// Pulls events after a position, and waits for some when asked to.
    pub async fn pull_events(
        &self,
        caller: &Caller,
        request: Draft<PullRequest>,
    ) -> Result<EventPage> {
        let (request, mut faults) = request.open()?;
        // The session is checked before the rest of the request, as everywhere.
        let access = match &request.session {
            Some(id) => Some(self.open_session(caller, id).await?),
            None => None,
        };
        let session = access.as_ref().map(SessionAccess::id);
        let organization = match &access {
            Some(access) => access.organization_id(),
            None => caller.organization_id()?,
        };
        let after = parse_event_id("after", request.after.as_deref(), &mut faults);
        let kinds = request
            .types
            .as_deref()
            .and_then(|names| parse_kinds("types", names, &mut faults));
        faults.check(
            (0..=MAX_WAIT_MS).contains(&request.wait_ms),
            "waitMs",
            || format!("must be between 0 and {MAX_WAIT_MS}"),
        );
        {
            let mut tx = self.store.read().await?;
            check_position(&mut tx, organization, "after", after, &mut faults).await?;
        }
        faults.into_result()?;
        let view = View {
            filter: EventFilter { session, kinds },
            session_ids: caller.session_ids().map(<[SessionId]>::to_vec),
        };
        let limit = clamp_limit(request.limit);
        if request.wait_ms == 0 {
            return self.read_events(organization, after, &view, limit).await;
        }
        // Before the first look, so that nothing falls in between.
        let mut signals = self.bus.subscribe(Topic::Events(organization)).await?;
        let wait = Duration::from_millis(request.wait_ms.unsigned_abs());
        let deadline = Instant::now() + wait;
        let mut position = after;
        loop {
            let page = self
                .read_events(organization, position, &view, limit)
                .await?;
            position = page.last.or(position);
            let is_answer = page.has_more || !page.envelopes.is_empty();
            if is_answer || !is_woken(&mut signals, deadline).await {
                return Ok(EventPage {
                    last: page.last.or(position.filter(|_| position != after)),
                    ..page
                });
            }
        }
    }

    async fn read_events(
        &self,
        organization: OrganizationId,
        after: Option<EventId>,
        view: &View,
        limit: i64,
    ) -> Result<EventPage> {
        let mut tx = self.store.read().await?;
        let mut page = EventPage::default();
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut position = after;
        for _ in 0..MAX_BATCHES {
            let rows = tx
                .events_after(organization, position, &view.filter, BATCH)
                .await?;
            let is_end = rows.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
            for (id, envelope) in rows {
                if page.envelopes.len() == wanted {
                    page.has_more = true;
                    return Ok(page);
                }
                position = Some(id);
                page.last = Some(id);
                if view.permits(&envelope) {
                    page.envelopes.push(envelope);
                }
            }
            if is_end || page.envelopes.len() == wanted {
                page.has_more = !is_end;
                return Ok(page);
            }
        }
        page.has_more = true;
        Ok(page)
    }
}

/// Waits for a signal; not later than a time.
async fn is_woken(signals: &mut Subscription, deadline: Instant) -> bool {
    tokio::time::timeout_at(deadline, signals.recv())
        .await
        .is_ok_and(|signal| signal.is_some())
}
