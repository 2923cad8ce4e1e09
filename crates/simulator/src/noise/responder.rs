//! The responder of Noise `XX`, `IK` and `XXfallback` as WhatsApp's server is one.

use rand::rngs::StdRng;
use wacore_binary::consts::{
    NOISE_PATTERN_IK, NOISE_PATTERN_XX, NOISE_PATTERN_XXFALLBACK, WA_CONN_HEADER,
};
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::NoiseHandshake;
use waproto::buffa::MessageField;
use waproto::whatsapp::HandshakeMessage;
use waproto::whatsapp::handshake_message::{ClientHello, ServerHello as ServerHelloMessage};

use super::identity::{IdentityError, ServerIdentity, public};
use super::transport::Transport;

/// Why a handshake failed; the connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// A message is not what this step asks for.
    #[error("a handshake message is malformed")]
    Malformed,
    /// A message does not authenticate.
    #[error("a handshake message does not authenticate")]
    Crypto(#[from] wacore_noise::HandshakeError),
    /// The server's own keys are damaged.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// A finished handshake.
#[derive(Debug)]
pub struct Established {
    /// The ciphers of the connection.
    pub transport: Transport,
    /// The client's static key, proven to be its own.
    pub client_static: [u8; 32],
    /// The encoded `ClientPayload`.
    pub payload: Vec<u8>,
}

/// The answer to a client's first message.
#[derive(Debug)]
pub enum ServerHello {
    /// IK: the connection stands as soon as the answer is sent.
    Done {
        /// The encoded answer.
        message: Vec<u8>,
        /// The finished handshake.
        established: Box<Established>,
    },
    /// `XX` and `XXfallback`: the client has one more message to send.
    Continue {
        /// The encoded answer.
        message: Vec<u8>,
        /// Takes that message.
        responder: Box<Responder>,
    },
}

/// A handshake that waits for the client's last message.
pub struct Responder {
    noise: NoiseHandshake,
    ephemeral: KeyPair,
}

impl std::fmt::Debug for Responder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responder").finish_non_exhaustive()
    }
}

impl Responder {
    /// Answers a client's first message. A client that knows a static key of the server tries IK;
    /// when that was another key, it is answered so that it falls back.
    pub fn answer(
        identity: &ServerIdentity,
        client_hello: &[u8],
    ) -> Result<ServerHello, HandshakeError> {
        let hello = waproto::codec::handshake_message_decode(client_hello)
            .ok()
            .and_then(|message| message.client_hello.into_option())
            .ok_or(HandshakeError::Malformed)?;
        let client_ephemeral = hello
            .ephemeral
            .as_deref()
            .and_then(|key| <[u8; 32]>::try_from(key).ok())
            .ok_or(HandshakeError::Malformed)?;
        match (&hello.r#static, &hello.payload) {
            (Some(sealed_static), Some(sealed_payload)) => {
                match ik(identity, &client_ephemeral, sealed_static, sealed_payload) {
                    Ok(answer) => Ok(answer),
                    Err(HandshakeError::Crypto(_)) => {
                        xx(identity, NOISE_PATTERN_XXFALLBACK, &client_ephemeral)
                    }
                    Err(error) => Err(error),
                }
            }
            (None, None) => xx(identity, NOISE_PATTERN_XX, &client_ephemeral),
            _ => Err(HandshakeError::Malformed),
        }
    }

