//! The library's events, as the engine tells them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whatsapp_rust::types::events::{
    ConnectFailureReason, Event, EventHandler, MessageBatch, ServerAck, TemporaryBan,
    UnavailableType, UndecryptableMessage,
};
use whatsapp_rust::wacore::iq::dirty::DirtyType;
use whatsapp_rust::wacore::net::DisconnectReason;
use whatsapp_rust::{Client, RawNodeLease};

use super::app_state::AppStateVersions;
use super::attempt::Attempt;
use super::default_timer;
use super::hook;
use super::labels::MessageLabels;
use super::pairing;
use super::restrictions;
use super::unhooked::Unhooked;
use crate::acks::{AckBook, Verdict};
use crate::convert::{self, Own, model_jid};
use crate::mailbox::Mailbox;
use crate::{
    Account, DropReason, EndReason, EngineEvent, PairingEnd, QrCode, UnreadableMessage,
    UnreadableReason,
};

/// Listens to one client. It must not keep the client alive, which keeps it.
pub(super) struct Observer {
    client: Weak<Client>,
    attempt: Arc<Attempt>,
    acks: Arc<AckBook>,
    mailbox: Mailbox,
    versions: AppStateVersions,
    labels: MessageLabels,
    unhooked: Unhooked,
    work: Work,
    /// Without it the library hands over no stanzas.
    _stanzas: RawNodeLease,
}

/// What the session's tasks belong to.
pub(super) struct Work {
    pub(super) tasks: TaskTracker,
    pub(super) cancel: CancellationToken,
}

impl Observer {
    pub(super) fn new(
        client: &Arc<Client>,
        attempt: Arc<Attempt>,
        acks: Arc<AckBook>,
        mailbox: Mailbox,
        work: Work,
    ) -> Self {
        let weak = Arc::downgrade(client);
        let cancel = work.cancel.clone();
        let labels = MessageLabels::new(weak.clone(), mailbox.clone(), &work.tasks, cancel.clone());
        let unhooked = Unhooked::new(weak, mailbox.clone(), &work.tasks, cancel);
        Self {
            _stanzas: client.acquire_raw_node_forwarding(),
            client: Arc::downgrade(client),
            attempt,
            acks,
            mailbox,
            versions: AppStateVersions::default(),
            labels,
            unhooked,
            work,
        }
    }

    fn own(&self) -> Own {
        let client = self.client.upgrade();
        client.map(|client| hook::own(&client)).unwrap_or_default()
    }

    /// Tells an event, where the conversion found one.
    fn tell<T>(&self, converted: Option<T>, wrap: impl FnOnce(T) -> EngineEvent) {
        if let Some(converted) = converted {
            self.mailbox.tell(wrap(converted));
        }
    }

    /// Whether the connection lives, or why it does not; false if the event says neither.
    fn on_connection(&self, event: &Event) -> bool {
        match event {
            Event::Connected(_) => self.connected(),
            Event::Disconnected(lost) => self.attempt.dropped(match &lost.reason {
                DisconnectReason::ReadError(_) | DisconnectReason::Unknown => {
                    DropReason::NetworkError
                }
                DisconnectReason::ServerClose { .. } | DisconnectReason::StreamEnded => {
                    DropReason::ClosedByServer
                }
            }),
            Event::LoggedOut(logged_out) => self.attempt.end(match logged_out.reason {
                ConnectFailureReason::AccountLocked => EndReason::Banned,
                _ => EndReason::LoggedOutByPhone,
            }),
            Event::StreamReplaced(_) => self.attempt.end(EndReason::Replaced),
            Event::TemporaryBan(ban) => self.attempt.end(temporary_ban(ban)),
            Event::ClientOutdated(_) => self.attempt.end(EndReason::Outdated),
            Event::ConnectFailure(failure) => match &failure.reason {
                reason if reason.should_reconnect() => {
                    self.attempt.dropped(DropReason::ServerUnavailable);
                }
                ConnectFailureReason::TempBanned => {
                    self.attempt.end(EndReason::TemporarilyBanned {
                        code: None,
                        expires_in: None,
                    });
                }
                reason => self.attempt.end(EndReason::Refused {
                    code: reason.code(),
                }),
            },
            Event::StreamError(_) => self.attempt.dropped(DropReason::ClosedByServer),
            Event::OfflineSyncCompleted(_) => {
                let client = self.client.upgrade();
                if client.is_some_and(|client| client.is_logged_in()) {
                    self.connected();
                }
                self.mailbox.tell(EngineEvent::CaughtUp);
            }
            _ => return false,
        }
        true
    }

