//! Asking WhatsApp for groups in the background.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use wagate_engine::{Connection, GroupPerson, GroupSnapshot, RequestError};
use wagate_model::{EventKind, GroupPayload, Jid};
use wagate_store::{Owned, StoreError};

use super::change::own_address;
use super::notes::{GroupNotes, Work};
use super::snapshot::{Arrival, store_snapshot};
use crate::context::{Context, millis};
use crate::inbound::{note_alias, tell};
use crate::session::Session;

/// Sessions that ask for their groups at the same time.
pub(crate) const MAX_SYNCS: usize = 8;
/// How long groups that were asked for count as known.
const GOOD_FOR: Duration = Duration::from_hours(6);
/// How long WhatsApp may take for all groups of a session.
const PATIENCE: Duration = Duration::from_mins(1);
/// Questions in a row; what is left then waits for the next occasion.
const MAX_QUESTIONS: usize = 64;
/// People that are looked up and stored at once.
const PEOPLE_AT_ONCE: usize = 256;

/// How many groups and members were brought in line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) groups: i64,
    pub(crate) members: i64,
}

/// Why groups could not be brought in line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    /// WhatsApp was not asked, or did not answer.
    #[error("WhatsApp was not asked")]
    Request(#[from] RequestError),
    /// The answer was not stored.
    #[error("the answer was not stored")]
    Store(#[from] StoreError),
}

/// Does what is to be done about a session's groups, in the background, unless that is done.
pub(crate) fn tend(cx: &Arc<Context>, session: &Arc<Session>) {
    let Some(tending) = GroupNotes::begin(&session.groups) else {
        return;
    };
    let (cx, session) = (cx.clone(), session.clone());
    cx.tasks.clone().spawn(async move {
        for _ in 0..MAX_QUESTIONS {
            let Some(work) = tending.next() else { return };
            let answered = tokio::select! {
                () = session.lost.cancelled() => return,
                () = session.closing.cancelled() => return,
                answered = Box::pin(carry_out(&cx, &session, &work)) => answered,
            };
            if let Err(error) = answered {
                // The next connection, or the next change, is the occasion to try again.
                tracing::debug!(session.id = %session.id(), error = %error, "groups were not brought in line");
                metrics::counter!("wagate_gateway_group_syncs_total", "outcome" => "failed")
                    .increment(1);
                tending.give_back(&work);
                return;
            }
        }
    });
}

async fn carry_out(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    work: &Work,
) -> Result<(), SyncError> {
    let connection = session
        .working_connection()
        .ok_or(RequestError::NotConnected)?;
    match work {
        Work::Look if !is_due(cx, session).await? => Ok(()),
        Work::Look | Work::All => sync_all(cx, session, &connection, |_| {}).await.map(drop),
        Work::One(group) => sync_one(cx, session, &connection, group).await,
    }
}

/// Whether all groups were not asked for lately.
async fn is_due(cx: &Context, session: &Session) -> Result<bool, StoreError> {
    let mut tx = cx.store.read().await?;
    let synced_at = tx
        .groups_synced_at(session.organization, session.id())
        .await?;
    let age = synced_at.map(|at| cx.store.now_ms().saturating_sub(at));
    Ok(age.is_none_or(|age| age >= millis(GOOD_FOR)))
}

/// Brings all groups of a session in line with WhatsApp, telling how far it is.
pub(crate) async fn sync_all(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    connection: &Connection,
    mut on_step: impl FnMut(Synced) + Send,
) -> Result<Synced, SyncError> {
    let slot = cx.group_slots.acquire().await;
    let turn = session.groups.turn();
    let mut tx = cx.store.read().await?;
    let (organization, id) = (session.organization, session.id());
    let is_first = tx.groups_synced_at(organization, id).await?.is_none();
    drop(tx);
    let asked = timeout(PATIENCE, connection.groups()).await;
    let found = asked.map_err(|_| RequestError::TimedOut)??;
    let listed: Arc<HashSet<String>> =
        Arc::new(found.iter().map(|group| group.group.to_string()).collect());
    let arrival = Arrival {
        tells_entry: !is_first,
        ..Arrival::default()
    };
    let mut synced = Synced::default();
    for snapshot in found {
        synced.groups += 1;
        synced.members += i64::try_from(snapshot.members.len()).unwrap_or(0);
        store_group(cx, session, snapshot, turn, &arrival).await?;
        on_step(synced);
    }
    let (notes, own, now_ms) = (
        session.groups.clone(),
        Arc::new(session.account()),
        cx.store.now_ms(),
    );
    session
        .persist(|| {
            let (listed, notes, own) = (listed.clone(), notes.clone(), own.clone());
            session.commit(&cx.store, move |owned| {
                let (listed, notes, own) = (listed.clone(), notes.clone(), own.clone());
                Box::pin(async move {
                    let (organization, session) = (owned.organization(), owned.session());
                    for group in owned.groups(organization, session).await? {
                        let Ok(jid) = group.jid.parse::<Jid>() else {
                            continue;
                        };
                        if listed.contains(&group.jid) || notes.has_changed_since(&jid, turn) {
                            continue;
                        }
                        let own = own.as_ref().as_ref().map(own_address);
                        let told = own.filter(|_| !is_first);
                        leave(owned, &jid, told, now_ms).await?;
                    }
                    owned.note_groups_synced(now_ms).await
                })
            })
        })
        .await?;
    drop(slot);
    metrics::counter!("wagate_gateway_group_syncs_total", "outcome" => "done").increment(1);
    Ok(synced)
}

/// Notes that the account is not in a group any more; tells it where its address is given.
async fn leave(
    owned: &mut Owned<'_>,
    group: &Jid,
    own: Option<&str>,
    now_ms: i64,
) -> Result<(), StoreError> {
    owned.leave_group(group.as_str(), now_ms).await?;
    let Some(own) = own else { return Ok(()) };
    let payload = GroupPayload {
        group_jid: group.to_string(),
        leave: Some(vec![own.to_owned()]),
        timestamp: Some(now_ms),
        ..GroupPayload::default()
    };
    let kind = EventKind::GroupParticipant;
    tell(owned, kind, &payload, Some(group), now_ms)
}

/// Brings one group in line with WhatsApp.
async fn sync_one(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    connection: &Connection,
    group: &Jid,
) -> Result<(), SyncError> {
    let turn = session.groups.turn();
    let asked = timeout(PATIENCE, connection.group(group)).await;
    match asked.map_err(|_| RequestError::TimedOut)? {
        Ok(snapshot) => {
            let arrival = Arrival {
                tells_entry: true,
                ..Arrival::default()
            };
            store_group(cx, session, snapshot, turn, &arrival).await?;
            Ok(())
        }
        // The account is not in it, or there is none.
        Err(RequestError::Refused {
            code: 403 | 404 | 410,
        }) => {
            let (group, now_ms) = (group.clone(), cx.store.now_ms());
            let (notes, own) = (session.groups.clone(), Arc::new(session.account()));
            session
                .persist(|| {
                    let (group, notes, own) = (group.clone(), notes.clone(), own.clone());
                    session.commit(&cx.store, move |owned| {
                        let (group, notes, own) = (group.clone(), notes.clone(), own.clone());
                        Box::pin(async move {
                            let (organization, session) = (owned.organization(), owned.session());
                            let stored = owned.group(organization, session, group.as_str()).await?;
                            let was_in = stored.is_some_and(|group| !group.is_left);
                            if !was_in || notes.has_changed_since(&group, turn) {
                                return Ok(());
                            }
                            let own = own.as_ref().as_ref().map(own_address);
                            leave(owned, &group, own, now_ms).await
                        })
                    })
                })
                .await?;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Stores a group as it was at a turn; where it has changed since, it is to be asked for again.
pub(crate) async fn store_group(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    snapshot: GroupSnapshot,
    turn: u64,
    arrival: &Arrival,
) -> Result<(), StoreError> {
    learn_people(cx, session, &snapshot.members).await?;
    let snapshot = Arc::new(snapshot);
    let (notes, own, now_ms) = (
        session.groups.clone(),
        Arc::new(session.account()),
        cx.store.now_ms(),
    );
    session
        .persist(|| {
            let (snapshot, arrival) = (snapshot.clone(), arrival.clone());
            let (notes, own) = (notes.clone(), own.clone());
            session.commit(&cx.store, move |owned| {
                let (snapshot, arrival) = (snapshot.clone(), arrival.clone());
                let (notes, own) = (notes.clone(), own.clone());
                Box::pin(async move {
                    if notes.has_changed_since(&snapshot.group, turn) {
                        notes.note_stale(Some(&snapshot.group));
                        return Ok(());
                    }
                    if !arrival.tells_entry {
                        notes.note_untold(&snapshot.group);
                    }
                    let own = own.as_ref().as_ref();
                    store_snapshot(owned, &snapshot, &arrival, own, now_ms).await
                })
            })
        })
        .await
}

/// Stores people of whom a group shows more than is known, a part at a time: in a large group
/// there are so many that nobody else would write meanwhile.
async fn learn_people(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    people: &[GroupPerson],
) -> Result<(), StoreError> {
    for people in people.chunks(PEOPLE_AT_ONCE) {
        let addresses: Vec<String> = people.iter().map(|it| it.person.to_string()).collect();
        let mut tx = cx.store.read().await?;
        let known = tx.identities_of(session.id(), &addresses).await?;
        drop(tx);
        let news: Vec<(Jid, Jid)> = people
            .iter()
            .filter_map(|it| {
                let alias = it.alias.clone()?;
                let known = known.get(it.person.as_str());
                let is_known =
                    known.is_some_and(|known| known.lid.is_some() && known.phone_jid.is_some());
                (!is_known).then(|| (it.person.clone(), alias))
            })
            .collect();
        if news.is_empty() {
            continue;
        }
        let (news, now_ms) = (Arc::new(news), cx.store.now_ms());
        session
            .persist(|| {
                let news = news.clone();
                session.commit(&cx.store, move |owned| {
                    let news = news.clone();
                    Box::pin(async move {
                        for (one, other) in news.iter() {
                            note_alias(owned, one, other, now_ms).await?;
                        }
                        Ok(())
                    })
                })
            })
            .await?;
    }
    Ok(())
}
