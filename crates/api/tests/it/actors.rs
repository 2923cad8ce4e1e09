//! An organization that does steps, and what it gets to see of it.

use std::collections::HashMap;

use http::Method;
use serde_json::{Value, json};
use wagate_model::{EventKind, OrganizationId, PlatformRole, Role, SessionId};

use crate::harness::{Reply, Service};
use crate::pages::fill_with;
use crate::steps::Step;
use crate::views::Seen;
use crate::world::{Headers, bearer, cookie};

/// Something that a step has to show to others: an id that they must not get anywhere with.
pub(crate) type Ids = Vec<(&'static str, String)>;

/// An invitation that was made.
struct Invited {
    whom: u8,
    token: String,
    id: String,
}

/// An organization that does steps.
pub(crate) struct Actor {
    pub(crate) name: &'static str,
    organization: OrganizationId,
    key: Headers,
    owner: Headers,
    seen: Seen,
    sessions: Vec<String>,
    webhooks: Vec<String>,
    deliveries: Vec<(String, String)>,
    keys: Vec<(String, String)>,
    invitations: Vec<Invited>,
    guests: HashMap<u8, Headers>,
    members: Vec<String>,
    events: Vec<String>,
    cursors: Vec<String>,
    arrived: usize,
    /// What it was told, one line a step.
    pub(crate) views: Vec<String>,
}

fn pick<T>(all: &[T], which: u8) -> Option<&T> {
    all.get(usize::from(which) % all.len().max(1))
}

fn ids(page: &Value) -> Vec<String> {
    let rows = page["data"].as_array().into_iter().flatten();
    rows.filter_map(|row| Some(row["id"].as_str()?.to_owned()))
        .collect()
}

impl Actor {
    /// An organization with an owner, and a key of it.
    pub(crate) async fn new(service: &Service, name: &'static str) -> Self {
        let tenant = service.tenant().await;
        let membership = Some((tenant.organization, Role::Owner));
        let owner = service.user(name, membership, PlatformRole::User).await;
        Self {
            name,
            organization: tenant.organization,
            key: bearer(&tenant.key),
            owner: cookie(&service.sign_in(&owner).await.0),
            seen: Seen::default(),
            sessions: Vec::new(),
            webhooks: Vec::new(),
            deliveries: Vec::new(),
            keys: Vec::new(),
            invitations: Vec::new(),
            guests: HashMap::new(),
            members: Vec::new(),
            events: Vec::new(),
            cursors: Vec::new(),
            arrived: 0,
            views: Vec::new(),
        }
    }

    /// What others may try to get at.
    pub(crate) fn ids(&self) -> Ids {
        let last = |all: &[String]| all.last().cloned();
        let pairs = |all: &[(String, String)]| Some(all.last()?.1.clone());
        [
            ("organization", Some(self.organization.to_string())),
            ("session", last(&self.sessions)),
            ("webhook", last(&self.webhooks)),
            ("delivery", pairs(&self.deliveries)),
            ("key", pairs(&self.keys)),
            (
                "invitation",
                self.invitations.last().map(|made| made.id.clone()),
            ),
            ("member", last(&self.members)),
        ]
        .into_iter()
        .filter_map(|(kind, id)| Some((kind, id?)))
        .collect()
    }

    fn guest(&self, whom: u8) -> String {
        format!("{}-guest{whom}", self.name)
    }

    fn within(&self, rest: &str) -> String {
        format!("/api/auth/organizations/{}{rest}", self.organization)
    }

    async fn ask(
        &mut self,
        service: &Service,
        (method, path): (Method, &str),
        headers: &Headers,
        body: Option<Value>,
    ) -> Reply {
        let reply = service
            .ask(method.clone(), path, headers, body.as_ref())
            .await;
        let view = self.seen.view(&reply);
        self.views.push(view);
        assert!(
            !reply.status.is_server_error(),
            "{} {method} {path}: {:?}",
            self.name,
            self.views.last()
        );
        reply
    }

    async fn get(&mut self, service: &Service, path: &str, headers: &Headers) -> Value {
        let reply = self.ask(service, (Method::GET, path), headers, None).await;
        let page = reply.json();
        if let Some(cursor) = page["nextCursor"].as_str() {
            self.cursors.push(format!("{path}&cursor={cursor}"));
        }
        page
    }

    /// Does a step, as far as there is something to do it with.
    pub(crate) async fn act(&mut self, service: &Service, step: &Step, others: &Ids) {
        if self.with_data(service, step).await.is_none()
            && self.with_people(service, step).await.is_none()
            && self.reading(service, step).await.is_none()
            && let Step::Pry { deed, whose } = step
        {
            self.pry(service, *deed, *whose, others).await;
        }
    }

    async fn with_data(&mut self, service: &Service, step: &Step) -> Option<()> {
        let key = self.key.clone();
        let session = |this: &Self, which: u8| {
            let id = pick(&this.sessions, which)?;
            Some(format!("/api/v1/sessions/{id}"))
        };
        let webhook = |this: &Self, which: u8| {
            let id = pick(&this.webhooks, which)?;
            Some(format!("/api/v1/webhooks/{id}"))
        };
        match step {
            Step::CreateSession { label } => {
                let body = Some(json!({ "label": format!("session {label}") }));
                let at = (Method::POST, "/api/v1/sessions");
                let made = self.ask(service, at, &key, body).await.ok(201);
                self.sessions.push(made["id"].as_str()?.to_owned());
            }
            Step::RenameSession { which, label } => {
                let at = session(self, *which)?;
                let body = Some(json!({ "label": format!("renamed {label}") }));
                self.ask(service, (Method::PATCH, &at), &key, body).await;
            }
            Step::DeleteSession { which } => {
                let at = session(self, *which)?;
                self.ask(service, (Method::DELETE, &at), &key, None).await;
            }
            Step::Command { which, verb } => {
                let verb = ["start", "stop", "restart", "logout"][usize::from(*verb)];
                let at = format!("{}:{verb}", session(self, *which)?);
                self.ask(service, (Method::POST, &at), &key, None).await;
            }
            Step::Arrive { which, chats } => self.arrive(service, *which, *chats).await?,
            Step::Send {
                which,
                key: number,
                text,
            } => {
                let at = format!("{}/messages", session(self, *which)?);
                let body =
                    json!({ "type": "text", "to": "15551234567", "text": format!("{text}") });
                let mut headers = key;
                headers.push(("idempotency-key", vec![b'k', b'0' + number]));
                self.ask(service, (Method::POST, &at), &headers, Some(body))
                    .await;
            }
            Step::CreateWebhook { session } => {
                let session = session.and_then(|which| pick(&self.sessions, which));
                let body = json!({ "url": "https://e.example/", "sessionId": session });
                let at = (Method::POST, "/api/v1/webhooks");
                let made = self.ask(service, at, &key, Some(body)).await.json();
                self.webhooks.extend(made["id"].as_str().map(str::to_owned));
            }
            Step::RenameWebhook { which, name } => {
                let at = webhook(self, *which)?;
                let body = Some(json!({ "url": format!("https://e{name}.example/") }));
                self.ask(service, (Method::PATCH, &at), &key, body).await;
            }
            Step::DeleteWebhook { which } => {
                let at = webhook(self, *which)?;
                self.ask(service, (Method::DELETE, &at), &key, None).await;
            }
            Step::Replay { which } => {
                let (webhook, delivery) = pick(&self.deliveries, *which)?.clone();
                let at = format!("/api/v1/webhooks/{webhook}/deliveries/{delivery}:replay");
                self.ask(service, (Method::POST, &at), &key, None).await;
            }
            _ => return None,
        }
        Some(())
    }

    /// What a gateway does, which nobody asked for.
    async fn arrive(&mut self, service: &Service, which: u8, chats: u8) -> Option<()> {
        let id = pick(&self.sessions, which)?;
        let path = format!("/api/v1/sessions/{id}");
        let session: SessionId = id.parse().unwrap();
        let there = service.ask(Method::GET, &path, &self.key, None).await;
        if there.status != 200 {
            return Some(());
        }
        let text = ["spring", "summer", "autumn", "winter"][self.arrived % 4];
        // Addresses that others have chats with too.
        fill_with(service, session, 0..usize::from(chats), 2, text).await;
        let payload = json!({ "n": self.arrived, "text": text });
        let copies = service
            .commit(
                self.organization,
                session,
                EventKind::Message,
                vec![payload],
            )
            .await;
        service.announce(self.organization, copies);
        self.arrived += 1;
        Some(())
    }

    async fn with_people(&mut self, service: &Service, step: &Step) -> Option<()> {
        let owner = self.owner.clone();
        match step {
            Step::MakeKey {
                session,
                permission,
            } => {
                let permission = ["read", "send", "manage", "events"][usize::from(*permission)];
                let session = session.and_then(|which| pick(&self.sessions, which));
                let body = json!({
                    "name": "made", "permissions": [permission],
                    "sessionIds": session.map(|session| [session]),
                });
                let at = (Method::POST, self.within("/api-keys"));
                let made = self.ask(service, (at.0, &at.1), &owner, Some(body)).await;
                let made = made.json();
                let secret = made["key"].as_str()?.to_owned();
                self.keys.push((secret, made["id"].as_str()?.to_owned()));
            }
            Step::UseKey { which } => {
                let key = bearer(&pick(&self.keys, *which)?.0);
                self.get(service, "/api/v1/sessions", &key).await;
            }
            Step::RevokeKey { which } => {
                let at = format!("/api-keys/{}", pick(&self.keys, *which)?.1);
                let at = self.within(&at);
                self.ask(service, (Method::DELETE, &at), &owner, None).await;
            }
            Step::Invite { whom } => {
                let name = self.guest(*whom);
                let body = json!({ "email": format!("{name}@people.example") });
                let at = self.within("/invitations");
                let made = self
                    .ask(service, (Method::POST, &at), &owner, Some(body))
                    .await;
                let made = made.json();
                let link = made["link"].as_str()?;
                self.invitations.push(Invited {
                    whom: *whom,
                    token: link.rsplit_once('=')?.1.to_owned(),
                    id: made["id"].as_str()?.to_owned(),
                });
            }
            Step::Accept { which } => {
                let Invited { whom, token, .. } = pick(&self.invitations, *which)?;
                let (whom, body) = (*whom, Some(json!({ "token": token })));
                let at = (Method::POST, "/api/auth/invitations:preview");
                self.ask(service, at, &Headers::new(), body.clone()).await;
                if !self.guests.contains_key(&whom) {
                    let name = self.guest(whom);
                    let user = service.user(&name, None, PlatformRole::User).await;
                    let login = cookie(&service.sign_in(&user).await.0);
                    self.guests.insert(whom, login);
                }
                let guest = self.guests[&whom].clone();
                let at = (Method::POST, "/api/auth/invitations:accept");
                self.ask(service, at, &guest, body).await;
            }
            Step::RevokeInvitation { which } => {
                let at = format!("/invitations/{}", pick(&self.invitations, *which)?.id);
                let at = self.within(&at);
                self.ask(service, (Method::DELETE, &at), &owner, None).await;
            }
            Step::SetRole { which, role } => {
                let role = ["member", "admin", "owner", "member"][usize::from(*role)];
                let at = format!("/members/{}", pick(&self.members, *which)?);
                let at = self.within(&at);
                let body = Some(json!({ "role": role }));
                self.ask(service, (Method::PATCH, &at), &owner, body).await;
            }
            Step::RemoveMember { which } => {
                let at = format!("/members/{}", pick(&self.members, *which)?);
                let at = self.within(&at);
                self.ask(service, (Method::DELETE, &at), &owner, None).await;
            }
            Step::Rename { name } => {
                let body = Some(json!({ "name": format!("name {name}") }));
                let at = self.within("");
                self.ask(service, (Method::PATCH, &at), &owner, body).await;
            }
            _ => return None,
        }
        Some(())
    }

    async fn reading(&mut self, service: &Service, step: &Step) -> Option<()> {
        let key = self.key.clone();
        match step {
            Step::Ticket { session } => {
                let session = session.and_then(|which| pick(&self.sessions, which));
                let body = match session {
                    Some(session) => json!({ "scope": "session", "session": session }),
                    None => json!({ "since": self.events.last() }),
                };
                let at = (Method::POST, "/api/v1/realtime/ticket");
                self.ask(service, at, &key, Some(body)).await;
            }
            Step::Pull { after } => {
                let after = after.and_then(|which| pick(&self.events, which));
                let after = after.map(|id| format!("&after={id}")).unwrap_or_default();
                let at = format!("/api/v1/events?limit=5{after}");
                let page = self.get(service, &at, &key).await;
                self.events.extend(ids(&page));
            }
            Step::List { what, which } => self.list(service, *what, *which).await?,
            Step::More { which } => {
                let at = pick(&self.cursors, *which)?.clone();
                self.get(service, &at, &key).await;
            }
            _ => return None,
        }
        Some(())
    }

    async fn list(&mut self, service: &Service, what: u8, which: u8) -> Option<()> {
        let (key, owner) = (self.key.clone(), self.owner.clone());
        match what {
            0 => drop(self.get(service, "/api/v1/sessions", &key).await),
            1 => drop(self.get(service, "/api/v1/webhooks", &key).await),
            2 => {
                let webhook = pick(&self.webhooks, which)?.clone();
                let at = format!("/api/v1/webhooks/{webhook}/deliveries?limit=3");
                let page = self.get(service, &at, &key).await;
                let found = ids(&page).into_iter().map(|id| (webhook.clone(), id));
                self.deliveries.extend(found);
            }
            3 | 4 => {
                let session = pick(&self.sessions, which)?;
                let rest = ["?limit=2", "/15550000000/messages?limit=2"][usize::from(what - 3)];
                let at = format!("/api/v1/sessions/{session}/chats{rest}");
                self.get(service, &at, &key).await;
            }
            5 => {
                let at = self.within("/members");
                let page = self.get(service, &at, &owner).await;
                let rows = page["data"].as_array().into_iter().flatten();
                let found = rows.filter_map(|row| row["userId"].as_str());
                self.members = found.map(str::to_owned).collect();
            }
            6 => drop(
                self.get(service, &self.within("/invitations"), &owner)
                    .await,
            ),
            7 => drop(self.get(service, &self.within("/api-keys"), &owner).await),
            8 => drop(self.get(service, "/api/auth/organizations", &owner).await),
            _ => drop(self.get(service, "/api/auth/session", &owner).await),
        }
        Some(())
    }

    /// Tries to get at what others have. Where there are no others, it is at what nobody has:
    /// the answers must be the same.
    async fn pry(&mut self, service: &Service, deed: u8, whose: u8, others: &Ids) {
        let (key, owner) = (self.key.clone(), self.owner.clone());
        let other = |kind: &'static str, nobodys: &str| {
            let of_kind: Vec<_> = others.iter().filter(|(k, _)| *k == kind).collect();
            let found = pick(&of_kind, whose).map(|(_, id)| id.clone());
            found.unwrap_or_else(|| format!("{nobodys}01J9ZX8K2QHV0M3T6R7P4N5W8C"))
        };
        let session = other("session", "");
        let webhook = other("webhook", "wh_");
        let organization = other("organization", "org_");
        let foreign = format!("/api/auth/organizations/{organization}");
        let named = Some(json!({ "name": "taken", "url": "https://taken.example/" }));
        let (method, path, headers, body) = match deed {
            0 => (
                Method::GET,
                format!("/api/v1/sessions/{session}"),
                &key,
                None,
            ),
            1 => (
                Method::DELETE,
                format!("/api/v1/sessions/{session}"),
                &key,
                None,
            ),
            2 => (
                Method::GET,
                format!("/api/v1/sessions/{session}/chats/15550000000"),
                &key,
                None,
            ),
            3 => (
                Method::DELETE,
                format!("/api/v1/webhooks/{webhook}"),
                &key,
                None,
            ),
            4 => (
                Method::PATCH,
                format!("/api/v1/webhooks/{webhook}"),
                &key,
                named,
            ),
            5 => (
                Method::GET,
                format!("/api/v1/events?session={session}"),
                &key,
                None,
            ),
            6 => {
                let body = Some(json!({ "url": "https://e.example/", "sessionId": session }));
                (Method::POST, "/api/v1/webhooks".to_owned(), &key, body)
            }
            7 => (Method::PATCH, foreign, &owner, named),
            8 => (Method::GET, format!("{foreign}/members"), &owner, None),
            9 => {
                let at = format!("/api-keys/{}", other("key", "key_"));
                (Method::DELETE, self.within(&at), &owner, None)
            }
            10 => {
                let at = format!("/members/{}", other("member", "user_"));
                (Method::DELETE, self.within(&at), &owner, None)
            }
            _ => {
                let at = format!("/invitations/{}", other("invitation", "inv_"));
                (Method::DELETE, self.within(&at), &owner, None)
            }
        };
        self.ask(service, (method, &path), headers, body).await;
    }
}
