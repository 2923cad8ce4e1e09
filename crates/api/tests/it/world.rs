//! Two organizations with one of everything, and those who belong to them and do not.

use http::Method;
use serde_json::json;
use wagate_model::{
    Actor, ApiKeyId, Capabilities, Clock as _, EventId, MediaId, OrganizationId, OutboxId,
    PlatformRole, Role, SessionId, User,
};

use crate::forged::forged;
use crate::harness::{Service, UNKNOWN};
use crate::pages::{fill_channel, fill_with};
pub(crate) use crate::somebody::{Headers, Somebody, bearer, cookie};

/// How long a browser stays signed in, in milliseconds.
const LOGIN_MS: i64 = 30 * 24 * 3_600_000;

/// An organization with one of everything.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) organization: OrganizationId,
    pub(crate) owner: Somebody,
    pub(crate) admin: Somebody,
    pub(crate) member: Somebody,
    /// A key that may do everything that keys do, and its id.
    pub(crate) key: (String, ApiKeyId),
    pub(crate) session: SessionId,
    /// A chat that no session of others has.
    pub(crate) chat: String,
    /// The file of a message in that chat.
    pub(crate) media: MediaId,
    pub(crate) bucket: String,
    pub(crate) webhook: String,
    pub(crate) delivery: String,
    /// A message that waits for its time.
    pub(crate) scheduled: OutboxId,
    pub(crate) invitation: String,
    pub(crate) event: EventId,
    /// A cursor of each list of this organization, by the operation's name.
    pub(crate) cursors: Vec<(&'static str, String)>,
}

/// Credentials that were good once.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) expired_key: String,
    pub(crate) revoked_key: String,
    /// Of an organization that is gone.
    pub(crate) orphaned_key: String,
    pub(crate) expired_cookie: String,
    pub(crate) expired_token: String,
    pub(crate) ended_cookie: String,
    pub(crate) ended_token: String,
    pub(crate) banned_token: String,
    pub(crate) banned_cookie: String,
}

