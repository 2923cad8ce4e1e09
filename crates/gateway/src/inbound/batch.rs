//! One batch of messages in one transaction: people, chats, messages, events.
//!
//! The contract's order of effects for a message is identities, store, auto-read
//! receipt, event. Identities, rows and events are one commit here, so that nothing
//! can be seen of one without the others; the receipt follows that commit (it must
//! not go out for a message that could still be lost), and the event's copies leave
//! for webhooks and sockets after the commit too.

use std::collections::{BTreeMap, HashMap, HashSet};

use wagate_engine::{Content, InboundMessage};
use wagate_model::{
    ChatType, Direction, EventKind, Jid, JidKind, MediaId, MediaMeta, MentionData, MessageStatus,
};
use wagate_store::{
    ChatFacts, ChatRef, IdentityFacts, IdentityRecord, NewEvent, NewMedia, NewMessage, Owned,
    Result,
};

use super::content::stored_content;
use super::familiar::{Acquaintance, Familiar};
use super::files::file_of;
use super::payload::{
    Addresses, Facts, InteractivePayload, answer_as_reply, chat_update, details_of, event_kind,
    expires_at, is_own_message, media_of, message_payload, target_id,
};

/// The name of the kind under which an edit is kept, beside the names of the contract.
const EDIT_KIND: &str = "edit";
/// Stands for the account itself in `sender_key`.
const OWN_SENDER_KEY: &str = "me";

/// Messages to be marked read on WhatsApp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToRead {
    pub(crate) chat: Jid,
    /// Who sent them; only in groups.
    pub(crate) sender: Option<Jid>,
    pub(crate) ids: Vec<String>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// Messages that were not stored before.
    pub(crate) new_count: usize,
    /// New messages of others, for read receipts.
    pub(crate) to_read: Vec<ToRead>,
    /// Senders and chats whose rows were written.
    pub(crate) met: Vec<(Acquaintance, ChatRef)>,
}

/// Writes messages into one transaction of the session's owner.
pub(crate) struct Batch<'o, 't> {
    pub(super) owned: &'o mut Owned<'t>,
    pub(super) now_ms: i64,
    familiar: Option<&'o Familiar>,
    chats: HashMap<Jid, ChatRef>,
    people: HashSet<(Option<Jid>, Option<Jid>, Option<String>)>,
    result: Committed,
}

impl<'o, 't> Batch<'o, 't> {
    pub(crate) fn new(owned: &'o mut Owned<'t>, now_ms: i64) -> Self {
        Self {
            owned,
            now_ms,
            familiar: None,
            chats: HashMap::new(),
            people: HashSet::new(),
            result: Committed::default(),
        }
    }

    /// Trusts what is remembered of senders and chats.
    pub(crate) fn trusting(mut self, familiar: &'o Familiar) -> Self {
        self.familiar = Some(familiar);
        self
    }

    /// Writes all messages, in order, with their events.
    pub(crate) async fn write(mut self, messages: &[InboundMessage]) -> Result<Committed> {
        for message in messages {
            let chat = self.meet(message).await?;
            // The row is what makes a second delivery of the same message recognizable, so
            // messages that only change another one have a row as well.
            let file = file_of(message, self.now_ms, true);
            let media_id = file.as_ref().map(|file| file.id);
            if !self.insert(row_of(message, chat.id), file).await? {
                self.note_again(message, &chat).await?;
                continue;
            }
            self.result.new_count += 1;
            self.learn_timer(message, &chat).await?;
            if self.apply_effect(message, &chat).await? {
                self.tell(message, &chat, media_id).await?;
            }
            self.note_to_read(message);
        }
        Ok(self.result)
    }

    /// Writes messages of the past: no events, nothing unread.
    pub(crate) async fn write_history(mut self, messages: &[InboundMessage]) -> Result<Committed> {
        for message in messages {
            let name = self.note_sender(message).await?;
            let chat = self.chat_of(message, name).await?;
            let row = NewMessage {
                is_unread: false,
                ..row_of(message, chat.id)
            };
            let file = file_of(message, self.now_ms, false);
            if self.insert(row, file).await? {
                self.result.new_count += 1;
                self.apply_effect(message, &chat).await?;
            }
        }
        Ok(self.result)
    }

