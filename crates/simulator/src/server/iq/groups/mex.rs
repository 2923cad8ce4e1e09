//! What clients ask about groups in GraphQL (wacore `iq::mex_operations`).

use serde_json::{Value, json};
use wacore::iq::mex_operations::{
    fetch_all_subgroups, query_subgroup_participant_count, update_group_property,
};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::router::{BAD_REQUEST, Fault, NOT_ACCEPTABLE};
use crate::server::api::Server;
use crate::server::groups::{GroupRecord, group_jid, mark};
use crate::server::iq::router::Request;
use crate::server::jids::Addressing;

impl Server {
    /// The data that answers an operation about groups; `None` when it is about something else.
    pub(in crate::server::iq) fn mex_about_groups(
        &self,
        request: &Request<'_>,
        operation: &str,
        payload: &[u8],
    ) -> Option<Result<Value, Fault>> {
        let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
        let variables = &payload["variables"];
        match operation {
            fetch_all_subgroups::DOC_ID => {
                Some(self.mex_subgroups(request, &variables["group_id"]))
            }
            query_subgroup_participant_count::DOC_ID => {
                Some(self.mex_subgroups(request, &variables["input"]["group_jid"]))
            }
            update_group_property::DOC_ID => Some(self.mex_update(request, variables)),
            _ => None,
        }
    }

    fn mex_subgroups(&self, request: &Request<'_>, community: &Value) -> Result<Value, Fault> {
        let parent = self.member_of(request, &id_in(community)?)?;
        if parent.community.is_none() {
            return Err(NOT_ACCEPTABLE);
        }
        let (mut default, mut others) = (Value::Null, Vec::new());
        for group in self.inner.groups.of_community(&parent.id) {
            if group.link.as_ref().is_some_and(|link| link.is_default) {
                default = subgroup(&group);
            } else {
                others.push(json!({ "node": subgroup(&group) }));
            }
        }
        Ok(json!({
            "xwa2_group_query_by_id": {
                "id": group_jid(&parent.id).to_string(),
                "default_sub_group": default,
                "sub_groups": { "edges": others },
            },
        }))
    }

    fn mex_update(&self, request: &Request<'_>, variables: &Value) -> Result<Value, Fault> {
        let mut act = self.act(request, &id_in(&variables["group_id"])?)?;
        act.require_admin()?;
        let update = &variables["update"];
        let sharing = &update["limit_sharing"]["limit_sharing_enabled"];
        let modes = (
            update["member_link_mode"].as_str(),
            update["member_share_group_history_mode"].as_str(),
            sharing.as_bool(),
        );
        let action = match modes {
            (Some(mode), _, _) => {
                act.group.is_link_open = match mode {
                    "ALL_MEMBER_LINK" => true,
                    "ADMIN_LINK" => false,
                    _ => return Err(BAD_REQUEST),
                };
                mode_node("member_link_mode", mode)
            }
            (_, Some(mode), _) => {
                act.group.is_history_open = match mode {
                    "ALL_MEMBER_SHARE" => true,
                    "ADMIN_SHARE" => false,
                    _ => return Err(BAD_REQUEST),
                };
                mode_node("member_share_group_history_mode", mode)
            }
            (_, _, Some(is_on)) => {
                let tag = "limit_sharing_enabled";
                if is_on {
                    act.group.marks.insert(tag.to_owned());
                } else {
                    act.group.marks.remove(tag);
                }
                mark(if is_on { tag } else { "limit_sharing_disabled" })
            }
            _ => return Err(BAD_REQUEST),
        };
        act.tell_all(action);
        let id = act.group.jid().to_string();
        act.finish(Vec::new())?;
        Ok(json!({ "xwa2_group_update_property": { "id": id, "state": "ACTIVE" } }))
    }
}

fn id_in(value: &Value) -> Result<String, Fault> {
    let jid = value.as_str().and_then(|text| text.parse::<Jid>().ok());
    Ok(jid.ok_or(BAD_REQUEST)?.user.to_string())
}

fn mode_node(tag: &'static str, mode: &str) -> Node {
    NodeBuilder::new(tag)
        .string_content(mode.to_ascii_lowercase())
        .build()
}

fn subgroup(group: &GroupRecord) -> Value {
    let is_general_chat = group.link.as_ref().is_some_and(|link| link.is_general_chat);
    json!({
        "id": group_jid(&group.id).to_string(),
        "subject": {
            "value": group.subject,
            "creation_time": group.subject_at_s,
        },
        "creation_time": group.created_at_s,
        "creator": { "id": group.creator.jid(Addressing::Lid).to_string() },
        "participants_count": group.members.len(),
        "total_participants_count": group.members.len(),
        "properties": { "general_chat": is_general_chat },
    })
}