/// Two organizations over one service.
pub(crate) struct World {
    pub(crate) service: Service,
    /// Whose people and keys ask.
    pub(crate) own: Place,
    /// What they must not see.
    pub(crate) foreign: Place,
    /// Whoever runs the installation.
    pub(crate) operator: Somebody,
    /// Somebody who is in no organization.
    pub(crate) loner: Somebody,
    pub(crate) past: Past,
    /// Tokens that look like those of the own owner.
    pub(crate) forged: Vec<(&'static str, String)>,
}

/// What a world's two organizations differ in, so that one shows in the other's answers.
struct Traits {
    name: &'static str,
    chats: std::ops::Range<usize>,
    text: &'static str,
}

const OWN: Traits = Traits {
    name: "harbour",
    chats: 0..3,
    text: "own words",
};

const FOREIGN: Traits = Traits {
    name: "orchard",
    chats: 100..103,
    text: "secret orchard words",
};

async fn place(service: &Service, traits: &Traits) -> Place {
    let Traits { name, chats, text } = traits;
    let organization = service.store.organization().await;
    let of = |role: Role| (format!("{name}-{}", role.as_str()), role);
    let mut people = Vec::new();
    for (name, role) in [of(Role::Owner), of(Role::Admin), of(Role::Member)] {
        let membership = Some((organization, role));
        let user = service.user(&name, membership, PlatformRole::User).await;
        people.push(service.browsing(user).await);
    }
    let [owner, admin, member] = people.try_into().unwrap();
    let key = service.key(organization, Capabilities::all(), None).await;
    let (as_key, as_owner) = (bearer(&key.0), cookie(&owner.secret));
    let at = |rest: &str| format!("/api/auth/organizations/{organization}{rest}");
    let named = json!({ "name": format!("{name} organization") });
    service
        .ask(Method::PATCH, &at(""), &as_owner, Some(&named))
        .await
        .ok(200);
    let invited = json!({ "email": format!("invited@{name}.example") });
    let invited = service.made(&at("/invitations"), &as_owner, invited).await;
    let session = json!({ "label": format!("{name} session") });
    let session = service.made("/api/v1/sessions", &as_key, session).await;
    let session: SessionId = session["id"].as_str().unwrap().parse().unwrap();
    fill_with(service, session, chats.clone(), 3, text).await;
    let channel = format!("1203631555000{:04}@newsletter", chats.start);
    fill_channel(service, session, channel, text).await;
    let media = service.attach(session, &format!("{name}.pdf")).await;
    let bucket = json!({
        "name": format!("{name} files"), "endpoint": format!("https://s3.{name}.example"),
        "bucket": format!("{name}-files"), "accessKey": "AKIA", "secretKey": "hunter6",
    });
    let bucket = service
        .made("/api/v1/storage/buckets", &as_key, bucket)
        .await;
    let webhook = json!({ "url": format!("https://{name}.example/hook") });
    let webhook = service.made("/api/v1/webhooks", &as_key, webhook).await;
    let webhook = webhook["id"].as_str().unwrap().to_owned();
    let scheduled = service.schedule(organization, session, text).await;
    let events = service.emit(organization, session, 0..3).await;
    let mut place = Place {
        organization,
        owner,
        admin,
        member,
        key,
        session,
        chat: format!("1555000{:04}%40s.whatsapp.net", chats.start),
        media,
        bucket: bucket["id"].as_str().unwrap().to_owned(),
        webhook,
        delivery: String::new(),
        scheduled,
        invitation: invited["id"].as_str().unwrap().to_owned(),
        event: events[2],
        cursors: Vec::new(),
    };
    for (operation, path, headers) in place.lists() {
        let page = service
            .ask(Method::GET, &format!("{path}?limit=1"), &headers, None)
            .await
            .ok(200);
        let cursor = page["nextCursor"].as_str().unwrap().to_owned();
        place.cursors.push((operation, cursor));
        if operation == "listWebhookDeliveries" {
            page["data"][0]["id"]
                .as_str()
                .unwrap()
                .clone_into(&mut place.delivery);
        }
    }
    place
}

impl Place {
    /// The group that its session has seen, as `fill_with` stores it.
    fn group(&self) -> String {
        let digits: String = self.chat.chars().take_while(char::is_ascii_digit).collect();
        format!("120363{digits}%40g.us")
    }

    /// The label that its session has, as `fill_channel` stores it.
    fn label(&self) -> String {
        let channel = self.channel();
        channel.chars().take_while(char::is_ascii_digit).collect()
    }

    /// The channel that its session has seen.
    fn channel(&self) -> String {
        let digits: String = self.chat.chars().take_while(char::is_ascii_digit).collect();
        format!("120363{digits}%40newsletter")
    }

    /// The lists of an organization that come in pages, and who reads them.
    pub(crate) fn lists(&self) -> Vec<(&'static str, String, Headers)> {
        let (session, chat, webhook) = (self.session, &self.chat, &self.webhook);
        let chats = format!("/api/v1/sessions/{session}/chats");
        let messages = format!("{chats}/{chat}/messages");
        let deliveries = format!("/api/v1/webhooks/{webhook}/deliveries");
        let key = || bearer(&self.key.0);
        vec![
            (
                "listAudit",
                "/api/v1/audit".into(),
                bearer(&self.owner.token),
            ),
            ("listChats", chats, key()),
            ("listChatMessages", messages, key()),
            (
                "listChannelMessages",
                format!(
                    "/api/v1/sessions/{session}/channels/{}/messages",
                    self.channel()
                ),
                key(),
            ),
            (
                "listContacts",
                format!("/api/v1/sessions/{session}/contacts"),
                key(),
            ),
            (
                "listScheduledMessages",
                format!("/api/v1/sessions/{session}/scheduled"),
                key(),
            ),
            (
                "searchMessages",
                format!("/api/v1/sessions/{session}/messages"),
                key(),
            ),
            ("listWebhookDeliveries", deliveries, key()),
        ]
    }

