//! Realtime: tickets, and the stream that a ticket opens.
//!
//! A stream listens to the bus first, then reads the log from its position, then
//! goes on with every wake-up. What a signal carries is not passed on as it is: on a
//! cluster the copies of two gateways may arrive in another order than the log has,
//! and some may get lost. The log has all of them in their order, so a signal only
//! says that it is time to read on; nothing is buffered, and who is behind reads from
//! the store. The exception is presence, which may skip the log under load: its
//! copies are passed on when the log does not have them.

use std::collections::VecDeque;

use futures::FutureExt as _;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use wagate_cluster::{EventCopy, Lagged, Signal, Subscription, Topic};
use wagate_identity::Principal;
use wagate_model::{
    ApiKeyId, Capability, Draft, EventId, EventKind, OrganizationId, PlatformRole, Role, SessionId,
    Subject,
};
use wagate_store::EventFilter;

use crate::caller::{Caller, SessionAccess};
use crate::error::{Error, Result};
use crate::events::{BATCH, View, check_position, parse_event_id, parse_kinds};
use crate::service::Core;

/// What a ticket's secret begins with.
const TICKET_PREFIX: &str = "rt_";

/// Presence copies that wait for the log at most; more are dropped, as they may.
const MAX_UNLOGGED: usize = 256;

/// Whose events a socket gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StreamScope {
    /// One session's.
    Session,
    /// All of the organization's.
    #[default]
    Organization,
    /// Every organization's: for the operator only.
    Firehose,
}

/// What a socket shall get.
#[derive(Debug, Clone, Default)]
pub struct TicketRequest {
    /// Whose events.
    pub scope: StreamScope,
    /// The session; required with that scope.
    pub session: Option<String>,
    /// The events wanted; all where absent.
    pub events: Option<Vec<String>>,
    /// The last event that the client has; it gets all after it.
    pub since: Option<String>,
}

/// A ticket just made; the only time that its secret is known.
pub struct IssuedTicket {
    /// The secret.
    pub secret: String,
    /// For how long it can be used, in milliseconds.
    pub expires_in_ms: i64,
}

impl std::fmt::Debug for IssuedTicket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IssuedTicket(…)")
    }
}

/// A ticket that can be used now; the first who uses it gets what it opens.
pub struct FoundTicket {
    hash: [u8; 32],
    organization_id: OrganizationId,
}

impl std::fmt::Debug for FoundTicket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FoundTicket(…)")
    }
}

impl FoundTicket {
    /// Whose events it opens.
    #[must_use]
    pub const fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }
}

/// Whose credential a stream hangs on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Holder {
    /// An API key's.
    Key(ApiKeyId),
    /// A person's.
    Person(Subject),
}

impl From<&Principal> for Holder {
    fn from(principal: &Principal) -> Self {
        match principal {
            Principal::ApiKey(key) => Self::Key(key.key_id),
            Principal::Person(person) => Self::Person(person.subject.clone()),
        }
    }
}

/// What a ticket opens, as stored.
#[derive(Debug, Serialize, Deserialize)]
struct StoredScope {
    holder: Holder,
    session: Option<SessionId>,
    session_ids: Option<Vec<SessionId>>,
    kinds: Option<Vec<EventKind>>,
    since: Option<EventId>,
}

impl Core {
    /// Makes a ticket that opens one realtime socket.
    pub async fn create_ticket(
        &self,
        caller: &Caller,
        request: Draft<TicketRequest>,
    ) -> Result<IssuedTicket> {
        let (request, mut faults) = request.open()?;
        if request.scope == StreamScope::Firehose {
            // No API key sees other organizations, whatever it may do in its own.
            return Err(Error::Forbidden);
        }
        let session = match (request.scope, request.session.as_deref()) {
            (StreamScope::Session, None | Some("")) => {
                faults.add("session", "is required with scope session");
                None
            }
            (StreamScope::Session, Some(id)) => Some(self.open_session(caller, id).await?),
            (_, None | Some("")) => None,
            (_, Some(_)) => {
                let is_known = !faults.is_unreadable("scope");
                faults.check(!is_known, "session", || {
                    "is only allowed with scope session".into()
                });
                None
            }
        };
        let organization = match &session {
            Some(access) => access.organization_id(),
            None => caller.organization_id()?,
        };
        let since = parse_event_id("since", request.since.as_deref(), &mut faults);
        {
            let mut tx = self.store.read().await?;
            check_position(&mut tx, organization, "since", since, &mut faults).await?;
        }
        let kinds = request
            .events
            .as_deref()
            .and_then(|names| parse_kinds("events", names, &mut faults));
        faults.into_result()?;
        let scope = StoredScope {
            holder: Holder::from(caller.principal()),
            session: session.as_ref().map(SessionAccess::id),
            session_ids: caller.session_ids().map(<[SessionId]>::to_vec),
            kinds,
            since,
        };
        let scope = serde_json::value::to_raw_value(&scope).map_err(Error::internal)?;
        self.store_ticket(organization, scope).await
    }

