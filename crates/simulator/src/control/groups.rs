//! Groups: what there are, and what phones do in them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use wacore_binary::{Jid, JidExt as _};

use super::body::Body;
use super::envelope::ApiError;
use super::phones::find;
use super::router::{Control, split_action};
use crate::phone::{GroupSettings, MemberAction, MemberOutcome, NewGroup, Phone, PhoneError};
use crate::server::{Group, Role};

/// `GET /sim/v1/groups`.
pub(crate) async fn list(State(control): State<Control>) -> Json<Value> {
    let groups = control.server.groups();
    let data: Vec<Value> = groups.iter().map(group_json).collect();
    Json(json!({ "data": data }))
}

/// `GET /sim/v1/groups/{jid}`.
pub(crate) async fn get(
    State(control): State<Control>,
    Path(jid): Path<String>,
) -> Result<Json<Value>, ApiError> {
    shown(&control, &parse_group(&jid)?)
}

/// `POST /sim/v1/phones/{number}/groups`.
pub(crate) async fn create(
    State(control): State<Control>,
    Path(number): Path<String>,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let phone = find(&control, &number)?;
    let mut body = Body::parse(&bytes)?;
    let group = NewGroup {
        subject: body.required_string("subject"),
        participants: body.strings("participants").unwrap_or_default(),
        is_announcement: body.boolean("announce").unwrap_or(false),
        is_locked: body.boolean("locked").unwrap_or(false),
        needs_approval: body.boolean("approval").unwrap_or(false),
    };
    body.finish()?;
    let jid = phone.create_group(&group).await?;
    let answer = shown(&control, &jid)?;
    Ok((StatusCode::CREATED, answer).into_response())
}

/// `POST /sim/v1/phones/{number}/groups:join`.
pub(crate) async fn join(
    State(control): State<Control>,
    Path(number): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let phone = find(&control, &number)?;
    let mut body = Body::parse(&bytes)?;
    let code = body.required_string("code");
    body.finish()?;
    let joined = phone.join_group(&code).await?;
    let status = if joined.is_member {
        "joined"
    } else {
        "requested"
    };
    Ok(Json(
        json!({ "jid": joined.jid.to_string(), "status": status }),
    ))
}

/// `POST /sim/v1/phones/{number}/groups/{jid}:{verb}`.
pub(crate) async fn act(
    State(control): State<Control>,
    Path((number, segment)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let (jid, verb) =
        split_action(&segment).ok_or_else(|| PhoneError::NotFound("no such route".to_owned()))?;
    let phone = find(&control, &number)?;
    let jid = parse_group(jid)?;
    let body = Body::parse(&bytes)?;
    if let Some(action) = member_action(verb) {
        return change_members(&control, &phone, (&jid, action), body).await;
    }
    match verb {
        "leave" => {
            body.finish()?;
            phone.leave_group(&jid).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        "invite" | "revoke-invite" => {
            body.finish()?;
            let code = phone.group_invite(&jid, verb == "revoke-invite").await?;
            Ok(Json(json!({ "code": code })).into_response())
        }
        "subject" | "description" | "settings" => {
            change(&phone, &jid, verb, body).await?;
            Ok(shown(&control, &jid)?.into_response())
        }
        _ => Err(PhoneError::NotFound("no such action".to_owned()).into()),
    }
}

async fn change(phone: &Phone, jid: &Jid, verb: &str, mut body: Body) -> Result<(), PhoneError> {
    match verb {
        "subject" => {
            let subject = body.required_string("subject");
            body.finish()?;
            phone.set_group_subject(jid, &subject).await
        }
        "description" => {
            body.require("description");
            let description = body.string("description").unwrap_or_default();
            body.finish()?;
            phone.set_group_description(jid, &description).await
        }
        _ => {
            let mode = body.string("memberAddMode");
            let is_adding_open = match mode.as_deref() {
                None => None,
                Some("all_member_add") => Some(true),
                Some("admin_add") => Some(false),
                Some(_) => body.fault("memberAddMode", "expected admin_add or all_member_add"),
            };
            let settings = GroupSettings {
                is_announcement: body.boolean("announce"),
                is_locked: body.boolean("locked"),
                needs_approval: body.boolean("approval"),
                is_adding_open,
                ephemeral_s: body.integer("ephemeralSeconds"),
            };
            body.finish()?;
            phone.set_group_settings(jid, settings).await
        }
    }
}

async fn change_members(
    control: &Control,
    phone: &Phone,
    (jid, action): (&Jid, MemberAction),
    mut body: Body,
) -> Result<Response, ApiError> {
    body.require("participants");
    let participants = body.strings("participants").unwrap_or_default();
    body.finish()?;
    let outcomes = phone.change_members(jid, action, &participants).await?;
    let mut answer = group_json(&find_group(control, jid)?);
    answer["results"] = outcomes.iter().map(outcome_json).collect();
    Ok(Json(answer).into_response())
}

fn member_action(verb: &str) -> Option<MemberAction> {
    Some(match verb {
        "add" => MemberAction::Add,
        "remove" => MemberAction::Remove,
        "promote" => MemberAction::Promote,
        "demote" => MemberAction::Demote,
        "approve" => MemberAction::Approve,
        "reject" => MemberAction::Reject,
        _ => return None,
    })
}

fn outcome_json(outcome: &MemberOutcome) -> Value {
    let mut value = json!({ "participant": outcome.participant });
    if let Some(error) = outcome.error {
        value["error"] = json!(error);
    }
    value
}

fn parse_group(text: &str) -> Result<Jid, PhoneError> {
    text.parse::<Jid>()
        .ok()
        .filter(Jid::is_group)
        .ok_or_else(unknown_group)
}

fn unknown_group() -> PhoneError {
    PhoneError::NotFound("no such group".to_owned())
}

fn find_group(control: &Control, jid: &Jid) -> Result<Group, PhoneError> {
    control.server.group(jid).ok_or_else(unknown_group)
}

fn shown(control: &Control, jid: &Jid) -> Result<Json<Value>, ApiError> {
    Ok(Json(group_json(&find_group(control, jid)?)))
}

fn group_json(group: &Group) -> Value {
    let participants: Vec<Value> = group
        .members
        .iter()
        .map(|member| {
            let role = match member.role {
                Role::Member => "member",
                Role::Admin => "admin",
                Role::SuperAdmin => "superadmin",
            };
            json!({ "number": member.number, "lid": member.lid.to_string(), "role": role })
        })
        .collect();
    let mut answer = json!({
        "jid": group.jid.to_string(),
        "subject": group.subject,
        "participants": participants,
        "announce": group.is_announcement,
        "locked": group.is_locked,
        "approval": group.needs_approval,
        "memberAddMode": if group.is_adding_open { "all_member_add" } else { "admin_add" },
        "ephemeralSeconds": group.ephemeral_s,
        "inviteCode": group.invite_code,
        "requests": group.requests,
        "community": group.is_community,
    });
    if let Some(description) = &group.description {
        answer["description"] = json!(description);
    }
    if let Some(parent) = &group.parent {
        answer["parentJid"] = json!(parent.to_string());
    }
    answer
}
