//! The handshake, and what a client says of itself in it.

use std::sync::LazyLock;

use bytes::BytesMut;
use rand::rngs::StdRng;
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::{IkHandshakeState, IkServerHelloOutcome, NoiseCipher, XxHandshakeState};

use crate::clock::Clock;
use crate::journal::Journal;
use crate::noise::{Established, Responder, ServerHello, ServerIdentity};
use crate::socket::login::{self, Intent};

static IDENTITY: LazyLock<ServerIdentity> = LazyLock::new(|| {
    ServerIdentity::load(&Journal::memory(), &Clock::fixed(1_800_000_000_000))
        .expect("keys can be made in memory")
});

/// Whoever does not know the protocol gets no further than the server's own keys.
pub fn handshake(client_hello: &[u8], client_finish: &[u8]) {
    if let Ok(ServerHello::Continue { message, responder }) =
        Responder::answer(&IDENTITY, client_hello)
    {
        let answer = waproto::codec::handshake_message_decode(&message).expect("it is readable");
        assert!(answer.server_hello.is_set());
        assert!(responder.finish(client_finish).is_err());
    }
}

/// A client's payload arrives by Noise XX, and no bit of its last message can be changed.
pub fn xx_handshake(payload: &[u8], changed_bit: Option<u16>) {
    let client = keys();
    let state = XxHandshakeState::new(client.clone(), payload.to_vec(), &WA_CONN_HEADER);
    let mut state = state.expect("the client's keys are sound");
    let hello = state.build_client_hello().expect("the first message");
    let Ok(ServerHello::Continue { message, responder }) = Responder::answer(&IDENTITY, &hello)
    else {
        panic!("the server refused a sound first message");
    };
    let mut finish = state
        .read_server_hello_and_build_client_finish(&message)
        .expect("the client takes the answer");
    if let Some(bit) = changed_bit {
        change(&mut finish, bit);
        assert!(responder.finish(&finish).is_err());
        return;
    }
    let established = responder.finish(&finish).expect("the server takes the end");
    let outcome = state.finish().expect("the client is done too");
    carries(
        established,
        &client,
        payload,
        (&outcome.write_cipher, &outcome.read_cipher),
    );
}

/// The same by Noise IK, which has one message of the client; a changed one makes no connection.
pub fn ik_handshake(payload: &[u8], changed_bit: Option<u16>) {
    let client = keys();
    let server_key = IDENTITY.static_public_key().expect("the server has a key");
    let state = IkHandshakeState::new(
        client.clone(),
        server_key,
        payload.to_vec(),
        &WA_CONN_HEADER,
    );
    let mut state = state.expect("the client's keys are sound");
    let mut hello = state.build_client_hello().expect("the first message");
    if let Some(bit) = changed_bit {
        change(&mut hello, bit);
        let answer = Responder::answer(&IDENTITY, &hello);
        assert!(!matches!(answer, Ok(ServerHello::Done { .. })));
        return;
    }
    let Ok(ServerHello::Done {
        message,
        established,
    }) = Responder::answer(&IDENTITY, &hello)
    else {
        panic!("the server refused a sound first message");
    };
    let outcome = state.read_server_hello(&message).expect("a sound answer");
    let IkServerHelloOutcome::Continue(outcome) = outcome else {
        panic!("the client fell back from the server's own key");
    };
    carries(
        *established,
        &client,
        payload,
        (&outcome.write_cipher, &outcome.read_cipher),
    );
}

fn keys() -> KeyPair {
    KeyPair::generate(&mut rand::make_rng::<StdRng>())
}

fn change(message: &mut [u8], bit: u16) {
    let bit = usize::from(bit) % (message.len() * 8);
    message[bit / 8] ^= 1 << (bit % 8);
}

/// The server knows who connects and what it said, and both directions work.
fn carries(
    mut established: Established,
    client: &KeyPair,
    payload: &[u8],
    (outgoing, incoming): (&NoiseCipher, &NoiseCipher),
) {
    assert_eq!(
        established.client_static,
        client.public_key.public_key_bytes()
    );
    assert_eq!(established.payload, payload);
    let server = &mut established.transport;
    for counter in 0..2 {
        let sealed = outgoing
            .encrypt_with_counter(counter, payload)
            .expect("it is short");
        let opened = server
            .open(BytesMut::from(&sealed[..]))
            .expect("it is the client's");
        assert_eq!(opened, payload);
        let frame = server.seal(payload).expect("it is short");
        let mut frame = BytesMut::from(&frame[3..]);
        incoming
            .decrypt_in_place_with_counter(counter, &mut frame)
            .expect("it is the server's");
        assert_eq!(frame, payload);
    }
    assert!(server.open(BytesMut::from(payload)).is_err());
}

/// What a client says of itself is a login or a whole registration.
pub fn client_payload(payload: &[u8]) {
    let Some(introduction) = login::read(payload, [7; 32]) else {
        return;
    };
    match introduction.intent {
        Intent::Login { number, .. } => {
            assert!(!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
        }
        Intent::Register(registration) => {
            assert_eq!(registration.noise_key, [7; 32]);
            assert_eq!(registration.signed_prekey.len(), 32);
            assert_eq!(registration.signed_prekey_signature.len(), 64);
            assert_ne!(registration.push_name.as_deref(), Some(""));
        }
    }
}