    async fn store_ticket(
        &self,
        organization: OrganizationId,
        scope: Box<RawValue>,
    ) -> Result<IssuedTicket> {
        use base64::Engine as _;
        let mut bytes = [0; 32];
        self.randomness.fill(&mut bytes);
        let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        let secret = format!("{TICKET_PREFIX}{encoded}");
        let hash = hash_of(&secret);
        let now = self.clock.now_ms();
        let expires_in_ms = self.config.ticket_ttl_ms;
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    let until = now.saturating_add(expires_in_ms);
                    Ok(tx
                        .insert_ticket(organization, &hash, &scope, now, until)
                        .await?)
                })
            })
            .await?;
        Ok(IssuedTicket {
            secret,
            expires_in_ms,
        })
    }

    /// Finds a ticket without using it up.
    ///
    /// It only reads, so that anybody's guesses cost no more than that.
    pub async fn find_ticket(&self, ticket: &str) -> Result<FoundTicket> {
        if !ticket.starts_with(TICKET_PREFIX) {
            return Err(Error::Unauthorized);
        }
        let (hash, now) = (hash_of(ticket), self.clock.now_ms());
        let mut tx = self.store.read().await?;
        let organization = tx.admin().ticket_organization(&hash, now).await?;
        Ok(FoundTicket {
            hash,
            organization_id: organization.ok_or(Error::Unauthorized)?,
        })
    }

    /// Opens the stream of a ticket; the ticket is used up.
    pub async fn open_stream(&self, ticket: FoundTicket) -> Result<EventStream> {
        let (hash, now) = (ticket.hash, self.clock.now_ms());
        let taken = self
            .store
            .write::<_, Error, _>(wagate_store::Lane::SHARED, move |tx| {
                Box::pin(async move { Ok(tx.admin().take_ticket(&hash, now).await?) })
            })
            .await?;
        let (organization, scope) = taken.ok_or(Error::Unauthorized)?;
        let scope: StoredScope = serde_json::from_str(&scope).map_err(Error::internal)?;
        let events = self.bus.subscribe(Topic::Events(organization)).await?;
        let credentials = self.bus.subscribe(Topic::Credentials).await?;
        let mut stream = EventStream {
            core: self.clone(),
            organization,
            holder: scope.holder,
            view: View {
                filter: EventFilter {
                    session: scope.session,
                    kinds: scope.kinds,
                },
                session_ids: scope.session_ids,
            },
            events,
            credentials,
            is_revoked: false,
            is_in_doubt: false,
            position: scope.since,
            may_have_more: true,
            ready: VecDeque::new(),
            unlogged: Vec::new(),
            next_poll: Instant::now() + self.config.stream_poll_interval,
        };
        // After subscribing: a key revoked since the ticket was made opens nothing.
        if !stream.is_permitted().await? {
            return Err(Error::Unauthorized);
        }
        if scope.since.is_none() {
            stream.position = self.store.read().await?.last_event_id(organization).await?;
        }
        Ok(stream)
    }
}

fn hash_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// What a stream gives next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamItem {
    /// An event's envelope, as stored.
    Event(String),
    /// The credential behind the stream was revoked or has expired: it ends.
    Revoked,
}

/// The events of a view, from a position on, without a gap and in order.
#[derive(Debug)]
pub struct EventStream {
    core: Core,
    organization: OrganizationId,
    holder: Holder,
    view: View,
    events: Subscription,
    credentials: Subscription,
    /// Whether the credential is known to be void.
    is_revoked: bool,
    /// Whether signals of revocations may have been missed.
    is_in_doubt: bool,
    /// The last event that was read from the log.
    position: Option<EventId>,
    /// Whether the log may hold events after the position.
    may_have_more: bool,
    ready: VecDeque<String>,
    /// Copies that the log did not show yet.
    unlogged: Vec<EventCopy>,
    next_poll: Instant,
}