    /// Tells that the session can send, once per connection.
    ///
    /// That is so as soon as the backlog is in. The library's own word waits for more: where
    /// it knows no name of the account, as after a pairing, for the phone's keys (10 s, at
    /// every login) and the first synchronization, and without those it never comes.
    fn connected(&self) {
        if self.attempt.connected() {
            self.mailbox.tell(EngineEvent::Connected);
            if let Some(client) = self.client.upgrade() {
                let (mailbox, cancel) = (&self.mailbox, &self.work.cancel);
                restrictions::ask(client.clone(), mailbox.clone(), cancel.clone());
                default_timer::ask(client, mailbox.clone(), cancel.clone());
            }
        }
    }

    fn on_pairing(&self, event: &Event) -> bool {
        match event {
            Event::PairingQrCode(qr) => self.mailbox.tell(EngineEvent::Qr(QrCode {
                code: qr.code.clone(),
                expires_in: qr.timeout,
            })),
            Event::PairingQrCodesExhausted(exhausted) => {
                self.attempt.qr_exhausted();
                if exhausted.disconnected {
                    self.attempt.end(EndReason::Pairing(PairingEnd::Expired));
                } else {
                    self.mailbox.tell(EngineEvent::QrExhausted);
                }
            }
            Event::PairingCodeRefresh(_) | Event::PairingCodeError(_) => {
                pairing::code_is_void(&self.attempt, &self.mailbox);
            }
            Event::PairError(_) => self.attempt.end(EndReason::Pairing(PairingEnd::Failed)),
            Event::QrScannedWithoutMultidevice(_) => {
                let reason = PairingEnd::NotSupportedByPhone;
                self.attempt.end(EndReason::Pairing(reason));
            }
            Event::PairSuccess(success) => {
                self.attempt.paired();
                let Some(jid) = model_jid(&success.id) else {
                    self.attempt.end(EndReason::Pairing(PairingEnd::Failed));
                    return true;
                };
                let some = |text: &String| (!text.is_empty()).then(|| text.clone());
                self.mailbox.tell(EngineEvent::Paired(Account {
                    jid,
                    lid: model_jid(&success.lid),
                    platform: some(&success.platform),
                    business_name: some(&success.business_name),
                    push_name: None,
                }));
            }
            _ => return false,
        }
        true
    }

    fn on_messages(&self, event: &Event) -> bool {
        match event {
            Event::ServerAck(ack) => self.on_ack(ack),
            Event::Messages(batch) => self.on_unhooked(batch),
            Event::Receipt(receipt) => {
                let receipt = convert::receipt(receipt, &self.own());
                self.tell(receipt, EngineEvent::Receipt);
            }
            Event::UndecryptableMessage(message) => {
                self.tell(unreadable(message), EngineEvent::Unreadable);
            }
            _ => return false,
        }
        true
    }

    fn on_ack(&self, ack: &ServerAck) {
        if ack.class.as_deref().is_some_and(|class| class != "message") {
            return;
        }
        let verdict = match &ack.error {
            Some(code) => Verdict::Rejected {
                code: code.parse().ok(),
            },
            None => Verdict::Accepted {
                timestamp_ms: ack.timestamp.map(|time| time.timestamp_millis()),
            },
        };
        self.acks.settle(&ack.id, &verdict);
    }

    fn on_unhooked(&self, batch: &MessageBatch) {
        if batch.hook_committed {
            return;
        }
        if let Some(client) = self.client.upgrade() {
            self.unhooked.take(&client, batch);
        }
    }

    fn on_people(&self, event: &Event) -> bool {
        match event {
            Event::Presence(update) => {
                self.tell(convert::presence(update), EngineEvent::Presence);
            }
            Event::ChatPresence(update) => {
                self.tell(convert::typing(update), EngineEvent::Typing);
            }
            Event::PushNameUpdate(update) => self.tell(convert::push_name(update), |event| event),
            Event::SelfPushNameUpdated(update) => {
                let name = update.new_name.replace('\0', "");
                self.mailbox.tell(EngineEvent::OwnPushName(name));
            }
            Event::ContactUpdate(update) => {
                self.tell(convert::contact_name(update), EngineEvent::ContactName);
            }
            Event::ContactNumberChanged(update) => {
                self.tell(convert::number_change(update), |(phone, lid)| {
                    EngineEvent::Alias { phone, lid }
                });
            }
            Event::PictureUpdate(update) => {
                self.tell(convert::picture(update), EngineEvent::Picture);
            }
            Event::UserStatusMuteUpdate(update) => {
                let person = model_jid(&update.jid).filter(|jid| jid.kind().is_person());
                self.tell(person, |person| EngineEvent::StatusMuted {
                    person,
                    is_muted: update.muted,
                });
            }
            Event::UserAboutUpdate(update) => {
                self.tell(convert::about(update), |(person, text)| {
                    EngineEvent::About { person, text }
                });
            }
            _ => return false,
        }
        true
    }

