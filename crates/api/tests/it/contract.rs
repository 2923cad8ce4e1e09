//! Our document against the contract: paths, parameters, bodies, answers, fields and types.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

const CONTRACT: &str = include_str!("../data/contract.json");

/// Tags whose operations are not offered yet.
const TAGS_NOT_OFFERED_YET: &[&str] = &["Backup", "OAuth Apps"];

/// Further operations that are not offered yet.
const NOT_OFFERED_YET: &[&str] = &[];

/// Operations that the contract does not have.
const BEYOND_THE_CONTRACT: &[&str] = &[
    "adminBanUser",
    "adminCreatePasswordResetLink",
    "adminGetUser",
    "adminListAudit",
    "adminListOrganizations",
    "adminListUsers",
    "adminRemoveUserTotp",
    "adminUnbanUser",
    "adminUpdateUser",
    "cancelGroupJoinRequest",
    "cancelScheduledMessage",
    "checkContacts",
    "clearChat",
    "createCommunity",
    "createLabel",
    "createRealtimeTicket",
    "createStorageBucket",
    "deleteChannel",
    "deleteChatOnWhatsApp",
    "deleteLabel",
    "deleteMessageForMe",
    "deleteStorageBucket",
    "getBlocklist",
    "getChannel",
    "getMedia",
    "getMediaContent",
    "getPrivacy",
    "getProfile",
    "getSessionStorage",
    "getWebhookSigningSecret",
    "labelChat",
    "labelMessage",
    "linkCommunityGroups",
    "listAudit",
    "listChannels",
    "listCommunities",
    "listCommunityGroups",
    "listEvents",
    "listGroupJoinRequests",
    "listLabels",
    "listScheduledMessages",
    "listStorageBuckets",
    "listWebhookDeliveries",
    "markChatUnread",
    "markMessagePlayed",
    "muteContactStatus",
    "openRealtime",
    "pinMessage",
    "previewGroupInvite",
    "rejectCall",
    "rejectGroupMembers",
    "removeGroupPicture",
    "removeProfilePicture",
    "replayWebhook",
    "replayWebhookDelivery",
    "respondToEvent",
    "rotateWebhookSecret",
    "saveContact",
    "searchMessages",
    "selectChoice",
    "setGroupPicture",
    "setProfilePicture",
    "setSessionStorage",
    "starMessage",
    "testWebhook",
    "unlabelChat",
    "unlabelMessage",
    "unlinkCommunityGroups",
    "unmuteContactStatus",
    "unpinMessage",
    "unstarMessage",
    "updateChannel",
    "updateLabel",
    "updatePrivacy",
    "updateProfile",
    "updateSession",
    "updateStorageBucket",
];

/// Optional bodies of operations that have none in the contract.
const BODIES_BEYOND_THE_CONTRACT: &[(&str, &str)] = &[("readChat", "ReadChatInputBody")];

/// Optional parameters of operations that the contract does not have.
const PARAMETERS_BEYOND_THE_CONTRACT: &[(&str, &str)] = &[("listChats", "label")];

/// Optional fields that the contract does not have.
const FIELDS_BEYOND_THE_CONTRACT: &[&str] = &[
    "Chat.disappearingSeconds",
    "Chat.labels",
    "ChatUpdatePayload.archived",
    "ChatUpdatePayload.disappearingSeconds",
    "ChatUpdatePayload.labels",
    "ChatUpdatePayload.messageId",
    "ChatUpdatePayload.mutedUntil",
    "ChatUpdatePayload.pinned",
    "ChatUpdatePayload.pinnedUntil",
    "ChatUpdatePayload.unreadCount",
    "Contact.statusMuted",
    "EditMessageInputBody.event",
    "GroupPayload.disappearingSeconds",
    "MediaMeta.id",
    "MediaPayload.gifPlayback",
    "MediaPayload.videoNote",
    "MediaPayload.viewOnce",
    "MediaPayload.voice",
    "Message.choices",
    "Message.event",
    "Message.eventResponses",
    "Message.expiresAt",
    "Message.labels",
    "Message.location",
    "Message.pinnedUntil",
    "Message.selectedId",
    "Message.starred",
    "MessagePayload.choices",
    "MessagePayload.event",
    "MessagePayload.eventResponse",
    "MessagePayload.expiresAt",
    "MessageStatusPayload.error",
    "NewsletterPayload.muted",
    "PostStatusInputBody.backgroundColor",
    "PostStatusInputBody.font",
    "PostStatusInputBody.media",
    "SendRequest.buttons",
    "SendRequest.event",
    "SendRequest.footer",
    "SendRequest.linkPreview",
    "SendRequest.list",
    "SendRequest.sendAt",
    "SendResult.fileMessageIds",
    "SessionStatusPayload.detail",
    "SessionStatusPayload.reason",
    "UpdateChatInputBody.disappearingSeconds",
    "UpdateGroupInputBody.approvalRequired",
    "UpdateGroupInputBody.disappearingSeconds",
    "UpdateGroupInputBody.memberAddMode",
    "WASession.historySync",
    "WASession.restriction",
    "WASession.statusDetail",
    "WASession.statusReason",
    "Webhook.disabledReason",
];

