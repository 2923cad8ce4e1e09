//! What WhatsApp answers of each member that something was to be done to. No I/O in here.

use wagate_cluster::{MemberChange, Refusal};
use wagate_engine::MemberOutcome;
use wagate_model::Jid;

/// Those to whom it was done.
pub(super) fn done_people(answers: &[MemberOutcome]) -> Vec<String> {
    let done = answers.iter().filter(|answer| answer.refused.is_none());
    done.map(|answer| answer.person.to_string()).collect()
}

/// Who is known by two addresses, as the answers tell.
pub(super) fn aliases(answers: &[MemberOutcome]) -> Vec<(Jid, Jid)> {
    let pair = |answer: &MemberOutcome| Some((answer.person.clone(), answer.alias.clone()?));
    answers.iter().filter_map(pair).collect()
}

/// Whether the account was permitted to do it to anybody, as far as can be told.
pub(super) fn is_permitted(answers: &[MemberOutcome]) -> bool {
    let is_forbidden = |answer: &MemberOutcome| {
        // A person's own privacy is no want of permission.
        matches!(answer.refused, Some(401 | 403 | 405)) && !answer.needs_invite
    };
    answers.is_empty() || !answers.iter().all(is_forbidden)
}

/// What it means for who asked that people were refused.
///
/// Some of those to be added may be; so may somebody who is to be removed and is not there.
pub(super) fn refusal_of_members(
    change: MemberChange,
    answers: &[MemberOutcome],
) -> Option<Refusal> {
    if !is_permitted(answers) {
        return Some(Refusal::Forbidden);
    }
    let code = answers.iter().find_map(|answer| answer.refused)?;
    match (change, code) {
        (MemberChange::Add, _) | (MemberChange::Remove, 404) | (_, 304 | 409) => None,
        (_, 404) => Some(Refusal::Missing),
        // Whoever made the group stays, and stays an admin.
        (_, 406) => Some(Refusal::Forbidden),
        (_, code) => Some(Refusal::Rejected {
            code: Some(i64::from(code)),
            message: format!("WhatsApp answered with code {code}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(refused: Option<u16>, needs_invite: bool) -> MemberOutcome {
        MemberOutcome {
            person: "7@lid".parse().unwrap(),
            alias: None,
            refused,
            needs_invite,
        }
    }

    #[test]
    fn some_may_be_refused_and_want_of_permission_is_told() {
        use MemberChange::{Add, Demote, Promote, Remove};
        let done = || answer(None, false);
        let refused = |code| answer(Some(code), false);
        for (change, answers, expected) in [
            (Add, vec![done(), refused(403)], None),
            (Add, vec![answer(Some(403), true)], None),
            (Add, vec![refused(409), refused(404), refused(408)], None),
            (
                Add,
                vec![refused(403), refused(401)],
                Some(Refusal::Forbidden),
            ),
            (Remove, vec![refused(404)], None),
            (Remove, vec![refused(403)], Some(Refusal::Forbidden)),
            (Remove, vec![refused(406)], Some(Refusal::Forbidden)),
            (Promote, vec![refused(404)], Some(Refusal::Missing)),
            (Promote, vec![refused(409)], None),
            (Demote, vec![done()], None),
            (Demote, Vec::new(), None),
        ] {
            let context = format!("{change:?} {}", answers.len());
            assert_eq!(refusal_of_members(change, &answers), expected, "{context}");
        }
        let other = refusal_of_members(Promote, &[refused(500)]);
        assert!(matches!(
            other,
            Some(Refusal::Rejected {
                code: Some(500),
                ..
            })
        ));
    }
}