    /// Tells a message that this account has sent, with what it changes.
    pub(crate) async fn write_sent(
        mut self,
        message: &InboundMessage,
        chat: &ChatRef,
    ) -> Result<()> {
        let is_change = self.apply_effect(message, chat).await?;
        let media_id = self.note_sent_file(message, chat).await?;
        if !is_change {
            return Ok(());
        }
        self.tell(message, chat, media_id).await
    }

    /// Writes where the file of a sent message is, now that it is at WhatsApp.
    async fn note_sent_file(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
    ) -> Result<Option<MediaId>> {
        let Some(file) = file_of(message, self.now_ms, true) else {
            return Ok(None);
        };
        let meta = MediaMeta {
            id: Some(file.id),
            ..media_of(&message.content).unwrap_or_default()
        };
        let content = stored_content(message);
        let noted = self
            .owned
            .note_sent_file(chat.id, &message.id, &meta, content.as_ref(), self.now_ms)
            .await?;
        let Some(message_id) = noted else {
            return Ok(None);
        };
        let file = NewMedia { message_id, ..file };
        self.owned.insert_media(&file, self.now_ms).await?;
        Ok(meta.id)
    }

    /// Stores a message with its file; whether it is new.
    async fn insert(&mut self, mut row: NewMessage, file: Option<NewMedia>) -> Result<bool> {
        if let Some(meta) = &mut row.media {
            meta.id = file.as_ref().map(|file| file.id);
        }
        let Some(message_id) = self.owned.insert_message(&row, self.now_ms).await? else {
            return Ok(false);
        };
        if let Some(file) = file {
            let file = NewMedia { message_id, ..file };
            self.owned.insert_media(&file, self.now_ms).await?;
        }
        Ok(true)
    }

    /// Notes sender and chat, unless everything about them is known.
    async fn meet(&mut self, message: &InboundMessage) -> Result<ChatRef> {
        let acquaintance = Acquaintance::of(self.owned.session(), message);
        if let Some(familiar) = self.familiar
            && let Some(chat) = familiar.chat_of_known(&acquaintance)
        {
            return Ok(chat);
        }
        let name = self.note_sender(message).await?;
        let chat = self.chat_of(message, name).await?;
        self.result.met.push((acquaintance, chat.clone()));
        Ok(chat)
    }

    /// Notes who sent it; gives the name for a chat with that person.
    async fn note_sender(&mut self, message: &InboundMessage) -> Result<Option<String>> {
        let push_name = message.push_name.clone().filter(|_| !message.from_me);
        let key = (
            message.sender_lid.clone(),
            message.sender_jid.clone(),
            push_name.clone(),
        );
        if message.from_me || !self.people.insert(key) {
            return Ok(None);
        }
        let facts = IdentityFacts {
            lid: message.sender_lid.as_ref().map(Jid::to_string),
            phone_jid: message.sender_jid.as_ref().map(Jid::to_string),
            push_name,
            business_name: message.business_name.clone(),
            ..IdentityFacts::default()
        };
        let written = self.owned.upsert_identity(&facts, self.now_ms).await?;
        Ok(written.and_then(|written| written.identity.name().map(str::to_owned)))
    }

    async fn chat_of(&mut self, message: &InboundMessage, name: Option<String>) -> Result<ChatRef> {
        let is_person = message.chat.kind().is_person();
        if let Some(chat) = self.chats.get(&message.chat) {
            return Ok(chat.clone());
        }
        if is_person && message.from_me {
            let addresses = both_addresses(&message.chat, message.chat_alias.as_ref());
            let facts = IdentityFacts {
                lid: addresses.lid,
                phone_jid: addresses.phone,
                ..IdentityFacts::default()
            };
            self.owned.upsert_identity(&facts, self.now_ms).await?;
        }
        let name = match message.chat.kind() {
            JidKind::Group => self.subject_of(&message.chat).await?,
            _ => name.filter(|_| is_person),
        };
        let facts = ChatFacts {
            jid: message.chat.to_string(),
            alias_jid: message.chat_alias.as_ref().map(Jid::to_string),
            kind: ChatType::from(message.chat.kind()),
            name,
        };
        let chat = self.owned.upsert_chat(&facts, self.now_ms).await?;
        self.chats.insert(message.chat.clone(), chat.clone());
        Ok(chat)
    }

