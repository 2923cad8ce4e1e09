//! The end of timed polls: each is told once, also of sessions that run nowhere.
//!
//! Every gateway looks for polls whose time has come; who deletes a poll's row tells its end,
//! in the same transaction.

use std::sync::Arc;
use std::time::Duration;

use wagate_model::{EventKind, PollRecapOption, PollRecapPayload, PollRecapVoter};
use wagate_store::{DuePoll, NewEvent, PollVote, Result, StoreError};

use crate::context::Context;
use crate::rounds::in_rounds;

/// How often there is a look.
const EVERY: Duration = Duration::from_secs(2);
/// Polls that are closed in one look.
const AT_ONCE: i64 = 100;

/// Closes polls until the gateway drains.
pub(crate) async fn close_polls(cx: Arc<Context>) {
    in_rounds(
        cx,
        EVERY,
        "recaps",
        |cx| async move { close_due(&cx).await },
    )
    .await;
}

async fn close_due(cx: &Context) -> Result<()> {
    let now_ms = cx.store.now_ms();
    let due = {
        let mut tx = cx.store.read().await?;
        tx.admin().due_polls(now_ms, AT_ONCE).await?
    };
    for poll in due {
        let poll = Arc::new(poll);
        cx.store
            .write::<_, StoreError, _>(poll.organization, move |tx| {
                let poll = Arc::clone(&poll);
                Box::pin(async move {
                    let Some(votes) = tx.close_poll(&poll).await? else {
                        return Ok(());
                    };
                    let (organization, session) = (poll.organization, poll.session);
                    let recap = recap(&poll, &votes);
                    let kind = EventKind::PollRecap;
                    let event = NewEvent::new(organization, session, kind, now_ms, &recap)?;
                    tx.append_event(event.in_chat(poll.chat_jid.clone()));
                    Ok(())
                })
            })
            .await?;
    }
    Ok(())
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