impl EventStream {
    /// The next item; an error when the store or the bus is away, and the stream ends.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<StreamItem> {
        loop {
            // Before anything is given: neither a long replay nor what was read from the log
            // outlives the credential.
            while let Some(signal) = self.credentials.recv().now_or_never() {
                self.note_credential(signal.as_ref())?;
            }
            if self.is_void().await? {
                return Ok(StreamItem::Revoked);
            }
            if let Some(envelope) = self.ready.pop_front() {
                return Ok(StreamItem::Event(envelope));
            }
            if self.may_have_more {
                self.read_on().await?;
                continue;
            }
            tokio::select! {
                signal = self.credentials.recv() => self.note_credential(signal.as_ref())?,
                signal = self.events.recv() => match signal {
                    Some(Ok(Signal::Events { events, .. })) => self.note(&events),
                    Some(Ok(_)) => {}
                    Some(Err(Lagged)) => self.may_have_more = true,
                    None => return Err(Error::unavailable()),
                },
                () = tokio::time::sleep_until(self.next_poll) => {
                    self.next_poll = Instant::now() + self.core.config.stream_poll_interval;
                    self.may_have_more = true;
                }
            }
        }
    }

    /// Waits until the credential behind the stream is revoked.
    ///
    /// Dropping the future loses nothing.
    pub async fn revoked(&mut self) -> Result<()> {
        loop {
            if self.is_void().await? {
                return Ok(());
            }
            let signal = self.credentials.recv().await;
            self.note_credential(signal.as_ref())?;
        }
    }

    /// Whether the credential behind the stream is still good, by the store.
    pub async fn is_permitted(&self) -> Result<bool> {
        let now = self.core.clock.now_ms();
        let mut tx = self.core.store.read().await?;
        match &self.holder {
            Holder::Key(key_id) => {
                let key = tx.api_key(self.organization, *key_id).await?;
                Ok(key.is_some_and(|key| {
                    key.is_valid_at(now) && key.capabilities.has(Capability::Events)
                }))
            }
            Holder::Person(Subject::User { user_id, login_id }) => {
                let organization = Some(self.organization);
                let mut admin = tx.admin();
                let standing = admin.standing(*user_id, *login_id, organization, now);
                Ok(standing.await?.is_some_and(|standing| {
                    let role = standing.role.map(Role::capabilities);
                    standing.platform_role == PlatformRole::SuperAdmin
                        || role.is_some_and(|may| may.has(Capability::Events))
                }))
            }
            // Nobody tells of those who lose access elsewhere: it ends with the token.
            Holder::Person(Subject::Foreign { expires_at, .. }) => {
                Ok(now < *expires_at && tx.organization(self.organization).await?.is_some())
            }
        }
    }

    fn note_credential(&mut self, signal: Option<&Result<Signal, Lagged>>) -> Result<()> {
        match signal {
            Some(Ok(Signal::KeyRevoked { key_id })) => {
                self.is_revoked |= matches!(&self.holder, Holder::Key(own) if own == key_id);
            }
            Some(Ok(Signal::UserChanged { user_id: changed })) => {
                self.is_in_doubt |= matches!(&self.holder,
                    Holder::Person(Subject::User { user_id, .. }) if user_id == changed);
            }
            Some(Ok(_)) => {}
            Some(Err(Lagged)) => self.is_in_doubt = true,
            None => return Err(Error::unavailable()),
        }
        Ok(())
    }

    async fn is_void(&mut self) -> Result<bool> {
        if self.is_in_doubt {
            self.is_revoked |= !self.is_permitted().await?;
            self.is_in_doubt = false;
        }
        Ok(self.is_revoked)
    }

    fn note(&mut self, copies: &[EventCopy]) {
        for copy in copies {
            if !self.view.shows(copy.session_id, copy.kind) {
                continue;
            }
            self.may_have_more = true;
            // An older one was read from the log, or came too late to be worth telling.
            if copy.kind == EventKind::PresenceUpdate
                && self.position.is_none_or(|position| copy.id > position)
                && self.unlogged.len() < MAX_UNLOGGED
            {
                self.unlogged.push(copy.clone());
            }
        }
    }

    async fn read_on(&mut self) -> Result<()> {
        let (newest, rows) = {
            let mut tx = self.core.store.read().await?;
            let newest = tx.last_event_id(self.organization).await?;
            let rows = tx
                .events_after(self.organization, self.position, &self.view.filter, BATCH)
                .await?;
            (newest, rows)
        };
        // No await from here on: a dropped future has either read nothing or all of it.
        self.may_have_more = i64::try_from(rows.len()).unwrap_or(BATCH) >= BATCH;
        if !self.may_have_more {
            // Ids sort as commits do, so the read has seen everything up to what was the
            // newest before it: the next read need not pass over others' events again.
            self.position = self.position.max(newest);
        }
        for (id, envelope) in rows {
            self.position = self.position.max(Some(id));
            self.unlogged.retain(|copy| copy.id != id);
            if self.view.permits(&envelope) {
                self.ready.push_back(envelope);
            }
        }
        if !self.may_have_more {
            let unlogged = self.unlogged.drain(..);
            self.ready
                .extend(unlogged.map(|copy| copy.json.to_string()));
        }
        Ok(())
    }
}
