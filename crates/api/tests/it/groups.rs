//! Groups, as a gateway is asked about them.

use http::Method;
use serde_json::{Value, json};
use wagate_cluster::{
    CommandReply, GroupReply, GroupRequest, LiveReply, LiveRequest, MemberChange, Refusal,
    SessionAction,
};
use wagate_model::{GroupInfo, GroupJoinRequest, GroupPreview, MemberAddMode, SessionId};

use crate::harness::{Reply, Service, Tenant, refuse};
use crate::pages::fill_with;

/// The group that `fill_with` stores.
const GROUP: &str = "12036315550000000@g.us";

struct World {
    service: Service,
    tenant: Tenant,
    session: SessionId,
}

async fn world() -> World {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    fill_with(&service, session, 0..1, 0, "Harbour").await;
    service.gateway.answer(|_| done());
    World {
        service,
        tenant,
        session,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the gateway answers with it")]
fn done() -> Result<CommandReply, Refusal> {
    Ok(CommandReply::Live(Box::new(LiveReply::Done)))
}

#[expect(clippy::unnecessary_wraps, reason = "the gateway answers with it")]
fn reply(reply: GroupReply) -> Result<CommandReply, Refusal> {
    Ok(CommandReply::Live(Box::new(LiveReply::Groups(reply))))
}

impl World {
    async fn ask(&self, method: Method, rest: &str, body: Option<Value>) -> Reply {
        let path = format!("/api/v1/sessions/{}/groups{rest}", self.session);
        self.service
            .call(method, &path, &self.tenant.key, body)
            .await
    }

    fn asked(&self) -> GroupRequest {
        match self.service.gateway.last().action {
            SessionAction::Live(request) => match *request {
                LiveRequest::Groups(request) => request,
                other => panic!("{}", other.name()),
            },
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_group_is_made() {
    let world = world().await;
    world.service.gateway.answer(|_| {
        reply(GroupReply::Created(GroupInfo {
            description: None,
            group_jid: "1203@g.us".into(),
            is_announce: Some(false),
            is_locked: Some(false),
            owner_jid: Some("7@lid".into()),
            participants: Some(2),
            subject: Some("Crew".into()),
        }))
    });
    let body =
        json!({ "name": "Crew", "participants": ["+15551234567", "15551234567@s.whatsapp.net"] });
    let made = world.ask(Method::POST, "", Some(body)).await.ok(201);
    let expected = json!({
        "groupJid": "1203@g.us", "isAnnounce": false, "isLocked": false, "ownerJid": "7@lid",
        "participants": 2, "subject": "Crew"
    });
    assert_eq!(made, expected);
    let GroupRequest::Create { name, people } = world.asked() else {
        panic!()
    };
    assert_eq!(name, "Crew");
    assert_eq!(people, ["15551234567@s.whatsapp.net".parse().unwrap()]);
    world.service.gateway.asked();
    for (body, faults) in [
        (json!({}), vec!["name", "participants"]),
        (
            json!({ "name": "", "participants": ["nobody", "1-2@g.us"], "extra": 1 }),
            vec!["extra", "name", "participants[0]", "participants[1]"],
        ),
        (
            json!({ "name": "x".repeat(101), "participants": null }),
            vec!["name", "participants"],
        ),
    ] {
        let reply = world.ask(Method::POST, "", Some(body)).await;
        assert_eq!(reply.faults(), faults);
    }
    assert!(world.service.gateway.asked().is_empty());
}

#[tokio::test]
async fn settings_are_changed_and_null_is_no_value() {
    let world = world().await;
    let at = format!("/{GROUP}");
    let body = json!({
        "subject": "Crew", "description": "", "announce": true, "locked": false,
        "approvalRequired": true, "memberAddMode": "admins", "disappearingSeconds": 86400
    });
    world.ask(Method::PATCH, &at, Some(body)).await.ok(204);
    let GroupRequest::Update { group, settings } = world.asked() else {
        panic!()
    };
    assert_eq!(group.as_str(), GROUP);
    assert_eq!(settings.subject.as_deref(), Some("Crew"));
    assert_eq!(settings.description.as_deref(), Some(""));
    assert_eq!(settings.member_add_mode, Some(MemberAddMode::Admins));
    world.service.gateway.asked();
    for (body, faults) in [
        (json!({ "subject": null }), vec!["subject"]),
        (
            json!({ "subject": " ", "description": "x".repeat(2_049), "memberAddMode": "some",
                "disappearingSeconds": 5 }),
            vec![
                "memberAddMode",
                "subject",
                "description",
                "disappearingSeconds",
            ],
        ),
    ] {
        let reply = world.ask(Method::PATCH, &at, Some(body)).await;
        assert_eq!(reply.faults(), faults);
    }
    // Nothing to change, nobody to ask.
    world.ask(Method::PATCH, &at, Some(json!({}))).await.ok(204);
    assert!(world.service.gateway.asked().is_empty());
}

#[tokio::test]
async fn members_are_changed() {
    let world = world().await;
    let members = format!("/{GROUP}/members");
    let someone = "205227043110953%40lid";
    for (method, rest, body, change) in [
        (
            Method::POST,
            String::new(),
            Some(json!({ "participants": ["205227043110953@lid"] })),
            MemberChange::Add,
        ),
        (
            Method::DELETE,
            format!("/{someone}"),
            None,
            MemberChange::Remove,
        ),
        (
            Method::POST,
            format!("/{someone}/promote"),
            None,
            MemberChange::Promote,
        ),
        (
            Method::POST,
            format!("/{someone}/demote"),
            None,
            MemberChange::Demote,
        ),
    ] {
        let path = format!("{members}{rest}");
        world.ask(method, &path, body).await.ok(204);
        let GroupRequest::Members {
            group,
            change: asked,
            people,
        } = world.asked()
        else {
            panic!()
        };
        assert_eq!((group.as_str(), asked), (GROUP, change));
        assert_eq!(people, ["205227043110953@lid".parse().unwrap()]);
    }
    for (body, expected) in [
        (None, 0),
        (Some(json!({})), 0),
        (Some(json!({ "participants": ["15551234567"] })), 1),
    ] {
        let path = format!("{members}:approve");
        world.ask(Method::POST, &path, body).await.ok(204);
        let GroupRequest::Answer {
            is_granted, people, ..
        } = world.asked()
        else {
            panic!()
        };
        assert!(is_granted && people.len() == expected);
    }
    let reply = world.ask(Method::POST, &members, Some(json!({}))).await;
    assert_eq!(reply.faults(), ["participants"]);
    let path = format!("{members}/1-2%40g.us/promote");
    let reply = world.ask(Method::POST, &path, None).await;
    reply.error(404, "not_found");
}

#[tokio::test]
async fn invites_lead_in_and_the_account_leaves() {
    let world = world().await;
    let link = "https://chat.whatsapp.com/HG4pQ2mRz7c8KdT1vWxYbN";
    world
        .service
        .gateway
        .answer(move |_| reply(GroupReply::Invite(link.into())));
    for (method, renewed) in [(Method::GET, false), (Method::DELETE, true)] {
        let path = format!("/{GROUP}/invite");
        let invite = world.ask(method, &path, None).await.ok(200);
        assert_eq!(invite, json!({ "invite": link }));
        let GroupRequest::Invite { is_renewed, .. } = world.asked() else {
            panic!()
        };
        assert_eq!(is_renewed, renewed);
    }
    world
        .service
        .gateway
        .answer(|_| reply(GroupReply::Joined("1203@g.us".parse().unwrap())));
    for invite in [link, "HG4pQ2mRz7c8KdT1vWxYbN"] {
        let body = json!({ "invite": invite });
        let joined = world.ask(Method::POST, ":join", Some(body)).await.ok(200);
        assert_eq!(joined, json!({ "groupJid": "1203@g.us" }));
        let GroupRequest::Join { code } = world.asked() else {
            panic!()
        };
        assert_eq!(code, "HG4pQ2mRz7c8KdT1vWxYbN");
    }
    for body in [json!({}), json!({ "invite": "https://example.com/x" })] {
        let reply = world.ask(Method::POST, ":join", Some(body)).await;
        assert_eq!(reply.faults(), ["invite"]);
    }
    world.service.gateway.answer(|_| done());
    let path = format!("/{GROUP}:leave");
    world.ask(Method::POST, &path, None).await.ok(204);
    assert!(matches!(world.asked(), GroupRequest::Leave { .. }));
}

#[tokio::test]
async fn requests_pictures_and_previews() {
    let world = world().await;
    world.service.gateway.answer(|_| {
        reply(GroupReply::Requests(vec![GroupJoinRequest {
            jid: "7@lid".into(),
            lid: Some("7@lid".into()),
            phone_jid: None,
            requested_at: Some(5),
        }]))
    });
    let path = format!("/{GROUP}/requests");
    let requests = world.ask(Method::GET, &path, None).await.ok(200);
    let expected = json!({ "data": [{ "jid": "7@lid", "lid": "7@lid", "requestedAt": 5 }] });
    assert_eq!(requests, expected);

    world.service.gateway.answer(|_| done());
    let path = format!("/{GROUP}/members:reject");
    let body = json!({ "participants": ["7@lid"] });
    world.ask(Method::POST, &path, Some(body)).await.ok(204);
    let GroupRequest::Answer { is_granted, .. } = world.asked() else {
        panic!()
    };
    assert!(!is_granted);
    let reply_to = world.ask(Method::POST, &path, Some(json!({}))).await;
    assert_eq!(reply_to.faults(), ["participants"]);

    let path = format!("/{GROUP}/picture");
    let body = json!({ "jpeg": "/9j/4AAQSkZJRgABAQ==" });
    world.ask(Method::PUT, &path, Some(body)).await.ok(204);
    let is_set = |request| matches!(request, GroupRequest::Picture { jpeg: Some(_), .. });
    assert!(is_set(world.asked()));
    world.ask(Method::DELETE, &path, None).await.ok(204);
    assert!(!is_set(world.asked()));
    let large = format!("/9j/{}", "A".repeat(700 << 10));
    for jpeg in [json!(null), json!("AAAA"), json!("%"), json!(large)] {
        let body = json!({ "jpeg": jpeg });
        let reply_to = world.ask(Method::PUT, &path, Some(body)).await;
        assert_eq!(reply_to.faults(), ["jpeg"]);
    }

    world.service.gateway.answer(|_| {
        reply(GroupReply::Preview(GroupPreview {
            approval_required: true,
            created_at_wa: None,
            description: None,
            group_jid: "1203@g.us".into(),
            owner_jid: None,
            participant_count: Some(3),
            subject: "Crew".into(),
        }))
    });
    let path = ":preview?invite=https://chat.whatsapp.com/HG4pQ2mRz7c8KdT1vWxYbN";
    let found = world.ask(Method::GET, path, None).await.ok(200);
    let expected = json!({
        "approvalRequired": true, "groupJid": "1203@g.us", "participantCount": 3, "subject": "Crew"
    });
    assert_eq!(found, expected);
    for query in ["", "?invite=", "?invite=https://example.com/x"] {
        let reply_to = world
            .ask(Method::GET, &format!(":preview{query}"), None)
            .await;
        assert_eq!(reply_to.faults(), ["invite"]);
    }
}

#[tokio::test]
async fn refusals_have_their_status() {
    let world = world().await;
    let path = format!("/{GROUP}/members/15551234567");
    let invalid = Refusal::Invalid {
        field: "invite".into(),
        message: "leads to no group".into(),
    };
    for (refusal, status, code) in [
        (Refusal::Forbidden, 403, "forbidden"),
        (Refusal::Missing, 404, "not_found"),
        (invalid, 400, "validation_error"),
    ] {
        world.service.gateway.answer(refuse(refusal));
        let reply = world.ask(Method::DELETE, &path, None).await;
        reply.error(status, code);
    }
    // What is not stored is not there, whatever the body says.
    world.service.gateway.asked();
    for group in ["/999%40g.us", "/15551234567"] {
        let body = Some(json!({ "participants": 5 }));
        let path = format!("{group}/members");
        let reply = world.ask(Method::POST, &path, body).await;
        reply.error(404, "not_found");
    }
    assert!(world.service.gateway.asked().is_empty());
}