    fn on_chats(&self, event: &Event) -> bool {
        let change = match event {
            Event::PinUpdate(update) => convert::pinned(update),
            Event::MuteUpdate(update) => convert::muted(update),
            Event::ArchiveUpdate(update) => convert::archived(update),
            Event::MarkChatAsReadUpdate(update) => convert::marked_read(update),
            Event::DeleteChatUpdate(update) => convert::deleted(update),
            Event::ClearChatUpdate(update) => convert::cleared(update),
            Event::DeleteMessageForMeUpdate(update) => convert::deleted_for_me(update),
            Event::StarUpdate(update) => convert::starred(update),
            _ => return self.on_labels(event),
        };
        self.tell(change, EngineEvent::Chat);
        true
    }

    fn on_labels(&self, event: &Event) -> bool {
        let change = match event {
            Event::LabelEditUpdate(update) => convert::label_edited(update),
            Event::LabelAssociationUpdate(update) => convert::chat_labelled(update),
            _ => return false,
        };
        self.tell(change, EngineEvent::Label);
        true
    }

    fn on_the_rest(&self, event: &Arc<Event>) {
        match &**event {
            Event::GroupUpdate(update) => {
                for news in convert::group_news(update) {
                    self.mailbox.tell(news);
                }
            }
            Event::DirtyState(dirty) if dirty.dirty_type == DirtyType::Groups => {
                self.mailbox.tell(EngineEvent::GroupsStale(None));
            }
            Event::MexNotification(notification) => {
                let news = convert::channel_news(notification)
                    .or_else(|| convert::restriction_news(notification));
                self.tell(news, |event| event);
            }
            Event::IncomingCall(call) => self.tell(convert::call(call), EngineEvent::Call),
            Event::MissedCall(call) => self.tell(convert::missed_call(call), EngineEvent::Call),
            Event::CallEndedElsewhere(call) => {
                self.tell(convert::ended_elsewhere(call), EngineEvent::Call);
            }
            Event::RawNode(stanza) => {
                self.labels.follow(stanza);
                let timer = default_timer::set_elsewhere(stanza);
                self.tell(timer, EngineEvent::DefaultTimer);
                if let Some(client) = self.client.upgrade() {
                    let Work { tasks, cancel } = &self.work;
                    self.versions.follow(&client, stanza, tasks, cancel);
                }
            }
            _ => {}
        }
    }
}

impl EventHandler for Observer {
    fn handle_event(&self, event: Arc<Event>) {
        let is_told = self.on_connection(&event)
            || self.on_pairing(&event)
            || self.on_messages(&event)
            || self.on_people(&event)
            || self.on_chats(&event);
        if !is_told {
            self.on_the_rest(&event);
        }
    }
}

fn temporary_ban(ban: &TemporaryBan) -> EndReason {
    let seconds = u64::try_from(ban.expire.num_seconds()).ok();
    EndReason::TemporarilyBanned {
        code: Some(ban.code.code()),
        expires_in: seconds.map(Duration::from_secs),
    }
}

fn unreadable(message: &UndecryptableMessage) -> Option<UnreadableMessage> {
    let reason = match (message.is_unavailable, message.unavailable_type) {
        (true, UnavailableType::ViewOnce) => UnreadableReason::ViewOnce,
        (true, UnavailableType::Hosted) => UnreadableReason::Hosted,
        (true, UnavailableType::Bot) => UnreadableReason::Bot,
        _ => UnreadableReason::Undecryptable,
    };
    let info = &message.info;
    Some(UnreadableMessage {
        id: info.id.clone(),
        chat: model_jid(&info.source.chat)?,
        sender: model_jid(&info.source.sender)?,
        is_from_me: info.source.is_from_me,
        reason,
        timestamp_ms: info.timestamp.timestamp_millis(),
    })
}
