//! The votes in polls: opened, and sealed.

use wagate_model::{Jid, JidKind};
use whatsapp_rust::Client;
use whatsapp_rust::features::PollVoteCiphertext;
use whatsapp_rust::wacore::{poll as poll_crypto, time};
use whatsapp_rust::waproto::buffa::MessageField;
use whatsapp_rust::waproto::whatsapp as wa;

use super::hook::other_address;
use crate::convert::{self, Own, PendingVote, library_jid, option_hashes};
use crate::{Content, InboundMessage, Target, VoteChoice};

/// Decrypts a vote with the poll's secret, where the session has seen the poll.
pub(super) async fn open(
    client: &Client,
    own: &Own,
    message: &mut InboundMessage,
    vote: &PendingVote,
) {
    let Content::PollVote { target, .. } = &message.content else {
        return;
    };
    let mut creators = Vec::new();
    match (&target.sender, target.from_me) {
        (_, Some(true)) => creators.extend([own.phone.clone(), own.lid.clone()]),
        (Some(sender), _) => {
            creators.push(Some(sender.clone()));
            creators.push(other_address(client, sender).await);
        }
        (None, _) => creators.extend([Some(message.chat.clone()), message.chat_alias.clone()]),
    }
    let poll = Poll {
        id: &target.id,
        chats: [Some(&message.chat), message.chat_alias.as_ref()],
        creators: creators.into_iter().flatten().collect(),
    };
    let voters = [&message.sender_lid, &message.sender_jid];
    let Some(hashes) = decrypt(client, &poll, voters, vote).await else {
        return;
    };
    if let Content::PollVote { choice, .. } = &mut message.content {
        *choice = VoteChoice::Hashes(option_hashes(hashes));
    }
}

struct Poll<'a> {
    id: &'a str,
    chats: [Option<&'a Jid>; 2],
    creators: Vec<Jid>,
}

/// The key depends on the addresses by which the poll's creator and the voter
/// are known, and either may have been used by phone number or LID.
async fn decrypt(
    client: &Client,
    poll: &Poll<'_>,
    voters: [&Option<Jid>; 2],
    vote: &PendingVote,
) -> Option<Vec<Vec<u8>>> {
    let (_, secret) = secret(client, poll).await?;
    for creator in &poll.creators {
        for voter in voters.into_iter().flatten() {
            let ciphertext = PollVoteCiphertext {
                enc_payload: &vote.ciphertext,
                enc_iv: &vote.iv,
            };
            let polls = client.polls();
            let opened = polls
                .decrypt_vote(
                    ciphertext,
                    &secret,
                    poll.id,
                    &library_jid(creator),
                    &library_jid(voter),
                )
                .await;
            if let Ok(hashes) = opened {
                return Some(hashes);
            }
        }
    }
    None
}

/// The poll's secret, and the address of its creator that it is stored under.
async fn secret(client: &Client, poll: &Poll<'_>) -> Option<(Jid, Vec<u8>)> {
    let backend = client.persistence_manager().backend();
    for chat in poll.chats.into_iter().flatten() {
        for creator in &poll.creators {
            let stored = backend
                .get_msg_secret(chat.as_str(), creator.as_str(), poll.id)
                .await;
            // A failed look-up leaves the vote unreadable, as an unknown poll does.
            if let Ok(Some(secret)) = stored {
                return Some((creator.clone(), secret));
            }
        }
    }
    None
}

/// A vote of this account, encrypted with the poll's secret; none where the session has not
/// seen the poll.
pub(super) async fn seal(
    client: &Client,
    own: &Own,
    chat: &Jid,
    target: &Target,
    options: &[String],
) -> Option<wa::Message> {
    let mut creators = Vec::new();
    match &target.sender {
        None => creators.extend([own.phone.clone(), own.lid.clone()]),
        Some(sender) => {
            creators.push(Some(sender.clone()));
            creators.push(other_address(client, sender).await);
        }
    }
    let alias = other_address(client, chat).await;
    let poll = Poll {
        id: &target.id,
        chats: [Some(chat), alias.as_ref()],
        creators: creators.into_iter().flatten().collect(),
    };
    let (creator, secret) = secret(client, &poll).await?;
    // The creator derives the key from the voter's address in its own form.
    let is_lid = creator.kind() == JidKind::Lid;
    let voter = if is_lid { own.lid.as_ref() } else { None }.or(own.phone.as_ref())?;
    let hashes: Vec<Vec<u8>> = options
        .iter()
        .map(|option| convert::poll_option_hash(option).to_vec())
        .collect();
    let sealed = poll_crypto::encrypt_poll_vote_with_secret(
        &hashes,
        &secret,
        &target.id,
        creator.as_str(),
        voter.as_str(),
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
