//! The end of timed polls: each is told once, also of sessions that run nowhere.
//!
//! Every gateway looks for polls whose time has come; who deletes a poll's row tells its end,
//! in the same transaction.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::MissedTickBehavior;
use wagate_model::{EventKind, PollRecapOption, PollRecapPayload, PollRecapVoter};
use wagate_store::{DuePoll, NewEvent, PollVote, Result, StoreError, UnreadablePoll};

use crate::context::Context;

/// How often there is a look.
const EVERY: Duration = Duration::from_secs(2);
/// Polls that are closed in one look.
const AT_ONCE: i64 = 100;

/// Closes polls until the gateway drains.
pub(crate) async fn close_polls(cx: Arc<Context>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while cx
        .draining
        .run_until_cancelled(ticks.tick())
        .await
        .is_some()
    {
        match AssertUnwindSafe(close_due(&cx)).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                note_failure();
                tracing::warn!(error = %error, "polls could not be closed; it is tried again");
            }
            Err(_) => {
                tracing::error!("closing polls panicked; it is tried again");
                metrics::counter!("wagate_gateway_panics_total", "task" => "polls").increment(1);
            }
        }
    }
}

fn note_failure() {
    metrics::counter!("wagate_gateway_poll_recaps_failed_total").increment(1);
}

/// Closes what is due. A poll that cannot be closed for what it holds is set aside: else it
/// would be in the way of others for ever.
async fn close_due(cx: &Context) -> Result<()> {
    let now_ms = cx.store.now_ms();
    let due = {
        let mut tx = cx.store.read().await?;
        tx.admin().due_polls(now_ms, AT_ONCE).await?
    };
    for poll in due.unreadable {
        set_aside(cx, poll).await?;
    }
    for poll in due.polls {
        let named = UnreadablePoll::from(&poll);
        match close(cx, poll, now_ms).await {
            Ok(0) => {}
            Ok(unreadable) => {
                note_failure();
                tracing::warn!(session.id = %named.session, votes = unreadable, "votes of a poll cannot be read and were not counted");
            }
            Err(error) if error.is_retryable() || matches!(error, StoreError::Closed) => {
                return Err(error);
            }
            Err(error) => {
                tracing::warn!(session.id = %named.session, error = %error, "a poll could not be closed");
                set_aside(cx, named).await?;
            }
        }
    }
    Ok(())
}

/// Closes one poll with its event; gives how many of its votes could not be read.
async fn close(cx: &Context, poll: DuePoll, now_ms: i64) -> Result<usize> {
    let poll = Arc::new(poll);
    cx.store
        .write::<_, StoreError, _>(poll.organization, move |tx| {
            let poll = Arc::clone(&poll);
            Box::pin(async move {
                let Some(closed) = tx.close_poll(&poll).await? else {
                    return Ok(0);
                };
                let (organization, session) = (poll.organization, poll.session);
                let recap = recap(&poll, &closed.votes);
                let kind = EventKind::PollRecap;
                let event = NewEvent::new(organization, session, kind, now_ms, &recap)?;
                tx.append_event(event.in_chat(poll.chat_jid.clone()));
                Ok(closed.unreadable)
            })
        })
        .await
}

async fn set_aside(cx: &Context, poll: UnreadablePoll) -> Result<()> {
    note_failure();
    tracing::warn!(session.id = %poll.session, "a poll whose row cannot be read is set aside; its end is not told");
    cx.store
        .write(poll.organization, move |tx| {
            Box::pin(async move { tx.set_poll_aside(&poll).await })
        })
        .await
}

fn recap(due: &DuePoll, votes: &[PollVote]) -> PollRecapPayload {
    let poll = &due.poll;
    let cast = || votes.iter().filter(|vote| !vote.options.is_empty());
    let count_of = |option: &String| {
        let chosen = cast().filter(|vote| vote.options.contains(option));
        i64::try_from(chosen.count()).unwrap_or(i64::MAX)
    };
    let hide_votes = poll.hide_votes == Some(true);
    let by_person = cast().map(|vote| PollRecapVoter {
        display_name: vote.name.clone().unwrap_or_default(),
        selected_options: vote.options.clone(),
        voter_id: vote.voter.clone(),
    });
    PollRecapPayload {
        chat_jid: due.chat_jid.clone(),
        end_time: due.ends_at_ms,
        hide_votes,
        name: poll.name.clone(),
        options: poll
            .options
            .iter()
            .map(|option| PollRecapOption {
                count: count_of(option),
                option: option.clone(),
            })
            .collect(),
        poll_message_id: due.wa_message_id.clone(),
        selectable_count: poll.selectable_count,
        total_votes: i64::try_from(cast().count()).unwrap_or(i64::MAX),
        voters: (!hide_votes).then(|| by_person.collect()),
    }
}

#[cfg(test)]
mod tests {
    use wagate_model::{OrganizationId, PollData, SessionId};

    use super::*;

    fn due(hide_votes: Option<bool>) -> DuePoll {
        DuePoll {
            organization: OrganizationId::from_parts(1, 1),
            session: SessionId::from_parts(1, 1),
            chat_id: 1,
            chat_jid: "1-2@g.us".into(),
            wa_message_id: "3EB0".into(),
            poll: PollData {
                name: "lunch?".into(),
                options: vec!["soup".into(), "salad".into()],
                selectable_count: 0,
                hide_votes,
                ..PollData::default()
            },
            ends_at_ms: 9,
        }
    }

    fn vote(voter: &str, options: &[&str]) -> PollVote {
        PollVote {
            voter: voter.into(),
            name: None,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            voted_at_ms: 1,
        }
    }

    #[test]
    fn votes_are_counted_by_option_and_voter() {
        let votes = [
            vote("a", &["soup", "salad"]),
            vote("b", &["salad"]),
            vote("c", &[]),
        ];
        let told = recap(&due(None), &votes);
        let counts: Vec<_> = told.options.iter().map(|option| option.count).collect();
        assert_eq!((counts, told.total_votes), (vec![1, 2], 2));
        assert_eq!(told.voters.unwrap().len(), 2);
        assert!(recap(&due(Some(true)), &votes).voters.is_none());
    }
}
