//! Encrypting to and decrypting from one device.

use wacore::types::jid::JidExt as _;
use wacore_binary::Jid;
use wacore_libsignal::protocol::{
    CiphertextMessage, PreKeyBundle, PreKeySignalMessage, SignalMessage, SignalProtocolError,
    UsePQRatchet, message_decrypt, message_encrypt, process_prekey_bundle,
};

use super::state::{SignalState, raw_identity};

/// How a payload is encrypted, the `type` attribute of `<enc>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EncKind {
    /// `pkmsg`: begins a session.
    PreKey,
    /// `msg`: inside a session.
    Session,
    /// `skmsg`: for everybody in a group who has the sender's key.
    SenderKey,
}

impl EncKind {
    /// Reads the attribute; `None` for kinds that a phone has no use for.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "pkmsg" => Some(Self::PreKey),
            "msg" => Some(Self::Session),
            "skmsg" => Some(Self::SenderKey),
            _ => None,
        }
    }

    /// The attribute's text.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PreKey => "pkmsg",
            Self::Session => "msg",
            Self::SenderKey => "skmsg",
        }
    }
}

/// An encrypted payload for one device.
pub(crate) struct Ciphertext {
    pub(crate) kind: EncKind,
    pub(crate) bytes: Vec<u8>,
}

impl SignalState {
    /// Encrypts a padded plaintext; the session must exist.
    pub(crate) async fn encrypt(
        &mut self,
        device: &Jid,
        padded: &[u8],
    ) -> Result<Ciphertext, SignalProtocolError> {
        let address = device.to_protocol_address();
        let message =
            message_encrypt(padded, &address, &mut self.sessions, &mut self.identities).await?;
        let kind = match &message {
            CiphertextMessage::PreKeySignalMessage(_) => EncKind::PreKey,
            CiphertextMessage::SignalMessage(_) => EncKind::Session,
            _ => {
                return Err(SignalProtocolError::InvalidArgument(
                    "not a pairwise message".to_owned(),
                ));
            }
        };
        Ok(Ciphertext {
            kind,
            bytes: message.serialize().to_vec(),
        })
    }

    /// Decrypts a payload to its padded plaintext and drops the prekey it used up.
    pub(crate) async fn decrypt(
        &mut self,
        device: &Jid,
        kind: EncKind,
        bytes: &[u8],
    ) -> Result<Vec<u8>, SignalProtocolError> {
        let address = device.to_protocol_address();
        let message = match kind {
            EncKind::PreKey => {
                CiphertextMessage::PreKeySignalMessage(PreKeySignalMessage::try_from(bytes)?)
            }
            EncKind::Session => CiphertextMessage::SignalMessage(SignalMessage::try_from(bytes)?),
            EncKind::SenderKey => {
                return Err(SignalProtocolError::InvalidArgument(
                    "not a pairwise message".to_owned(),
                ));
            }
        };
        let result = message_decrypt(
            &message,
            &address,
            &mut self.sessions,
            &mut self.identities,
            &mut self.prekeys,
            &self.signed_prekey,
            &mut self.rng,
            UsePQRatchet::No,
        )
        .await?;
        // The session and the deletion reach the journal in the same commit.
        if let Some(id) = result.consumed_prekey_id {
            self.prekeys.remove(id.into());
        }
        Ok(result.plaintext)
    }

    /// Begins a session from a fetched bundle.
    pub(crate) async fn begin_session(
        &mut self,
        device: &Jid,
        bundle: &PreKeyBundle,
    ) -> Result<(), SignalProtocolError> {
        let address = device.to_protocol_address();
        process_prekey_bundle(
            &address,
            &mut self.sessions,
            &mut self.identities,
            bundle,
            &mut self.rng,
            UsePQRatchet::No,
        )
        .await?;
        Ok(())
    }

    /// The identity key inside a `pkmsg`, 32 bytes.
    pub(crate) fn identity_in(bytes: &[u8]) -> Result<[u8; 32], SignalProtocolError> {
        let message = PreKeySignalMessage::try_from(bytes)?;
        Ok(raw_identity(message.identity_key()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::phone::signal::PhoneKeys;
    use wacore_libsignal::protocol::{GenericSignedPreKey as _, PreKeyBundle};

    fn phone() -> SignalState {
        SignalState::new(PhoneKeys::generate(0).unwrap()).unwrap()
    }

    fn bundle_of(state: &mut SignalState) -> PreKeyBundle {
        let (id, public) = state.generate_prekey();
        PreKeyBundle::new(
            state.keys.registration_id,
            0.into(),
            Some((id.into(), public)),
            state.keys.signed_prekey.id().unwrap(),
            state.keys.signed_prekey.public_key().unwrap(),
            state.keys.signed_prekey.signature().unwrap(),
            *state.keys.identity.identity_key(),
        )
        .unwrap()
    }

    fn save(state: &mut SignalState, journal: &Journal, number: &str) {
        let mut batch = journal.batch();
        state.write_changes(&mut batch, number).unwrap();
        batch.commit().unwrap();
    }

    #[tokio::test]
    async fn a_conversation_goes_on_after_both_sides_are_restored() {
        let journal = Journal::memory();
        let (alice_jid, bob_jid) = (Jid::lid("1"), Jid::lid("2"));
        let (mut alice, mut bob) = (phone(), phone());
        let bundle = bundle_of(&mut bob);
        alice.begin_session(&bob_jid, &bundle).await.unwrap();
        let first = alice.encrypt(&bob_jid, b"one").await.unwrap();
        assert_eq!(first.kind, EncKind::PreKey);
        let plain = bob.decrypt(&alice_jid, first.kind, &first.bytes).await;
        assert_eq!(plain.unwrap(), b"one");
        save(&mut alice, &journal, "1");
        save(&mut bob, &journal, "2");

        let mut alice = SignalState::restore(alice.keys, 1, &journal, "1").unwrap();
        let mut bob = SignalState::restore(bob.keys, 2, &journal, "2").unwrap();
        let answer = bob.encrypt(&alice_jid, b"two").await.unwrap();
        assert_eq!(answer.kind, EncKind::Session);
        let plain = alice.decrypt(&bob_jid, answer.kind, &answer.bytes).await;
        assert_eq!(plain.unwrap(), b"two");
        let again = alice.decrypt(&bob_jid, answer.kind, &answer.bytes).await;
        assert!(matches!(
            again,
            Err(SignalProtocolError::DuplicatedMessage(..))
        ));
        assert!(bob.prekeys.records.is_empty());
    }

    #[tokio::test]
    async fn a_restored_phone_never_reuses_a_counter() {
        let journal = Journal::memory();
        let bob_jid = Jid::lid("2");
        let (mut alice, mut bob) = (phone(), phone());
        let bundle = bundle_of(&mut bob);
        alice.begin_session(&bob_jid, &bundle).await.unwrap();
        save(&mut alice, &journal, "1");
        let mut counters = Vec::new();
        for _ in 0..3 {
            let sent = alice.encrypt(&bob_jid, b"x").await.unwrap();
            save(&mut alice, &journal, "1");
            alice = SignalState::restore(alice.keys, 1, &journal, "1").unwrap();
            let parsed = PreKeySignalMessage::try_from(sent.bytes.as_slice()).unwrap();
            counters.push(parsed.message().counter());
        }
        assert_eq!(counters, vec![0, 1, 2]);
    }
}
