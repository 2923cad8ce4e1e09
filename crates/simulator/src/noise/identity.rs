//! The server's static key and the certificate chain that vouches for it.

use rand::rngs::StdRng;
use wacore_libsignal::protocol::{KeyPair, PrivateKey};
use waproto::buffa::{Message, MessageField};
use waproto::whatsapp::CertChain;
use waproto::whatsapp::cert_chain::{NoiseCertificate, noise_certificate};

use crate::clock::Clock;
use crate::journal::{Journal, JournalError};
use crate::server::namespace::NOISE;

/// The chain is valid for ten years, from a day before it was made.
const VALID_FOR_S: i64 = 10 * 365 * 24 * 3_600;
const VALID_BEFORE_S: i64 = 24 * 3_600;
const INTERMEDIATE_SERIAL: u32 = 1;
const LEAF_SERIAL: u32 = 2;

/// Why the server's keys could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Persistence failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A persisted key is no key.
    #[error("a persisted key of the simulator is damaged")]
    Damaged,
    /// A signature could not be made.
    #[error("the certificate chain could not be signed")]
    Signing,
}

/// Root, intermediate and leaf, as WhatsApp's own chain is built (wacore-noise `verify_server_cert`).
pub struct ServerIdentity {
    root_public: [u8; 32],
    leaf: KeyPair,
    chain: Vec<u8>,
}

impl std::fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerIdentity")
            .field("root_public", &hex::encode(self.root_public))
            .finish_non_exhaustive()
    }
}

impl ServerIdentity {
    /// Reads the keys from the journal, or makes them.
    pub fn load(journal: &Journal, clock: &Clock) -> Result<Self, IdentityError> {
        let mut rng: StdRng = rand::make_rng();
        let root = key(journal, "root", &mut rng)?;
        let intermediate = key(journal, "intermediate", &mut rng)?;
        let leaf = key(journal, "leaf", &mut rng)?;
        let chain = if let Some(chain) = journal.get(NOISE, "chain")? {
            chain.to_vec()
        } else {
            let chain = chain(&root, &intermediate, &leaf, clock.now_s(), &mut rng)?;
            journal.put(NOISE, "chain", chain.clone())?;
            chain
        };
        Ok(Self {
            root_public: public(&root)?,
            leaf,
            chain,
        })
    }

    /// The root's public key, for clients whose root can be configured.
    pub fn root_public_key(&self) -> [u8; 32] {
        self.root_public
    }

    /// The static key of the handshake, the one that the leaf is for.
    pub fn static_public_key(&self) -> Result<[u8; 32], IdentityError> {
        public(&self.leaf)
    }

    pub(super) fn leaf(&self) -> &KeyPair {
        &self.leaf
    }

    /// The encoded `CertChain`.
    pub fn chain(&self) -> &[u8] {
        &self.chain
    }
}

pub(super) fn public(pair: &KeyPair) -> Result<[u8; 32], IdentityError> {
    pair.public_key
        .public_key_bytes()
        .try_into()
        .map_err(|_| IdentityError::Damaged)
}

fn key(journal: &Journal, name: &str, rng: &mut StdRng) -> Result<KeyPair, IdentityError> {
    if let Some(stored) = journal.get(NOISE, name)? {
        let private = PrivateKey::deserialize(&stored).map_err(|_| IdentityError::Damaged)?;
        let public = private.public_key().map_err(|_| IdentityError::Damaged)?;
        return Ok(KeyPair::new(public, private));
    }
    let pair = KeyPair::generate(rng);
    journal.put(NOISE, name, pair.private_key.serialize().to_vec())?;
    Ok(pair)
}

fn chain(
    root: &KeyPair,
    intermediate: &KeyPair,
    leaf: &KeyPair,
    now_s: i64,
    rng: &mut StdRng,
) -> Result<Vec<u8>, IdentityError> {
    let not_before = u64::try_from(now_s - VALID_BEFORE_S).unwrap_or_default();
    let not_after = u64::try_from(now_s + VALID_FOR_S).unwrap_or_default();
    let mut certificate = |subject: &KeyPair, serial, issuer: &KeyPair, issuer_serial| {
        let details = noise_certificate::Details {
            serial: Some(serial),
            issuer_serial: Some(issuer_serial),
            key: Some(public(subject)?.to_vec()),
            not_before: Some(not_before),
            not_after: Some(not_after),
        }
        .encode_to_vec();
        let signature = issuer
            .private_key
            .calculate_signature(&details, rng)
            .map_err(|_| IdentityError::Signing)?;
        Ok::<_, IdentityError>(NoiseCertificate {
            details: Some(details),
            signature: Some(signature.to_vec()),
        })
    };
    let chain = CertChain {
        intermediate: MessageField::some(certificate(intermediate, INTERMEDIATE_SERIAL, root, 0)?),
        leaf: MessageField::some(certificate(
            leaf,
            LEAF_SERIAL,
            intermediate,
            INTERMEDIATE_SERIAL,
        )?),
    };
    Ok(chain.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use wacore_libsignal::protocol::PublicKey;

    use super::*;

    #[test]
    fn the_chain_is_signed_from_the_root_down_and_kept() {
        let journal = Journal::memory();
        let identity = ServerIdentity::load(&journal, &Clock::fixed(1_800_000_000_000)).unwrap();
        let chain = waproto::codec::cert_chain_decode(identity.chain()).unwrap();

        let intermediate = chain.intermediate;
        let details = intermediate.details.clone().unwrap();
        let root = PublicKey::from_djb_public_key_bytes(&identity.root_public_key()).unwrap();
        assert!(root.verify_signature(&details, intermediate.signature.as_ref().unwrap()));
        let details = waproto::codec::noise_certificate_details_decode(&details).unwrap();
        assert_eq!(details.issuer_serial, Some(0));

        let issuer = PublicKey::from_djb_public_key_bytes(&details.key.unwrap()).unwrap();
        let leaf = chain.leaf.details.clone().unwrap();
        assert!(issuer.verify_signature(&leaf, chain.leaf.signature.as_ref().unwrap()));
        let leaf = waproto::codec::noise_certificate_details_decode(&leaf).unwrap();
        assert_eq!(leaf.issuer_serial, details.serial);
        assert_eq!(leaf.key.unwrap(), identity.static_public_key().unwrap());
        assert!(leaf.not_before < Some(1_800_000_000) && leaf.not_after > Some(1_900_000_000));

        let again = ServerIdentity::load(&journal, &Clock::fixed(0)).unwrap();
        assert_eq!(again.root_public_key(), identity.root_public_key());
        assert_eq!(again.chain(), identity.chain());
    }
}