/// Fields that are described in other words than the contract's, without harm to a client.
const DESCRIBED_OTHERWISE: &[&str] = &[
    // A closed set where the contract says any text.
    "Me.status",
    "MessagePayload.type",
    "SendResult.mode",
    // Beyond the contract, events, buttons and lists too.
    "SendRequest.type",
    "SendResult.status",
    // In requests every part of the policy can be left out, which the contract says in words.
    "WebhookBody.retryPolicy",
    // Any text where the contract has a closed set.
    "NewsletterPayload.action",
    "PresenceStatus.media",
    // Beyond the contract, films and sound too.
    "PostStatusInputBody.type",
    // Not said to be required, though it is always there, as an object or null.
    "MessagePayload.media",
];

fn contract() -> Value {
    serde_json::from_str(CONTRACT).unwrap()
}

fn document() -> Value {
    serde_json::to_value(wagate_api::openapi()).unwrap()
}

fn ref_name(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

fn is_null(schema: &Value) -> bool {
    schema["type"] == "null"
}

/// A schema in the contract's notation; whether it may be null is left out.
fn notation(document: &Value, schema: &Value) -> String {
    if let Some(name) = ref_name(schema) {
        let target = &document["components"]["schemas"][name];
        let is_object = target["properties"].is_object();
        return if is_object {
            name.to_owned()
        } else {
            notation(document, target)
        };
    }
    for variants in ["oneOf", "anyOf", "allOf"] {
        if let Some(variants) = schema[variants].as_array() {
            let shown: Vec<_> = variants
                .iter()
                .filter(|variant| !is_null(variant))
                .collect();
            assert_eq!(shown.len(), 1, "{schema}");
            return notation(document, shown[0]);
        }
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.as_str(),
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|k| *k != "null")
            .unwrap(),
        _ => return "any".into(),
    };
    match kind {
        "array" => format!("array<{}>", notation(document, &schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!(
                "map<string,{}>",
                notation(document, &schema["additionalProperties"])
            )
        }
        "integer" => schema["format"].as_str().unwrap_or("integer").into(),
        "number" => "double".into(),
        "string" if schema["enum"].is_array() => {
            let values: BTreeSet<_> = schema["enum"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            format!("string enum{values:?}")
        }
        kind => kind.into(),
    }
}

/// The contract's notation, made comparable.
fn expected(text: &str) -> String {
    let text = text.trim_end_matches("|null");
    match text.strip_prefix("string enum(") {
        Some(values) => {
            let values: BTreeSet<_> = values.trim_end_matches(')').split(", ").collect();
            format!("string enum{values:?}")
        }
        None => text.into(),
    }
}

fn our_operations(document: &Value) -> BTreeMap<String, (String, String, Value)> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let entry = (method.to_uppercase(), path.clone(), operation.clone());
            assert!(
                operations.insert(id, entry).is_none(),
                "an operation id is used twice"
            );
        }
    }
    operations
}

#[test]
fn every_operation_of_the_contract_is_offered_or_listed() {
    let (contract, ours) = (contract(), our_operations(&document()));
    let mut theirs = BTreeSet::new();
    for operation in contract["operations"].as_array().unwrap() {
        let id = operation["operationId"].as_str().unwrap();
        let tag = operation["tag"].as_str().unwrap();
        theirs.insert(id);
        let is_listed = TAGS_NOT_OFFERED_YET.contains(&tag) || NOT_OFFERED_YET.contains(&id);
        assert_ne!(ours.contains_key(id), is_listed, "{id}");
    }
    for (id, (_, path, _)) in &ours {
        let is_beyond =
            BEYOND_THE_CONTRACT.contains(&id.as_str()) || path.starts_with("/api/auth/");
        assert_ne!(theirs.contains(id.as_str()), is_beyond, "{id}");
    }
}

