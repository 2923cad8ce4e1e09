//! What can be asked about groups, and what comes of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Faults, Jid, limits};

/// What invite links of groups begin with.
const INVITE_LINK: &str = "chat.whatsapp.com/";

/// A group as WhatsApp gives it when it is made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupInfo {
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The group's JID.
    pub group_jid: String,
    /// Whether only admins may write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_announce: Option<bool>,
    /// Whether only admins may change its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_locked: Option<bool>,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_jid: Option<String>,
    /// How many members it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants: Option<i64>,
    /// The subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// The body of `createGroup`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateGroupInputBody)]
pub struct CreateGroupInput {
    /// The subject: required, at most 100 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// Phone numbers or JIDs of those who are invited; at least one.
    #[serde(default)]
    pub participants: Option<Vec<String>>,
}

impl CreateGroupInput {
    /// The subject and the people, with the faults of every field.
    pub fn check(self, faults: &mut Faults) -> (String, Vec<Jid>) {
        let name = faults.required("name", self.name);
        if let Some(name) = &name {
            faults.check_name("name", name, limits::GROUP_SUBJECT_CHARS);
        }
        let people = people_of(self.participants.as_deref(), true, faults);
        (name.unwrap_or_default(), people)
    }
}

/// Who may add members to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MemberAddMode {
    /// Admins only.
    Admins,
    /// Every member.
    Everyone,
}

/// The body of `updateGroup`; what is left out stays as it is.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateGroupInputBody)]
pub struct UpdateGroupInput {
    /// Whether only admins may write.
    #[serde(default)]
    #[schema(value_type = bool)]
    pub announce: Option<bool>,
    /// Whether an admin has to approve who joins by link.
    #[serde(default)]
    #[schema(value_type = bool)]
    pub approval_required: Option<bool>,
    /// The description; empty to remove it.
    #[serde(default)]
    #[schema(value_type = String)]
    pub description: Option<String>,
    /// After how many seconds messages disappear: 0 (never), 86400, 604800 or 7776000.
    #[serde(default)]
    #[schema(value_type = i64)]
    pub disappearing_seconds: Option<i64>,
    /// Whether only admins may change the settings.
    #[serde(default)]
    #[schema(value_type = bool)]
    pub locked: Option<bool>,
    /// Who may add members.
    #[serde(default)]
    #[schema(value_type = MemberAddMode)]
    pub member_add_mode: Option<MemberAddMode>,
    /// The subject: at most 100 characters, and never empty.
    #[serde(default)]
    #[schema(value_type = String)]
    pub subject: Option<String>,
}

impl UpdateGroupInput {
    /// Adds the faults of every field.
    pub fn check(&self, faults: &mut Faults) {
        if let Some(subject) = &self.subject {
            faults.check_name("subject", subject, limits::GROUP_SUBJECT_CHARS);
        }
        if let Some(description) = &self.description {
            faults.check_text("description", description, limits::GROUP_DESCRIPTION_CHARS);
        }
        let seconds = self.disappearing_seconds;
        let is_offered = seconds.is_none_or(|seconds| limits::DISAPPEARING.contains(&seconds));
        faults.check(is_offered, "disappearingSeconds", || {
            "must be 0, 86400, 604800 or 7776000".into()
        });
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The body of `addGroupMembers`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = AddGroupMembersInputBody)]
pub struct AddGroupMembersInput {
    /// Phone numbers or JIDs; at least one.
    #[serde(default)]
    pub participants: Option<Vec<String>>,
}

impl AddGroupMembersInput {
    /// The people, with the faults of every field.
    pub fn check(&self, faults: &mut Faults) -> Vec<Jid> {
        people_of(self.participants.as_deref(), true, faults)
    }
}

/// The body of `approveGroupMembers`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ApproveGroupMembersInputBody)]
pub struct ApproveGroupMembersInput {
    /// Phone numbers or JIDs of those who asked to join; empty or left out: all of them.
    #[serde(default)]
    pub participants: Option<Vec<String>>,
}

