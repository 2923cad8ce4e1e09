//! What is encrypted with another message's secret: votes, answers to events, edits.

use wagate_model::{EventData, EventResponse, Jid, JidKind};
use whatsapp_rust::features::PollVoteCiphertext;
use whatsapp_rust::wacore::event::{
    decrypt_event_response_with_secret, encrypt_event_response_with_secret,
};
use whatsapp_rust::wacore::message_edit::{MessageEditContext, decrypt_secret_encrypted};
use whatsapp_rust::wacore::secret_enc_addon::{AddonContext, ModificationType, encrypt_addon};
use whatsapp_rust::wacore::store::error::StoreError;
use whatsapp_rust::wacore::store::traits::MsgSecretEntry;
use whatsapp_rust::wacore::{poll as poll_crypto, time};
use whatsapp_rust::waproto::buffa::MessageField;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::secret_encrypted_message::SecretEncType;
use whatsapp_rust::{Client, SendError, waproto};

use super::hook::other_address;
use super::secrets::RecentSecrets;
use crate::convert::{
    self, Own, Sealed, SealedKind, edited_content, event_edit_message, event_response, library_jid,
    option_hashes, response_message,
};
use crate::{Content, InboundMessage, Outgoing, OutgoingContent, Target, VoteChoice};

/// How long after an event answers to it are still read: 90 days.
const EVENT_SECRET_SECONDS: i64 = 90 * 86_400;

