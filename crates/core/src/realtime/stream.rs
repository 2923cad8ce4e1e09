//! The stream that a ticket opens.
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
use tokio::time::Instant;
use wagate_cluster::{Lagged, Signal, Subscription, Topic};
use wagate_model::{EventId, OrganizationId};

use super::holder::Holder;
use super::tails::Tails;
use crate::error::{Error, Result};
use crate::events::{BATCH, View};
use crate::service::Core;

/// What a stream gives next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamItem {
    /// An event's envelope, as stored.
    Event(String),
    /// The credential behind the stream was revoked or has expired: it ends.
    Revoked,
}

/// The events of a view, from a position on, without a gap: each organization's in order.
#[derive(Debug)]
pub struct EventStream {
    core: Core,
    /// Whose events; all organizations' where absent.
    organization: Option<OrganizationId>,
    holder: Holder,
    view: View,
    events: Subscription,
    credentials: Subscription,
    /// Whether the credential is known to be void.
    is_revoked: bool,
    /// Whether the credential may have become void.
    is_in_doubt: bool,
    tails: Tails,
    ready: VecDeque<String>,
    /// When the store is looked into without being told, for signals that got lost.
    next_look: Instant,
}

impl EventStream {
    /// Opens the stream of a view, of one organization's events after one, or of all
    /// organizations' from now on.
    pub(super) async fn open(
        core: &Core,
        organization: Option<OrganizationId>,
        holder: Holder,
        view: View,
        since: Option<EventId>,
    ) -> Result<Self> {
        let topic = organization.map_or(Topic::AllEvents, Topic::Events);
        let events = core.bus.subscribe(topic).await?;
        let credentials = core.bus.subscribe(Topic::Credentials).await?;
        // After subscribing: a key revoked since the ticket was made opens nothing.
        if !holder.is_permitted(core, organization).await? {
            return Err(Error::Unauthorized);
        }
        let tails = {
            let mut tx = core.store.read().await?;
            match organization {
                Some(organization) => {
                    let position = match since {
                        Some(since) => Some(since),
                        None => tx.last_event_id(organization).await?,
                    };
                    Tails::after([(organization, position)])
                }
                None => {
                    let newest = tx.admin().last_event_ids().await?.into_iter();
                    Tails::after(newest.map(|(id, position)| (id, Some(position))))
                }
            }
        };
        let mut stream = Self {
            core: core.clone(),
            organization,
            holder,
            view,
            events,
            credentials,
            is_revoked: false,
            is_in_doubt: false,
            tails,
            ready: VecDeque::new(),
            next_look: Instant::now() + core.config.stream_poll_interval,
        };
        if let Some(organization) = organization {
            stream.tails.wake(organization);
        }
        Ok(stream)
    }

    /// The next item; an error when the store or the bus is away, and the stream ends.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<StreamItem> {
        loop {
            if self.next_look <= Instant::now() {
                self.look_around().await?;
            }
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
            if let Some((organization, position)) = self.tails.next_due() {
                self.read_on(organization, position).await?;
                continue;
            }
            tokio::select! {
                signal = self.credentials.recv() => self.note_credential(signal.as_ref())?,
                signal = self.events.recv() => match signal {
                    Some(Ok(Signal::Events { organization_id, events })) => {
                        self.tails.note(organization_id, &events, &self.view);
                    }
                    Some(Ok(_)) => {}
                    Some(Err(Lagged)) => self.next_look = Instant::now(),
                    None => return Err(Error::unavailable()),
                },
                () = tokio::time::sleep_until(self.next_look) => {}
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
        self.holder
            .is_permitted(&self.core, self.organization)
            .await
    }

    fn note_credential(&mut self, signal: Option<&Result<Signal, Lagged>>) -> Result<()> {
        match signal {
            // A key is revoked once and for all; what a user lost may be enough or not.
            Some(Ok(signal)) if self.holder.is_meant_by(signal) => match self.holder {
                Holder::Key(_) => self.is_revoked = true,
                Holder::Person(_) => self.is_in_doubt = true,
            },
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

    /// Asks the store for what signals should have told: they may get lost.
    async fn look_around(&mut self) -> Result<()> {
        match self.organization {
            Some(organization) => self.tails.wake(organization),
            None => {
                let newest = {
                    let mut tx = self.core.store.read().await?;
                    tx.admin().last_event_ids().await?
                };
                self.tails.wake_behind(&newest);
            }
        }
        self.next_look = Instant::now() + self.core.config.stream_poll_interval;
        Ok(())
    }

    async fn read_on(
        &mut self,
        organization: OrganizationId,
        position: Option<EventId>,
    ) -> Result<()> {
        let (newest, rows) = {
            let mut tx = self.core.store.read().await?;
            let newest = tx.last_event_id(organization).await?;
            let rows = tx
                .events_after(organization, position, &self.view.filter, BATCH)
                .await?;
            (newest, rows)
        };
        // No await from here on: a dropped future has either read nothing or all of it.
        self.ready.extend(self.tails.take(newest, rows, &self.view));
        Ok(())
    }
}