impl ApproveGroupMembersInput {
    /// The people, with the faults of every field; nobody stands for all.
    pub fn check(&self, faults: &mut Faults) -> Vec<Jid> {
        people_of(self.participants.as_deref(), false, faults)
    }
}

/// The body of `joinGroup`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = JoinGroupInputBody)]
pub struct JoinGroupInput {
    /// The invite link, or its code.
    #[serde(default)]
    pub invite: Option<String>,
}

impl JoinGroupInput {
    /// The code, with the faults of every field.
    pub fn check(self, faults: &mut Faults) -> Option<String> {
        let invite = faults.required("invite", self.invite)?;
        checked_invite(&invite, faults)
    }
}

/// The code of an invite, which is named `invite` in the request; a fault where it is none.
pub fn checked_invite(invite: &str, faults: &mut Faults) -> Option<String> {
    let code = invite_code(invite);
    faults.check(code.is_some(), "invite", || {
        "must be a link such as https://chat.whatsapp.com/HG4pQ2mRz7c8KdT1vWxYbN, or its code"
            .into()
    });
    code
}

/// The answer of `joinGroup`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JoinGroupOutputBody)]
pub struct JoinGroupOutput {
    /// The group's JID.
    pub group_jid: String,
}

/// A group's invite link.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InviteOutputBody)]
pub struct InviteOutput {
    /// The link.
    pub invite: String,
}

/// The body of `rejectGroupMembers`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RejectGroupMembersInput {
    /// Phone numbers or JIDs of those who asked to join; at least one.
    #[serde(default)]
    pub participants: Option<Vec<String>>,
}

impl RejectGroupMembersInput {
    /// The people, with the faults of every field.
    pub fn check(&self, faults: &mut Faults) -> Vec<Jid> {
        people_of(self.participants.as_deref(), true, faults)
    }
}

/// The body of `setGroupPicture`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupPictureInput {
    /// The picture as JPEG in base64: square, at most 512 KiB; 640 pixels wide is what official
    /// clients send.
    #[serde(default)]
    pub jpeg: Option<String>,
}

/// Somebody who asks to join a group.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupJoinRequest {
    /// The person's JID, as the group knows it.
    pub jid: String,
    /// The person's LID, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lid: Option<String>,
    /// The person's JID by phone number, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_jid: Option<String>,
    /// Since when, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<i64>,
}

/// Requests to join a group, in one page.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListGroupJoinRequest {
    /// The requests.
    pub data: Vec<GroupJoinRequest>,
}

/// The group that an invite leads to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupPreview {
    /// Whether an admin has to approve who joins.
    pub approval_required: bool,
    /// When it was made on WhatsApp, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at_wa: Option<i64>,
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The group's JID.
    pub group_jid: String,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_jid: Option<String>,
    /// How many members it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_count: Option<i64>,
    /// The subject.
    pub subject: String,
}

/// The code of a group's invite: given as such, or as the link that holds it.
///
/// Codes are 22 letters and digits now; what is taken is wider, so that newer ones are not
/// refused here.
#[must_use]
pub fn invite_code(invite: &str) -> Option<String> {
    let invite = invite.trim();
    if invite.len() > limits::INVITE_CHARS {
        return None;
    }
    let bare = invite
        .strip_prefix("https://")
        .or_else(|| invite.strip_prefix("http://"));
    let path = bare.unwrap_or(invite).strip_prefix(INVITE_LINK);
    let code = match path {
        Some(path) => {
            let path = path.strip_prefix("invite/").unwrap_or(path);
            let end = path.find(['?', '#']).unwrap_or(path.len());
            path[..end].trim_end_matches('/')
        }
        None if bare.is_some() => return None,
        None => invite,
    };
    let is_code = (4..=64).contains(&code.len())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_code.then(|| code.to_owned())
}