    /// Takes the client's last message of `XX` or `XXfallback`.
    pub fn finish(mut self, client_finish: &[u8]) -> Result<Established, HandshakeError> {
        let finish = waproto::codec::handshake_message_decode(client_finish)
            .ok()
            .and_then(|message| message.client_finish.into_option())
            .ok_or(HandshakeError::Malformed)?;
        let (Some(sealed_static), Some(sealed_payload)) = (&finish.r#static, &finish.payload)
        else {
            return Err(HandshakeError::Malformed);
        };
        let client_static = client_key(&self.noise.decrypt(sealed_static)?)?;
        self.noise
            .mix_shared_secret(self.ephemeral.private_key.serialize(), &client_static)?;
        let payload = self.noise.decrypt(sealed_payload)?;
        established(self.noise, client_static, payload)
    }
}

fn client_key(bytes: &[u8]) -> Result<[u8; 32], HandshakeError> {
    bytes.try_into().map_err(|_| HandshakeError::Malformed)
}

fn established(
    noise: NoiseHandshake,
    client_static: [u8; 32],
    payload: Vec<u8>,
) -> Result<Established, HandshakeError> {
    // The first key is for what the client, the initiator, sends.
    let (incoming, outgoing) = noise.finish()?;
    Ok(Established {
        transport: Transport::new(outgoing, incoming),
        client_static,
        payload,
    })
}

fn ephemeral() -> KeyPair {
    let mut rng: StdRng = rand::make_rng();
    KeyPair::generate(&mut rng)
}

fn hello(ephemeral: &KeyPair, sealed_static: Option<Vec<u8>>, sealed_chain: Vec<u8>) -> Vec<u8> {
    let message = HandshakeMessage {
        server_hello: MessageField::some(ServerHelloMessage {
            ephemeral: Some(ephemeral.public_key.public_key_bytes().to_vec()),
            r#static: sealed_static,
            payload: Some(sealed_chain),
            ..Default::default()
        }),
        client_hello: MessageField::<ClientHello>::none(),
        ..Default::default()
    };
    waproto::codec::handshake_message_to_vec(&message)
}

fn ik(
    identity: &ServerIdentity,
    client_ephemeral: &[u8; 32],
    sealed_static: &[u8],
    sealed_payload: &[u8],
) -> Result<ServerHello, HandshakeError> {
    let own = identity.leaf().private_key.serialize();
    let mut noise = NoiseHandshake::new(NOISE_PATTERN_IK, &WA_CONN_HEADER)?;
    noise.authenticate(&identity.static_public_key()?);
    noise.authenticate(client_ephemeral);
    noise.mix_shared_secret(own, client_ephemeral)?;
    let client_static = client_key(&noise.decrypt(sealed_static)?)?;
    noise.mix_shared_secret(own, &client_static)?;
    let payload = noise.decrypt(sealed_payload)?;

    let ephemeral = ephemeral();
    noise.authenticate(&public(&ephemeral)?);
    noise.mix_shared_secret(ephemeral.private_key.serialize(), client_ephemeral)?;
    noise.mix_shared_secret(ephemeral.private_key.serialize(), &client_static)?;
    let sealed_chain = noise.encrypt(identity.chain())?;
    Ok(ServerHello::Done {
        message: hello(&ephemeral, None, sealed_chain),
        established: Box::new(established(noise, client_static, payload)?),
    })
}

fn xx(
    identity: &ServerIdentity,
    pattern: &str,
    client_ephemeral: &[u8; 32],
) -> Result<ServerHello, HandshakeError> {
    let mut noise = NoiseHandshake::new(pattern, &WA_CONN_HEADER)?;
    noise.authenticate(client_ephemeral);
    let ephemeral = ephemeral();
    noise.authenticate(&public(&ephemeral)?);
    noise.mix_shared_secret(ephemeral.private_key.serialize(), client_ephemeral)?;
    let sealed_static = noise.encrypt(&identity.static_public_key()?)?;
    noise.mix_shared_secret(identity.leaf().private_key.serialize(), client_ephemeral)?;
    let sealed_chain = noise.encrypt(identity.chain())?;
    Ok(ServerHello::Continue {
        message: hello(&ephemeral, Some(sealed_static), sealed_chain),
        responder: Box::new(Responder { noise, ephemeral }),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::fuzzing;

    fn bytes(len: usize) -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..len)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_payload_arrives_as_it_was_or_not_at_all(
            payload in bytes(200),
            changed_bit in proptest::option::of(any::<u16>()),
        ) {
            fuzzing::xx_handshake(&payload, changed_bit);
            fuzzing::ik_handshake(&payload, changed_bit);
        }

        #[test]
        fn strangers_get_nowhere(
            ephemeral in bytes(34),
            sealed in proptest::option::of(bytes(80)),
            finish in bytes(80),
        ) {
            use waproto::buffa::MessageField;
            use waproto::whatsapp::HandshakeMessage;
            use waproto::whatsapp::handshake_message::{ClientFinish, ClientHello};

            let hello = waproto::codec::handshake_message_to_vec(&HandshakeMessage {
                client_hello: MessageField::some(ClientHello {
                    ephemeral: Some(ephemeral),
                    r#static: sealed.clone(),
                    payload: sealed,
                    ..Default::default()
                }),
                ..Default::default()
            });
            let sealed_finish = waproto::codec::handshake_message_to_vec(&HandshakeMessage {
                client_finish: MessageField::some(ClientFinish {
                    r#static: Some(finish.clone()),
                    payload: Some(finish.clone()),
                    ..Default::default()
                }),
                ..Default::default()
            });
            for (hello, finish) in [(&hello, &sealed_finish), (&hello, &finish), (&finish, &hello)] {
                fuzzing::handshake(hello, finish);
            }
        }
    }
}