    /// What names the organization and what is in it: nobody else's answers hold any of it.
    pub(crate) fn marks(&self) -> Vec<String> {
        let people = [&self.owner, &self.admin, &self.member];
        let mut marks = vec![
            self.organization.to_string(),
            self.key.1.to_string(),
            self.key.0.clone(),
            self.session.to_string(),
            self.session.ulid().to_string(),
            self.chat[..11].to_owned(),
            self.media.to_string(),
            self.bucket.clone(),
            self.webhook.clone(),
            self.scheduled.to_string(),
            self.delivery.clone(),
            self.invitation.clone(),
            self.event.to_string(),
        ];
        for Somebody {
            user,
            secret,
            token,
            other_login,
        } in people
        {
            marks.extend([user.id.to_string(), user.email.to_string()]);
            marks.extend([user.name.clone(), secret.clone(), token.clone()]);
            marks.push(other_login.to_string());
        }
        marks
    }
}

async fn past(service: &Service, own: OrganizationId) -> (Past, User) {
    let user = service
        .user("past", Some((own, Role::Owner)), PlatformRole::User)
        .await;
    let expires_at = Some(service.store.clock.now_ms() + 1_000);
    let new = wagate_identity::NewApiKey {
        name: "past".into(),
        capabilities: Capabilities::all(),
        session_ids: None,
        expires_at,
    };
    let expired = service
        .identity
        .create_api_key(own, new, &Actor::operator())
        .await
        .unwrap();
    let (expired_cookie, _, expired_token) = service.sign_in_for_token(&user).await;
    service.store.clock.advance_ms(LOGIN_MS);
    let (ended_cookie, ended, ended_token) = service.sign_in_for_token(&user).await;
    let (secret, _, banned_token) = service.sign_in_for_token(&user).await;
    let ended = format!("/api/auth/logins/{ended}");
    let as_user = cookie(&secret);
    service
        .ask(Method::DELETE, &ended, &as_user, None)
        .await
        .ok(204);
    let (revoked_key, revoked) = service.key(own, Capabilities::all(), None).await;
    let revoked = format!("/api/auth/organizations/{own}/api-keys/{revoked}");
    service
        .ask(Method::DELETE, &revoked, &as_user, None)
        .await
        .ok(204);
    let gone = service.store.organization().await;
    let orphaned = service.key(gone, Capabilities::all(), None).await;
    let operator = Actor::operator();
    let ended = service.core.end_organization(gone, &operator).await;
    ended.unwrap();
    let past = Past {
        orphaned_key: orphaned.0,
        expired_key: expired.secret.reveal(),
        revoked_key,
        expired_cookie,
        expired_token,
        ended_cookie,
        ended_token,
        banned_token,
        banned_cookie: secret,
    };
    (past, user)
}

impl World {
    pub(crate) async fn new() -> Self {
        let service = Service::start().await;
        let elsewhere = service.store.organization().await;
        let (past, banned) = past(&service, elsewhere).await;
        service
            .identity
            .ban_user(&banned, None, &Actor::operator())
            .await
            .unwrap();
        let own = place(&service, &OWN).await;
        let foreign = place(&service, &FOREIGN).await;
        let operator = service
            .user("operator", None, PlatformRole::SuperAdmin)
            .await;
        let loner = service.user("loner", None, PlatformRole::User).await;
        let forged = forged(&service, &own.owner.token).await;
        // What was asked to make all this is nobody's business.
        service.gateway.asked();
        Self {
            operator: service.browsing(operator).await,
            loner: service.browsing(loner).await,
            service,
            own,
            foreign,
            past,
            forged,
        }
    }
}

/// How a parameter of paths is filled.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// What an organization has.
    pub(crate) of: fn(&Place) -> String,
    /// What nobody has.
    pub(crate) unknown: &'static [&'static str],
}

/// Parameters that name people, chats and messages as WhatsApp does: nobody's own. Where an
/// operation asks WhatsApp (`x-live`), it knows those of which nothing is stored as well.
pub(crate) const ON_WHATSAPP: &[&str] = &["callId", "channel", "cid", "gid", "jid", "lid", "mid"];