    /// What a group's chat is called.
    async fn subject_of(&mut self, group: &Jid) -> Result<Option<String>> {
        let (organization, session) = (self.owned.organization(), self.owned.session());
        let group = self
            .owned
            .group(organization, session, group.as_str())
            .await?;
        Ok(group.and_then(|group| group.subject))
    }

    async fn tell(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
        media_id: Option<MediaId>,
    ) -> Result<()> {
        if let Some(payload) = chat_update(message, chat) {
            let (organization, session) = (self.owned.organization(), self.owned.session());
            let kind = EventKind::ChatUpdate;
            let event = NewEvent::new(organization, session, kind, self.now_ms, &payload)?;
            self.owned.append_event(event.in_chat(chat.jid.clone()));
        }
        if matches!(
            message.content,
            Content::Pin { .. } | Content::Keep { .. } | Content::Timer { .. }
        ) {
            return Ok(());
        }
        let facts = self.facts_of(message, chat).await?;
        let mut payload = message_payload(message, &facts);
        payload.chat_jid.clone_from(&chat.jid);
        if let Some(meta) = &mut payload.media {
            meta.id = media_id;
        }
        let kind = event_kind(message);
        let (organization, session) = (self.owned.organization(), self.owned.session());
        let event = match &message.content {
            Content::InteractiveReply(reply) => {
                let payload = InteractivePayload::new(&payload, reply);
                NewEvent::new(organization, session, kind, self.now_ms, &payload)?
            }
            Content::EventResponse { target, response } => {
                let reply = answer_as_reply(target, *response);
                let payload = InteractivePayload::new(&payload, &reply);
                NewEvent::new(organization, session, kind, self.now_ms, &payload)?
            }
            _ => NewEvent::new(organization, session, kind, self.now_ms, &payload)?,
        };
        self.owned.append_event(event.in_chat(chat.jid.clone()));
        Ok(())
    }

    async fn facts_of(&mut self, message: &InboundMessage, chat: &ChatRef) -> Result<Facts> {
        let mut jids: Vec<String> = message.mentions.iter().map(Jid::to_string).collect();
        let quoted_sender = message
            .quoted
            .as_ref()
            .and_then(|quoted| quoted.sender.as_ref());
        jids.extend(quoted_sender.map(Jid::to_string));
        let session = self.owned.session();
        let people = self.owned.identities_of(session, &jids).await?;
        let tags = self.tags_of(message, &people).await?;
        let poll = match &message.content {
            Content::PollVote { target, .. } => self.poll(message, chat, target).await?,
            _ => None,
        };
        Ok(Facts {
            mentions: mention_data(&message.mentions, &people, &tags),
            quoted_sender: quoted_sender.map_or_else(Addresses::default, |jid| {
                people
                    .get(jid.as_str())
                    .map_or_else(|| Addresses::of(jid), addresses_of)
            }),
            poll_options: poll.map(|poll| poll.options).unwrap_or_default(),
        })
    }

    /// The tags that those who are mentioned have in the message's group, by their rows.
    async fn tags_of(
        &mut self,
        message: &InboundMessage,
        people: &HashMap<String, IdentityRecord>,
    ) -> Result<HashMap<i64, String>> {
        if message.chat.kind() != JidKind::Group {
            return Ok(HashMap::new());
        }
        let mentioned = message.mentions.iter();
        let rows: Vec<i64> = mentioned
            .filter_map(|jid| Some(people.get(jid.as_str())?.id))
            .collect();
        self.owned.member_tags(message.chat.as_str(), &rows).await
    }