#[test]
fn offered_operations_are_as_in_the_contract() {
    let (contract, document) = (contract(), document());
    let ours = our_operations(&document);
    for theirs in contract["operations"].as_array().unwrap() {
        let id = theirs["operationId"].as_str().unwrap();
        let Some((method, path, operation)) = ours.get(id) else {
            continue;
        };
        assert_eq!(theirs["method"], *method, "{id}");
        assert_eq!(theirs["path"], *path, "{id}");
        assert_eq!(theirs["capability"], operation["x-capability"], "{id}");
        assert_eq!(
            operation["tags"],
            serde_json::json!([theirs["tag"]]),
            "{id}"
        );
        let parameter = |name: &Value, place: &Value, is_required: &Value, kind: String| {
            format!("{name} {place} {is_required} {kind}")
        };
        let their_parameters: BTreeSet<_> = theirs["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| {
                parameter(
                    &p["name"],
                    &p["in"],
                    &p["required"],
                    expected(p["type"].as_str().unwrap()),
                )
            })
            .collect();
        let our_parameters: BTreeSet<_> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|p| {
                let name = p["name"].as_str().unwrap();
                let is_beyond = PARAMETERS_BEYOND_THE_CONTRACT.contains(&(id, name));
                assert!(!is_beyond || p["required"] != true, "{id}: {name}");
                !is_beyond
            })
            .map(|p| {
                parameter(
                    &p["name"],
                    &p["in"],
                    &p["required"],
                    notation(&document, &p["schema"]),
                )
            })
            .collect();
        assert_eq!(our_parameters, their_parameters, "{id}");
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let mut beyond = BODIES_BEYOND_THE_CONTRACT.iter();
        let beyond = beyond.find(|(operation, _)| *operation == id);
        let expected_body = theirs["request"]["schema"].as_str();
        let expected_body = expected_body.or(beyond.map(|(_, schema)| *schema));
        assert_eq!(ref_name(body), expected_body, "{id}");
        for (status, schema) in theirs["responses"].as_object().unwrap() {
            let response = &operation["responses"][status];
            assert!(response.is_object(), "{id} {status}");
            let body = &response["content"]["application/json"]["schema"];
            assert_eq!(ref_name(body), schema.as_str(), "{id} {status}");
        }
    }
}

#[test]
fn offered_schemas_are_as_in_the_contract() {
    let (contract, document) = (contract(), document());
    let ours = document["components"]["schemas"].as_object().unwrap();
    let mut differences = Vec::new();
    let (mut compared, mut listed) = (0, BTreeSet::new());
    for (name, fields) in contract["schemas"].as_object().unwrap() {
        let Some(schema) = ours.get(name) else {
            continue;
        };
        compared += 1;
        let fields = fields.as_object().unwrap();
        let properties = schema["properties"].as_object().unwrap();
        let required: Vec<_> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (field, theirs) in fields {
            let path = format!("{name}.{field}");
            let Some(property) = properties.get(field) else {
                differences.push(format!("{path} is missing"));
                continue;
            };
            let kind = notation(&document, property);
            let wanted = expected(theirs["type"].as_str().unwrap());
            let is_required = required.contains(&field.as_str());
            if kind == wanted && theirs["required"] == is_required {
                continue;
            }
            if DESCRIBED_OTHERWISE.contains(&path.as_str()) {
                listed.insert(path);
            } else {
                differences.push(format!("{path} is {kind}, required: {is_required}"));
            }
        }
        for field in properties
            .keys()
            .filter(|field| !fields.contains_key(*field))
        {
            let path = format!("{name}.{field}");
            let is_listed = FIELDS_BEYOND_THE_CONTRACT.contains(&path.as_str());
            if !is_listed || required.contains(&field.as_str()) {
                differences.push(format!("{path} is not in the contract"));
            }
            listed.insert(path);
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(compared > 25, "{compared}");
    // The lists hold nothing that is no longer so.
    let lists = FIELDS_BEYOND_THE_CONTRACT.iter().chain(DESCRIBED_OTHERWISE);
    let lists: BTreeSet<_> = lists.map(|path| (*path).to_owned()).collect();
    assert_eq!(listed, lists);
}
