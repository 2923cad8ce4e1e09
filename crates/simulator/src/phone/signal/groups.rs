//! Sender keys: one key of each device for everything that it writes to a group.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use wacore::types::jid::{JidExt as _, make_sender_key_name};
use wacore_binary::Jid;
use wacore_libsignal::protocol::error::Result;
use wacore_libsignal::protocol::{
    SenderKeyDistributionMessage, SenderKeyName, SenderKeyRecord, SenderKeyStore,
    create_sender_key_distribution_message, group_decrypt, group_encrypt,
    process_sender_key_distribution_message,
};

use super::state::SignalState;

/// Sender keys by group and device.
#[derive(Default)]
pub(super) struct SenderKeys {
    pub(super) records: HashMap<String, SenderKeyRecord>,
    pub(super) changed: BTreeSet<String>,
}

impl SenderKeys {
    fn remove(&mut self, name: &str) {
        if self.records.remove(name).is_some() {
            self.changed.insert(name.to_owned());
        }
    }
}

#[async_trait]
impl SenderKeyStore for SenderKeys {
    async fn store_sender_key(
        &mut self,
        name: &SenderKeyName,
        mut record: SenderKeyRecord,
    ) -> Result<()> {
        // As with sessions, the record is in the journal before its ciphertext leaves.
        record.waive_counter_lease()?;
        let name = name.cache_key();
        self.records.insert(name.to_owned(), record);
        self.changed.insert(name.to_owned());
        Ok(())
    }

    async fn load_sender_key(&self, name: &SenderKeyName) -> Result<Option<SenderKeyRecord>> {
        Ok(self.records.get(name.cache_key()).cloned())
    }
}

impl SignalState {
    /// What lets another device read what `own` writes to a group from now on; makes the key when
    /// there is none.
    pub(crate) async fn sender_key_for(&mut self, group: &Jid, own: &Jid) -> Result<Vec<u8>> {
        let distribution = create_sender_key_distribution_message(
            &name(group, own),
            &mut self.sender_keys,
            &mut self.rng,
        )
        .await?;
        Ok(distribution.serialized().to_vec())
    }

    /// Learns the key of another device.
    pub(crate) async fn learn_sender_key(
        &mut self,
        group: &Jid,
        device: &Jid,
        distribution: &[u8],
    ) -> Result<()> {
        let distribution = SenderKeyDistributionMessage::try_from(distribution)?;
        let name = name(group, device);
        process_sender_key_distribution_message(&name, &distribution, &mut self.sender_keys).await
    }

    /// Encrypts a padded plaintext for everybody who has the key of `own`.
    pub(crate) async fn encrypt_for_group(
        &mut self,
        group: &Jid,
        own: &Jid,
        padded: &[u8],
    ) -> Result<Vec<u8>> {
        let (keys, rng) = (&mut self.sender_keys, &mut self.rng);
        let message = group_encrypt(keys, &name(group, own), padded, rng).await?;
        Ok(message.serialized().to_vec())
    }

    /// Decrypts what a device wrote to a group to its padded plaintext.
    pub(crate) async fn decrypt_from_group(
        &mut self,
        group: &Jid,
        device: &Jid,
        bytes: &[u8],
    ) -> Result<Vec<u8>> {
        group_decrypt(bytes, &mut self.sender_keys, &name(group, device)).await
    }

    /// Forgets the key of `own`, so that the next message is encrypted with one that nobody has.
    pub(crate) fn forget_sender_key(&mut self, group: &Jid, own: &Jid) {
        self.sender_keys.remove(name(group, own).cache_key());
    }

    /// Forgets every sender key, one's own and those of others.
    pub(super) fn forget_all_sender_keys(&mut self) {
        let names: Vec<String> = self.sender_keys.records.keys().cloned().collect();
        for name in names {
            self.sender_keys.remove(&name);
        }
    }
}

fn name(group: &Jid, device: &Jid) -> SenderKeyName {
    make_sender_key_name(group, &device.to_protocol_address())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::phone::signal::PhoneKeys;
    use wacore_libsignal::protocol::SignalProtocolError;

    fn phone() -> SignalState {
        SignalState::new(PhoneKeys::generate(0).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn whoever_has_the_key_reads_on_after_a_restart_and_others_do_not() {
        let journal = Journal::memory();
        let (group, alice_jid) = (Jid::group("1"), Jid::lid("7"));
        let (mut alice, mut bob, mut eve) = (phone(), phone(), phone());
        let key = alice.sender_key_for(&group, &alice_jid).await.unwrap();
        bob.learn_sender_key(&group, &alice_jid, &key)
            .await
            .unwrap();
        let sent = alice.encrypt_for_group(&group, &alice_jid, b"one").await;
        let sent = sent.unwrap();
        let read = bob.decrypt_from_group(&group, &alice_jid, &sent).await;
        assert_eq!(read.unwrap(), b"one");
        let again = bob.decrypt_from_group(&group, &alice_jid, &sent).await;
        assert!(matches!(
            again,
            Err(SignalProtocolError::DuplicatedMessage(..))
        ));
        let refused = eve.decrypt_from_group(&group, &alice_jid, &sent).await;
        assert!(matches!(
            refused,
            Err(SignalProtocolError::NoSenderKeyState(_))
        ));

        for (state, number) in [(&mut alice, "1"), (&mut bob, "2")] {
            let mut batch = journal.batch();
            state.write_changes(&mut batch, number).unwrap();
            batch.commit().unwrap();
        }
        let mut alice = SignalState::restore(alice.keys, 1, &journal, "1").unwrap();
        let mut bob = SignalState::restore(bob.keys, 1, &journal, "2").unwrap();
        let sent = alice.encrypt_for_group(&group, &alice_jid, b"two").await;
        let sent = sent.unwrap();
        let read = bob.decrypt_from_group(&group, &alice_jid, &sent).await;
        assert_eq!(read.unwrap(), b"two");

        alice.forget_sender_key(&group, &alice_jid);
        alice.sender_key_for(&group, &alice_jid).await.unwrap();
        let sent = alice.encrypt_for_group(&group, &alice_jid, b"three").await;
        let read = bob
            .decrypt_from_group(&group, &alice_jid, &sent.unwrap())
            .await;
        assert!(read.is_err());
    }
}
