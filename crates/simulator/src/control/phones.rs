//! Phones: making, listing and deleting them, and what they can be asked to do.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::body::Body;
use super::envelope::ApiError;
use super::restrictions;
use super::router::{Control, split_action};
use crate::phone::{Behaviour, ChatState, Phone, PhoneError, unknown_phone};
use crate::server::Device;

/// `GET /sim/v1/phones`.
pub(crate) async fn list(State(control): State<Control>) -> Json<Value> {
    let phones = control.phones.list();
    let data: Vec<Value> = phones
        .iter()
        .filter_map(|phone| phone_json(&control, phone).ok())
        .collect();
    Json(json!({ "data": data }))
}

/// `POST /sim/v1/phones`.
pub(crate) async fn create(
    State(control): State<Control>,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let mut body = Body::parse(&bytes)?;
    let number = body.string("number");
    let push_name = body.string("pushName");
    body.finish()?;
    let number = number.map(|number| number.trim_start_matches('+').to_owned());
    let phone = control.phones.create(number, push_name).await?;
    let answer = phone_json(&control, &phone)?;
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `GET /sim/v1/phones/{number}`.
pub(crate) async fn get(
    State(control): State<Control>,
    Path(number): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let phone = find(&control, &number)?;
    Ok(Json(phone_json(&control, &phone)?))
}

/// `DELETE /sim/v1/phones/{number}`.
pub(crate) async fn delete(
    State(control): State<Control>,
    Path(number): Path<String>,
) -> Result<StatusCode, ApiError> {
    let phone = find(&control, &number)?;
    control.phones.delete(phone.number()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /sim/v1/phones/{number}:{verb}`.
pub(crate) async fn act(
    State(control): State<Control>,
    Path(segment): Path<String>,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let (number, verb) =
        split_action(&segment).ok_or_else(|| PhoneError::NotFound("no such route".to_owned()))?;
    let phone = find(&control, number)?;
    let mut body = Body::parse(&bytes)?;
    match verb {
        "scan" => {
            let qr = body.required_string("qr");
            body.finish()?;
            Ok(Json(device_json(&phone.scan(&qr).await?)).into_response())
        }
        "enter-code" => {
            let code = body.required_string("code");
            body.finish()?;
            Ok(Json(device_json(&phone.enter_code(&code).await?)).into_response())
        }
        "unlink" => {
            body.require("deviceId");
            let device_id = body.integer("deviceId").unwrap_or_default();
            body.finish()?;
            phone.unlink(device_id)?;
            shown(&control, &phone)
        }
        "offline" => {
            body.finish()?;
            phone.go_offline().await?;
            shown(&control, &phone)
        }
        "online" => {
            body.finish()?;
            phone.go_online().await?;
            shown(&control, &phone)
        }
        "typing" => {
            let to = body.required_string("to");
            let state = match body.string("state").as_deref() {
                None | Some("composing") => ChatState::Typing,
                Some("recording") => ChatState::Recording,
                Some("paused") => ChatState::Paused,
                Some(_) => body
                    .fault("state", "expected composing, recording or paused")
                    .unwrap_or(ChatState::Paused),
            };
            body.finish()?;
            phone.typing(&to, state).await?;
            Ok(done())
        }
        "presence" => {
            let state = body.required_string("state");
            if !state.is_empty() && state != "online" && state != "offline" {
                body.fault::<()>("state", "expected online or offline");
            }
            body.finish()?;
            phone.set_available(state == "online").await?;
            Ok(done())
        }
        "behaviour" => {
            let now = phone.behaviour().await?;
            let behaviour = Behaviour {
                is_replying: body.boolean("autoReply").unwrap_or(now.is_replying),
                is_reading: body.boolean("autoRead").unwrap_or(now.is_reading),
            };
            body.finish()?;
            phone.set_behaviour(behaviour).await?;
            Ok(Json(behaviour).into_response())
        }
        "status-privacy" => {
            let list = body.required_string("list");
            if !["", "contacts", "whitelist", "blacklist"].contains(&&*list) {
                body.fault::<()>("list", "expected contacts, whitelist or blacklist");
            }
            let users = body.strings("users").unwrap_or_default();
            body.finish()?;
            control
                .server
                .set_status_privacy(phone.number(), &list, users)?;
            Ok(done())
        }
        "restrict" => {
            let restriction = restrictions::read(&mut body);
            body.finish()?;
            control.server.restrict(phone.number(), restriction)?;
            Ok(done())
        }
        "forget-sessions" => {
            body.finish()?;
            phone.forget_sessions().await?;
            Ok(done())
        }
        _ => Err(PhoneError::NotFound("no such action".to_owned()).into()),
    }
}

/// The phone with this number.
pub(crate) fn find(control: &Control, number: &str) -> Result<Phone, PhoneError> {
    control
        .phones
        .get(number.trim_start_matches('+'))
        .ok_or_else(unknown_phone)
}

fn shown(control: &Control, phone: &Phone) -> Result<Response, ApiError> {
    Ok(Json(phone_json(control, phone)?).into_response())
}

fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

fn phone_json(control: &Control, phone: &Phone) -> Result<Value, PhoneError> {
    let account = control
        .server
        .account(phone.number())
        .ok_or_else(unknown_phone)?;
    let devices: Vec<Value> = account.devices.iter().map(device_json).collect();
    Ok(json!({
        "number": account.number,
        "jid": account.jid.to_string(),
        "lid": account.lid.to_string(),
        "pushName": account.push_name,
        "online": account.is_online,
        "devices": devices,
    }))
}

fn device_json(device: &Device) -> Value {
    json!({
        "id": device.id,
        "jid": device.jid.to_string(),
        "lid": device.lid.to_string(),
        "online": device.is_online,
        "platform": device.platform,
    })
}
