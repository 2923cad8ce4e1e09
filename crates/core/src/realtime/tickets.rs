//! Tickets: each opens one stream.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use wagate_model::{Draft, EventId, EventKind, Faults, OrganizationId, SessionId, hide_contents};
use wagate_store::{EventFilter, Lane};

use super::holder::Holder;
use super::stream::EventStream;
use crate::caller::{Caller, SessionAccess};
use crate::error::{Error, Result};
use crate::events::{View, check_position, parse_event_id, parse_kinds};
use crate::service::Core;

/// What a ticket's secret begins with.
const TICKET_PREFIX: &str = "rt_";

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
    /// The last event that the client has; it gets all after it. Not with all organizations'
    /// events: each numbers its own.
    pub since: Option<String>,
}

/// A ticket just made; the only time that its secret is known.
pub struct IssuedTicket {
    /// The secret.
    pub secret: String,
    /// For how long it can be used, in milliseconds.
    pub expires_in_ms: i64,
}

hide_contents!(IssuedTicket);

/// A ticket that can be used now; the first who uses it gets what it opens.
pub struct FoundTicket {
    hash: [u8; 32],
    organization_id: Option<OrganizationId>,
}

hide_contents!(FoundTicket);

impl FoundTicket {
    /// Whose events it opens; all organizations' where absent.
    #[must_use]
    pub const fn organization_id(&self) -> Option<OrganizationId> {
        self.organization_id
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
        let scope = request.scope;
        // No API key sees other organizations, whatever it may do in its own.
        if scope == StreamScope::Firehose && !caller.is_super_admin() {
            return Err(Error::Forbidden);
        }
        let session = self.ticket_session(caller, &request, &mut faults).await?;
        let organization = match (&session, scope) {
            (Some(access), _) => Some(access.organization_id()),
            (None, StreamScope::Firehose) => None,
            (None, _) => Some(caller.organization_id()?),
        };
        let since = if let Some(organization) = organization {
            let since = parse_event_id("since", request.since.as_deref(), &mut faults);
            let mut tx = self.store.read().await?;
            check_position(&mut tx, organization, "since", since, &mut faults).await?;
            since
        } else {
            faults.check(request.since.is_none(), "since", || {
                "is not possible with scope firehose: each organization has an order of its own"
                    .into()
            });
            None
        };
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

    /// The session that a ticket is asked for; a fault where the scope does not fit it.
    async fn ticket_session(
        &self,
        caller: &Caller,
        request: &TicketRequest,
        faults: &mut Faults,
    ) -> Result<Option<SessionAccess>> {
        match (request.scope, request.session.as_deref()) {
            (StreamScope::Session, None | Some("")) => {
                faults.add("session", "is required with scope session");
                Ok(None)
            }
            (StreamScope::Session, Some(id)) => Ok(Some(self.open_session(caller, id).await?)),
            (_, None | Some("")) => Ok(None),
            (_, Some(_)) => {
                let is_known = !faults.is_unreadable("scope");
                faults.check(!is_known, "session", || {
                    "is only allowed with scope session".into()
                });
                Ok(None)
            }
        }
    }

    async fn store_ticket(
        &self,
        organization: Option<OrganizationId>,
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
        let lane = organization.map_or(Lane::SHARED, Lane::from);
        self.store
            .write::<_, Error, _>(lane, move |tx| {
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
            .write::<_, Error, _>(Lane::SHARED, move |tx| {
                Box::pin(async move { Ok(tx.admin().take_ticket(&hash, now).await?) })
            })
            .await?;
        let (organization, scope) = taken.ok_or(Error::Unauthorized)?;
        let scope: StoredScope = serde_json::from_str(&scope).map_err(Error::internal)?;
        let view = View {
            filter: EventFilter {
                session: scope.session,
                kinds: scope.kinds,
            },
            session_ids: scope.session_ids,
        };
        EventStream::open(self, organization, scope.holder, view, scope.since).await
    }
}

fn hash_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
