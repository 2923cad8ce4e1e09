//! Ids within queries and bodies: another organization's are unknown ones.

use serde_json::{Value, json};

use crate::operations::{Need, document, operations};
use crate::views::Seen;
use crate::world::{Place, World};

/// An id in a query or a body.
struct Reference {
    operation: &'static str,
    field: &'static str,
    of: fn(&Place) -> String,
    /// The body with the id in it; in the query where absent.
    body: Option<fn(&str) -> Value>,
}

/// The ids in queries and bodies. A new one needs its line.
const REFERENCES: &[Reference] = &[
    Reference {
        operation: "listAudit",
        field: "actor",
        of: |place| place.owner.user.id.to_string(),
        body: None,
    },
    Reference {
        operation: "listAudit",
        field: "resource",
        of: |place| place.session.to_string(),
        body: None,
    },
    Reference {
        operation: "listEvents",
        field: "session",
        of: |place| place.session.to_string(),
        body: None,
    },
    Reference {
        operation: "listEvents",
        field: "after",
        of: |place| place.event.to_string(),
        body: None,
    },
    Reference {
        operation: "listWebhookDeliveries",
        field: "event",
        of: |place| place.event.to_string(),
        body: None,
    },
    Reference {
        operation: "createRealtimeTicket",
        field: "session",
        of: |place| place.session.to_string(),
        body: Some(|id| json!({ "scope": "session", "session": id })),
    },
    Reference {
        operation: "createRealtimeTicket",
        field: "since",
        of: |place| place.event.to_string(),
        body: Some(|id| json!({ "since": id })),
    },
    Reference {
        operation: "createWebhook",
        field: "sessionId",
        of: |place| place.session.to_string(),
        body: Some(|id| json!({ "url": "https://e.example/", "sessionId": id })),
    },
    Reference {
        operation: "updateWebhook",
        field: "sessionId",
        of: |place| place.session.to_string(),
        body: Some(|id| json!({ "sessionId": id })),
    },
    Reference {
        operation: "setSessionStorage",
        field: "bucketId",
        of: |place| place.bucket.clone(),
        body: Some(|id| json!({ "bucketId": id })),
    },
    Reference {
        operation: "createApiKey",
        field: "sessionIds",
        of: |place| place.session.to_string(),
        body: Some(|id| json!({ "name": "x", "permissions": ["read"], "sessionIds": [id] })),
    },
    Reference {
        operation: "switchOrganization",
        field: "organizationId",
        of: |place| place.organization.to_string(),
        body: Some(|id| json!({ "organizationId": id })),
    },
    Reference {
        operation: "transferOwnership",
        field: "userId",
        of: |place| place.member.user.id.to_string(),
        body: Some(|id| json!({ "userId": id })),
    },
];

/// Fields that sound like ids of ours and are none.
const NO_REFERENCES: &[(&str, &str)] = &[
    // An event that people are invited to, and a choice of a message.
    ("sendMessage", "event"),
    ("editMessage", "event"),
    ("selectChoice", "selectedId"),
    // Kinds of events.
    ("replayWebhook", "event"),
    ("testWebhook", "event"),
];

fn sounds_like_an_id(name: &str) -> bool {
    let is_named = [
        "session",
        "organization",
        "user",
        "after",
        "since",
        "event",
        "webhook",
    ];
    name.ends_with("Id") || name.ends_with("Ids") || is_named.contains(&name)
}

#[test]
fn every_id_in_queries_and_bodies_has_its_test() {
    let document = document();
    for operation in operations() {
        if matches!(operation.need, Need::Nothing | Need::SuperAdmin) {
            continue;
        }
        let schema = operation.body.as_ref();
        let schema = schema.map(|name| &document["components"]["schemas"][name]["properties"]);
        let fields = schema.and_then(Value::as_object).into_iter().flatten();
        let names = fields.map(|(name, _)| name).chain(&operation.query);
        for name in names.filter(|name| sounds_like_an_id(name)) {
            let pair = (operation.id.as_str(), name.as_str());
            let is_known = REFERENCES.iter().any(|r| (r.operation, r.field) == pair)
                || NO_REFERENCES.contains(&pair);
            assert!(is_known, "{pair:?}: add it to REFERENCES");
        }
    }
}

/// An id that nobody has, right beside another.
pub(crate) fn beside(id: &str) -> String {
    let last = if id.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &id[..id.len() - 1])
}

#[tokio::test]
async fn foreign_ids_in_queries_and_bodies_are_unknown_ids() {
    let world = World::new().await;
    for reference in REFERENCES {
        let mut all = operations().into_iter();
        let operation = all
            .find(|operation| operation.id == reference.operation)
            .unwrap();
        let (path, headers) = (operation.within(&world.own), operation.as_owner(&world.own));
        let foreign = (reference.of)(&world.foreign);
        let mut replies = Vec::new();
        for id in [beside(&foreign), foreign] {
            let (path, body) = match reference.body {
                Some(body) => (path.clone(), Some(body(&id))),
                None => (format!("{path}?{}={id}", reference.field), None),
            };
            let method = operation.method.clone();
            let reply = world
                .service
                .ask(method, &path, &headers, body.as_ref())
                .await;
            // A position need not be an id that there is.
            let is_position = matches!(
                reference.field,
                "actor" | "after" | "event" | "resource" | "since"
            );
            let (status, name) = (reply.status, reference.field);
            assert!(
                is_position || status.is_client_error(),
                "{} {name}: {status}",
                operation.id
            );
            replies.push(Seen::default().view(&reply).replace(&id, "it"));
        }
        assert_eq!(
            replies[0], replies[1],
            "{} {}",
            operation.id, reference.field
        );
    }
}