    fn note_to_read(&mut self, message: &InboundMessage) {
        let is_readable = matches!(
            message.chat.kind(),
            JidKind::User | JidKind::Lid | JidKind::Group
        );
        if message.from_me || !is_readable || !is_own_message(&message.content) {
            return;
        }
        let sender = (message.chat.kind() == JidKind::Group)
            .then(|| {
                message
                    .sender_lid
                    .clone()
                    .or_else(|| message.sender_jid.clone())
            })
            .flatten();
        let same = |read: &&mut ToRead| read.chat == message.chat && read.sender == sender;
        match self.result.to_read.iter_mut().find(same) {
            Some(read) => read.ids.push(message.id.clone()),
            None => self.result.to_read.push(ToRead {
                chat: message.chat.clone(),
                sender,
                ids: vec![message.id.clone()],
            }),
        }
    }
}

/// Who sent it, in the form in which it would come again.
pub(super) fn sender_key(message: &InboundMessage) -> String {
    if message.from_me {
        return OWN_SENDER_KEY.to_owned();
    }
    if message.chat.kind().is_person() {
        return String::new();
    }
    let sender = message.sender_lid.as_ref().or(message.sender_jid.as_ref());
    sender.map(Jid::to_string).unwrap_or_default()
}

/// The row of a message.
pub(crate) fn row_of(message: &InboundMessage, chat_id: i64) -> NewMessage {
    let content = &message.content;
    let is_edit = matches!(content, Content::Edit { .. });
    let quoted_id = message.quoted.as_ref().map(|quoted| quoted.id.as_str());
    NewMessage {
        chat_id,
        wa_message_id: message.id.clone(),
        sender_key: sender_key(message),
        direction: if message.from_me {
            Direction::Out
        } else {
            Direction::In
        },
        is_from_me: message.from_me,
        kind: match event_kind(message) {
            EventKind::MessageEdited => EDIT_KIND.to_owned(),
            EventKind::MessageRevoked => "revoke".to_owned(),
            _ if matches!(content, Content::Pin { .. }) => "pin".to_owned(),
            _ if matches!(content, Content::Keep { .. }) => "keep".to_owned(),
            _ => content.kind().as_str().to_owned(),
        },
        body: match content {
            Content::Reaction { emoji, .. } => Some(emoji.clone()),
            // The new text is in the message's own row, and goes with it.
            Content::Edit { .. } => None,
            _ => content.body().map(str::to_owned),
        },
        sender_jid: message.sender_jid.as_ref().map(Jid::to_string),
        sender_lid: message.sender_lid.as_ref().map(Jid::to_string),
        timestamp_ms: message.timestamp_ms,
        status: message.from_me.then_some(MessageStatus::Sent),
        quoted_message_id: quoted_id.or_else(|| target_id(content)).map(str::to_owned),
        mentions: message.mentions.iter().map(Jid::to_string).collect(),
        media: if is_edit { None } else { media_of(content) },
        content: is_own_message(content)
            .then(|| stored_content(message))
            .flatten(),
        details: is_own_message(content).then(|| details_of(content)),
        expires_at_ms: expires_at(message),
        is_unread: !message.from_me
            && is_own_message(content)
            && !matches!(content, Content::Timer { .. }),
    }
}

/// Sorts the two addresses of one person by their kind.
pub(crate) fn both_addresses(one: &Jid, other: Option<&Jid>) -> Addresses {
    let mut addresses = Addresses::of(one);
    if let Some(other) = other {
        let second = Addresses::of(other);
        addresses.phone = addresses.phone.or(second.phone);
        addresses.lid = addresses.lid.or(second.lid);
    }
    addresses
}

fn addresses_of(person: &IdentityRecord) -> Addresses {
    Addresses {
        phone: person.phone_jid.clone(),
        lid: person.lid.clone(),
    }
}

/// What is known of the people mentioned, by JID.
fn mention_data(
    mentions: &[Jid],
    people: &HashMap<String, IdentityRecord>,
    tags: &HashMap<i64, String>,
) -> BTreeMap<String, MentionData> {
    let entry = |jid: &Jid| {
        let person = people.get(jid.as_str());
        let push_name = person.and_then(|person| person.name().map(str::to_owned));
        let tag = person.and_then(|person| tags.get(&person.id).cloned());
        (jid.to_string(), MentionData { push_name, tag })
    };
    mentions.iter().map(entry).collect()
}