/// Texts that are no ids, or are only when taken apart wrongly.
const NO_IDS: &[&str] = &[
    "%00",
    "%ff",
    "x",
    "..",
    "%2e%2e%2f",
    "null",
    "%27%20OR%201%3D1",
];

/// The parameters of paths, by name. A new one needs its line, and its place in [`Place`].
pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "session",
        of: |place| place.session.to_string(),
        unknown: &[UNKNOWN, "sess_01J9ZX8K2QHV0M3T6R7P4N5W8C", "*"],
    },
    Parameter {
        name: "cid",
        of: |place| place.chat.clone(),
        unknown: &["15559999999%40s.whatsapp.net", "15559999999", "1-2%40g.us"],
    },
    Parameter {
        name: "channel",
        of: |place| place.channel(),
        unknown: &["15559999999%40s.whatsapp.net", "999%40g.us"],
    },
    Parameter {
        name: "gid",
        of: |place| place.group(),
        unknown: &["999%40g.us", "15559999999%40s.whatsapp.net", "15559999999"],
    },
    Parameter {
        name: "jid",
        of: |place| place.chat.clone(),
        unknown: &["15559999999%40s.whatsapp.net"],
    },
    Parameter {
        name: "label",
        of: |place| place.label(),
        unknown: &["999", "1"],
    },
    Parameter {
        name: "lid",
        of: |place| place.chat.clone(),
        unknown: &["999999999999999%40lid", "15559999999"],
    },
    Parameter {
        name: "callId",
        of: |_| "3EB0C767D26A1B5F7C83".into(),
        unknown: &["3EB0FFFFFFFFFFFFFFFF"],
    },
    Parameter {
        name: "mid",
        of: |_| "3EB0C767D26A1B5F7C83".into(),
        unknown: &["3EB0FFFFFFFFFFFFFFFF"],
    },
    Parameter {
        name: "media",
        of: |place| place.media.to_string(),
        unknown: &["med_01J9ZX8K2QHV0M3T6R7P4N5W8C", UNKNOWN],
    },
    Parameter {
        name: "bucket",
        of: |place| place.bucket.clone(),
        unknown: &["bkt_01J9ZX8K2QHV0M3T6R7P4N5W8C", UNKNOWN],
    },
    Parameter {
        name: "id",
        of: |place| place.webhook.clone(),
        unknown: &["wh_01J9ZX8K2QHV0M3T6R7P4N5W8C", UNKNOWN],
    },
    Parameter {
        name: "deliveryId",
        of: |place| place.delivery.clone(),
        unknown: &["dlv_01J9ZX8K2QHV0M3T6R7P4N5W8C", UNKNOWN],
    },
    Parameter {
        name: "outboxId",
        of: |place| place.scheduled.to_string(),
        unknown: &["out_01J9ZX8K2QHV0M3T6R7P4N5W8C", UNKNOWN],
    },
    Parameter {
        name: "organization",
        of: |place| place.organization.to_string(),
        unknown: &["org_01J9ZX8K2QHV0M3T6R7P4N5W8C", UNKNOWN],
    },
    Parameter {
        name: "user",
        of: |place| place.member.user.id.to_string(),
        unknown: &["user_01J9ZX8K2QHV0M3T6R7P4N5W8C", UNKNOWN],
    },
    Parameter {
        name: "invitation",
        of: |place| place.invitation.clone(),
        unknown: &["inv_01J9ZX8K2QHV0M3T6R7P4N5W8C", UNKNOWN],
    },
    Parameter {
        name: "key",
        of: |place| place.key.1.to_string(),
        unknown: &["key_01J9ZX8K2QHV0M3T6R7P4N5W8C", UNKNOWN],
    },
    Parameter {
        name: "login",
        of: |place| place.owner.other_login.to_string(),
        unknown: &["login_01J9ZX8K2QHV0M3T6R7P4N5W8C", UNKNOWN],
    },
];

impl Parameter {
    /// Everything that must be told like an id that nobody has.
    pub(crate) fn not_there(&self) -> impl Iterator<Item = &'static str> {
        self.unknown.iter().chain(NO_IDS).copied()
    }
}