/// The people named as `participants`, each once.
fn people_of(named: Option<&[String]>, is_required: bool, faults: &mut Faults) -> Vec<Jid> {
    const FIELD: &str = "participants";
    let named = named.unwrap_or_default();
    faults.check(!(is_required && named.is_empty()), FIELD, || {
        "must name at least one person".into()
    });
    faults.check(named.len() <= limits::GROUP_MEMBERS, FIELD, || {
        format!("must have at most {} entries", limits::GROUP_MEMBERS)
    });
    let mut seen = BTreeSet::new();
    let mut people = Vec::new();
    for (index, text) in named.iter().enumerate().take(limits::GROUP_MEMBERS) {
        let person = Jid::parse_lenient(text).ok();
        match person.filter(|jid| jid.kind().is_person()) {
            Some(jid) if seen.insert(jid.clone()) => people.push(jid),
            Some(_) => {}
            None => faults.add(
                format!("{FIELD}[{index}]"),
                "must be a phone number or the JID of a person",
            ),
        }
    }
    people
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(faults: Faults) -> Vec<String> {
        faults.into_vec().into_iter().map(|f| f.field).collect()
    }

    #[test]
    fn codes_are_found_in_links() {
        let code = "HG4pQ2mRz7c8KdT1vWxYbN";
        for text in [
            code.to_owned(),
            format!(" {code} "),
            format!("https://chat.whatsapp.com/{code}"),
            format!("http://chat.whatsapp.com/{code}/"),
            format!("chat.whatsapp.com/invite/{code}?mode=r_t"),
        ] {
            assert_eq!(invite_code(&text).as_deref(), Some(code), "{text}");
        }
        for text in [
            "",
            "abc",
            "https://chat.whatsapp.com/",
            "https://example.com/HG4pQ2mRz7c8KdT1vWxYbN",
            "https://chat.whatsapp.com.example.com/HG4pQ2mRz7c8KdT1vWxYbN",
            "HG4p Q2mR",
            "120363025246125486@g.us",
            &"a".repeat(600),
        ] {
            assert_eq!(invite_code(text), None, "{text}");
        }
    }

    #[test]
    fn all_faults_of_a_new_group_are_told() {
        let mut faults = Faults::new();
        CreateGroupInput::default().check(&mut faults);
        assert_eq!(fields(faults), ["name", "participants"]);
        let mut faults = Faults::new();
        let input = CreateGroupInput {
            name: Some("x".repeat(101)),
            participants: Some(vec![
                "15551234567".into(),
                "nobody".into(),
                "+15551234567".into(),
                "1-2@g.us".into(),
            ]),
        };
        let (_, people) = input.check(&mut faults);
        assert_eq!(
            fields(faults),
            ["name", "participants[1]", "participants[3]"]
        );
        assert_eq!(people.len(), 1);
    }

    #[test]
    fn settings_have_limits_and_nobody_stands_for_all_who_ask() {
        let mut faults = Faults::new();
        let input = UpdateGroupInput {
            subject: Some(" ".into()),
            description: Some("x".repeat(2_049)),
            disappearing_seconds: Some(5),
            ..UpdateGroupInput::default()
        };
        input.check(&mut faults);
        assert_eq!(
            fields(faults),
            ["subject", "description", "disappearingSeconds"]
        );
        assert!(UpdateGroupInput::default().is_empty());
        let mut faults = Faults::new();
        let all = ApproveGroupMembersInput::default().check(&mut faults);
        assert!(all.is_empty() && faults.is_empty());
        AddGroupMembersInput::default().check(&mut faults);
        assert_eq!(fields(faults), ["participants"]);
    }

    proptest! {
        #[test]
        fn what_is_taken_as_a_code_is_its_own_code(text in "(https://)?(chat.whatsapp.com/)?\\PC{0,40}") {
            if let Some(code) = invite_code(&text) {
                let again = invite_code(&code);
                prop_assert!(text.contains(&code));
                prop_assert_eq!(again, Some(code));
            }
        }
    }
}