/// Decrypts what a message has sealed, where the session has seen the message that it is about.
///
/// Where that cannot be looked up now, the message is to be looked at again: read without it, it
/// would stay unreadable.
pub(super) async fn open(
    client: &Client,
    own: &Own,
    recent: &RecentSecrets,
    message: &mut InboundMessage,
    sealed: &Sealed,
) -> Result<(), StoreError> {
    let target = &sealed.target;
    let mut authors = Vec::new();
    match (&target.sender, target.from_me) {
        (_, Some(true)) => authors.extend([own.phone.clone(), own.lid.clone()]),
        (Some(sender), _) => {
            authors.push(Some(sender.clone()));
            authors.push(other_address(client, sender).await);
        }
        (None, _) => authors.extend([Some(message.chat.clone()), message.chat_alias.clone()]),
    }
    let parent = Parent {
        id: &target.id,
        chats: [Some(&message.chat), message.chat_alias.as_ref()],
        authors: authors.into_iter().flatten().collect(),
    };
    let known = recent.find(parent.id, parent.chats, &parent.authors);
    let stored = match known {
        Some(known) => Some(known),
        None => secret(client, &parent).await?,
    };
    let Some((_, secret)) = stored else {
        return Ok(());
    };
    // The key depends on the addresses by which the author of the parent and the sender are
    // known, and either may have been used by phone number or LID.
    for author in &parent.authors {
        for sender in [&message.sender_lid, &message.sender_jid] {
            let Some(sender) = sender else { continue };
            let pair = (author, sender);
            if let Some(content) = decrypt(client, sealed, &secret, pair).await {
                message.content = content;
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn decrypt(
    client: &Client,
    sealed: &Sealed,
    secret: &[u8],
    (author, sender): (&Jid, &Jid),
) -> Option<Content> {
    let target = sealed.target.clone();
    match sealed.kind {
        SealedKind::Vote => {
            let ciphertext = PollVoteCiphertext {
                enc_payload: &sealed.ciphertext,
                enc_iv: &sealed.iv,
            };
            let (creator, voter) = (library_jid(author), library_jid(sender));
            let polls = client.polls();
            let opened = polls.decrypt_vote(ciphertext, secret, &target.id, &creator, &voter);
            let choice = VoteChoice::Hashes(option_hashes(opened.await.ok()?));
            Some(Content::PollVote { target, choice })
        }
        SealedKind::EventResponse => {
            let opened = decrypt_event_response_with_secret(
                &sealed.ciphertext,
                &sealed.iv,
                secret,
                &target.id,
                author.as_str(),
                sender.as_str(),
            );
            let response = Some(event_response(&opened.ok()?)?);
            Some(Content::EventResponse { target, response })
        }
        SealedKind::Edit | SealedKind::EventEdit => {
            let kind = match sealed.kind {
                SealedKind::EventEdit => ModificationType::EventEdit,
                _ => ModificationType::MessageEdit,
            };
            let context = MessageEditContext {
                original_msg_id: &target.id,
                original_sender_jid: author.as_str(),
                editor_jid: sender.as_str(),
            };
            let (payload, iv) = (&sealed.ciphertext, &sealed.iv);
            let opened = decrypt_secret_encrypted(payload, iv, secret, kind, &context);
            let edited = edited_content(&opened.ok()?)?;
            Some(Content::Edit {
                target,
                content: Box::new(edited),
            })
        }
    }
}

/// The message that something sealed is about.
struct Parent<'a> {
    id: &'a str,
    chats: [Option<&'a Jid>; 2],
    /// The addresses of who sent it.
    authors: Vec<Jid>,
}

/// The secret of a message, and the address of its author that it is stored under.
async fn secret(
    client: &Client,
    parent: &Parent<'_>,
) -> Result<Option<(Jid, Vec<u8>)>, StoreError> {
    let backend = client.persistence_manager().backend();
    for chat in parent.chats.into_iter().flatten() {
        for author in &parent.authors {
            let stored = backend
                .get_msg_secret(chat.as_str(), author.as_str(), parent.id)
                .await?;
            if let Some(secret) = stored {
                return Ok(Some((author.clone(), secret)));
            }
        }
    }
    Ok(None)
}

/// Keeps the secret of an event that this account sends: the answers to it are read with it.
///
/// The library keeps those of messages that it makes reporting tokens for, and events are none
/// of them.
pub(super) async fn keep_secret(
    client: &Client,
    own: &Own,
    outgoing: &Outgoing,
) -> Result<(), SendError> {
    let OutgoingContent::Event { event, secret } = &outgoing.content else {
        return Ok(());
    };
    let Some(author) = own.phone.as_ref().or(own.lid.as_ref()) else {
        return Err(SendError::NotLoggedIn);
    };
    let now = time::now_secs();
    let ends = event.end_time.unwrap_or(event.start_time).div_euclid(1_000);
    let entry = MsgSecretEntry::new(
        &library_jid(&outgoing.chat),
        &library_jid(author),
        &outgoing.id,
        *secret,
        ends.max(now).saturating_add(EVENT_SECRET_SECONDS),
        now,
    );
    let backend = client.persistence_manager().backend();
    let kept = backend.put_msg_secrets(vec![entry]).await;
    kept.map(drop)
        .map_err(|error| SendError::Internal(error.into()))
}

/// What sealing for a message takes: its secret, and the addresses that the key depends on.
struct Key {
    secret: Vec<u8>,
    author: Jid,
    /// This account, in the form in which the message's author is addressed.
    sender: Jid,
}

/// Looks up what sealing takes; none where the session has not seen the message.
async fn key(client: &Client, own: &Own, chat: &Jid, target: &Target) -> Option<Key> {
    let mut authors = Vec::new();
    match &target.sender {
        None => authors.extend([own.phone.clone(), own.lid.clone()]),
        Some(sender) => {
            authors.push(Some(sender.clone()));
            authors.push(other_address(client, sender).await);
        }
    }
    let alias = other_address(client, chat).await;
    let parent = Parent {
        id: &target.id,
        chats: [Some(chat), alias.as_ref()],
        authors: authors.into_iter().flatten().collect(),
    };
    let (author, secret) = secret(client, &parent).await.ok()??;
    // The author derives the key from the sender's address in its own form.
    let is_lid = author.kind() == JidKind::Lid;
    let sender = if is_lid { own.lid.as_ref() } else { None }.or(own.phone.as_ref())?;
    Some(Key {
        secret,
        author,
        sender: sender.clone(),
    })
}

/// A vote of this account, encrypted with the poll's secret; none where the session has not
/// seen the poll.
pub(super) async fn vote(
    client: &Client,
    own: &Own,
    chat: &Jid,
    target: &Target,
    options: &[String],
) -> Option<wa::Message> {
    let key = key(client, own, chat, target).await?;
    let hashes: Vec<Vec<u8>> = options
        .iter()
        .map(|option| convert::poll_option_hash(option).to_vec())
        .collect();
    let sealed = poll_crypto::encrypt_poll_vote_with_secret(
        &hashes,
        &key.secret,
        &target.id,
        key.author.as_str(),
        key.sender.as_str(),
    );
    let (ciphertext, iv) = sealed.ok()?;
    Some(wa::Message {
        poll_update_message: MessageField::some(wa::message::PollUpdateMessage {
            poll_creation_message_key: MessageField::some(convert::key(chat, target)),
            vote: MessageField::some(wa::message::PollEncValue {
                enc_payload: Some(ciphertext),
                enc_iv: Some(iv.to_vec()),
            }),
            sender_timestamp_ms: Some(time::now_millis()),
            ..Default::default()
        }),
        ..Default::default()
    })
}

/// An answer of this account to an event, encrypted with the event's secret; none where the
/// session has not seen the event.
pub(super) async fn event_answer(
    client: &Client,
    own: &Own,
    chat: &Jid,
    target: &Target,
    response: EventResponse,
) -> Option<wa::Message> {
    let key = key(client, own, chat, target).await?;
    let sealed = encrypt_event_response_with_secret(
        &response_message(response, time::now_millis()),
        &key.secret,
        &target.id,
        key.author.as_str(),
        key.sender.as_str(),
    );
    let (ciphertext, iv) = sealed.ok()?;
    Some(wa::Message {
        enc_event_response_message: MessageField::some(wa::message::EncEventResponseMessage {
            event_creation_message_key: MessageField::some(convert::key(chat, target)),
            enc_payload: Some(ciphertext),
            enc_iv: Some(iv.to_vec()),
        }),
        ..Default::default()
    })
}

/// A change of an event of this account, encrypted with the event's secret; none where the
/// session has not seen the event.
///
/// Official clients take it from the event's author only, in the form of an edit (WhatsApp Web
/// `WAWebEventEditDecryptedMsgDataConversion`).
pub(super) async fn event_edit(
    client: &Client,
    own: &Own,
    chat: &Jid,
    target: &Target,
    event: &EventData,
) -> Option<wa::Message> {
    let key = key(client, own, chat, target).await?;
    let context = AddonContext {
        stanza_id: &target.id,
        parent_msg_original_sender: key.author.as_str(),
        modification_sender: key.sender.as_str(),
        modification_type: ModificationType::EventEdit,
    };
    let target_key = convert::key(chat, target);
    let plain = event_edit_message(target_key.clone(), event, time::now_millis());
    let plain = waproto::codec::message_to_vec(&plain);
    let (ciphertext, iv) = encrypt_addon(&plain, &key.secret, &context).ok()?;
    Some(wa::Message {
        secret_encrypted_message: MessageField::some(wa::message::SecretEncryptedMessage {
            target_message_key: MessageField::some(target_key),
            enc_payload: Some(ciphertext),
            enc_iv: Some(iv.to_vec()),
            secret_enc_type: Some(SecretEncType::EVENT_EDIT),
            ..Default::default()
        }),
        ..Default::default()
    })
}
