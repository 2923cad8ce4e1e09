//! A small scripted client: the Noise handshake and stanzas, nothing above.

use std::time::Duration;

use bytes::BytesMut;
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_binary::{Jid, Node, OwnedNodeRef};
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::framing::{FrameDecoder, encode_frame};
use wacore_noise::{
    IkHandshakeState, IkServerHelloOutcome, NoiseCipher, VerifiedServerCertChain,
    XxFallbackHandshakeState, XxHandshakeState,
};
use wagate_simulator::Simulator;
use wagate_simulator::server::{LinkContext, LinkError, SignedLink};
use waproto::whatsapp::ClientPayload;
use waproto::whatsapp::client_payload::DevicePairingRegistrationData;

const WAIT: Duration = Duration::from_secs(20);

/// A WebSocket that carries frames.
pub(crate) struct Frames {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    decoder: FrameDecoder,
}

impl Frames {
    pub(crate) async fn connect(url: &str) -> Self {
        let (socket, _) = Box::pin(tokio_tungstenite::connect_async(url))
            .await
            .unwrap();
        Self {
            socket,
            decoder: FrameDecoder::new(),
        }
    }

    pub(crate) async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.socket
            .send(Message::Binary(bytes.into()))
            .await
            .unwrap();
    }

    pub(crate) async fn send(&mut self, payload: &[u8], header: Option<&[u8]>) {
        let frame = encode_frame(payload, header).unwrap();
        self.send_bytes(frame).await;
    }

    /// The connection below, as it is when the server has said that it closes.
    pub(crate) fn into_stream(self) -> TcpStream {
        match self.socket.into_inner() {
            MaybeTlsStream::Plain(stream) => stream,
            _ => panic!("the connection is not plain"),
        }
    }

    /// The next frame; `None` when the server has closed the socket.
    pub(crate) async fn next(&mut self) -> Option<BytesMut> {
        loop {
            if let Some(frame) = self.decoder.decode_frame() {
                return Some(frame);
            }
            let message = tokio::time::timeout(WAIT, self.socket.next())
                .await
                .expect("the server said nothing");
            match message {
                Some(Ok(Message::Binary(bytes))) => self.decoder.feed(&bytes),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}

/// An established connection.
pub(crate) struct Client {
    frames: Frames,
    outgoing: NoiseCipher,
    incoming: NoiseCipher,
    sent: u32,
    received: u32,
}

/// A key pair of a client.
pub(crate) fn keys() -> KeyPair {
    KeyPair::generate(&mut rand::make_rng::<rand::rngs::StdRng>())
}

/// A signature of an identity over a prekey, as clients make it.
pub(crate) fn signature(identity: &KeyPair, prekey: &KeyPair) -> Vec<u8> {
    let mut rng = rand::make_rng::<rand::rngs::StdRng>();
    let signature = identity
        .private_key
        .calculate_signature(&prekey.public_key.serialize(), &mut rng);
    signature.unwrap().to_vec()
}

/// What an unlinked companion says in its handshake.
pub(crate) fn registration() -> ClientPayload {
    let (identity, prekey) = (keys(), keys());
    ClientPayload {
        device_pairing_data: waproto::buffa::MessageField::some(DevicePairingRegistrationData {
            e_regid: Some(vec![0, 0, 0, 9]),
            e_keytype: Some(vec![5]),
            e_ident: Some(identity.public_key.public_key_bytes().to_vec()),
            e_skey_id: Some(vec![0, 0, 1]),
            e_skey_val: Some(prekey.public_key.public_key_bytes().to_vec()),
            e_skey_sig: Some(signature(&identity, &prekey)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// What a linked device says in its handshake.
pub(crate) fn login(number: &str, device: u32) -> ClientPayload {
    ClientPayload {
        username: number.parse().ok(),
        device: Some(device),
        passive: Some(false),
        ..Default::default()
    }
}

impl Client {
    /// Connects with Noise XX, as at the first time.
    pub(crate) async fn xx(
        url: &str,
        noise: KeyPair,
        payload: &ClientPayload,
    ) -> (Self, VerifiedServerCertChain) {
        let mut frames = Frames::connect(url).await;
        let payload = waproto::codec::client_payload_to_vec(payload);
        let mut state = XxHandshakeState::new(noise, payload, &WA_CONN_HEADER).unwrap();
        let hello = state.build_client_hello().unwrap();
        frames.send(&hello, Some(&WA_CONN_HEADER)).await;
        let answer = frames.next().await.expect("no server hello");
        let finish = state
            .read_server_hello_and_build_client_finish(&answer)
            .unwrap();
        frames.send(&finish, None).await;
        let outcome = state.finish().unwrap();
        let client = Self::over(frames, outcome.write_cipher, outcome.read_cipher);
        (client, outcome.server_cert_chain)
    }

    /// Connects with Noise IK; true when the server made it fall back.
    pub(crate) async fn ik(
        url: &str,
        noise: KeyPair,
        server_key: [u8; 32],
        payload: &ClientPayload,
    ) -> (Self, bool) {
        let (header, _) = wacore_noise::build_handshake_header(Some(b"sim-edge"));
        let mut frames = Frames::connect(url).await;
        let payload = waproto::codec::client_payload_to_vec(payload);
        let mut state = IkHandshakeState::new(noise, server_key, payload, &WA_CONN_HEADER).unwrap();
        let hello = state.build_client_hello().unwrap();
        frames.send(&hello, Some(&header)).await;
        let answer = frames.next().await.expect("no server hello");
        match state.read_server_hello(&answer).unwrap() {
            IkServerHelloOutcome::Continue(outcome) => {
                let client = Self::over(frames, outcome.write_cipher, outcome.read_cipher);
                (client, false)
            }
            IkServerHelloOutcome::Fallback(inputs) => {
                let mut state =
                    XxFallbackHandshakeState::from_ik_failure(*inputs, &WA_CONN_HEADER).unwrap();
                let finish = state.build_client_finish().unwrap();
                frames.send(&finish, None).await;
                let outcome = state.finish().unwrap();
                let client = Self::over(frames, outcome.write_cipher, outcome.read_cipher);
                (client, true)
            }
        }
    }

    fn over(frames: Frames, outgoing: NoiseCipher, incoming: NoiseCipher) -> Self {
        Self {
            frames,
            outgoing,
            incoming,
            sent: 0,
            received: 0,
        }
    }

    pub(crate) async fn send(&mut self, node: &Node) {
        let stanza = wacore_binary::marshal(node).unwrap();
        let sealed = self
            .outgoing
            .encrypt_with_counter(self.sent, &stanza)
            .unwrap();
        self.sent += 1;
        self.frames.send(&sealed, None).await;
    }

    /// Sends bytes as a frame that was not sealed.
    pub(crate) async fn send_garbage(&mut self, bytes: &[u8]) {
        self.frames.send(bytes, None).await;
    }

    /// The next stanza; `None` when the server has closed the socket.
    pub(crate) async fn next(&mut self) -> Option<Node> {
        let mut frame = self.frames.next().await?;
        self.incoming
            .decrypt_in_place_with_counter(self.received, &mut frame)
            .unwrap();
        self.received += 1;
        let stanza = wacore_binary::util::unpack_bytes(frame).unwrap();
        Some(OwnedNodeRef::new(stanza).unwrap().to_owned_node())
    }

    /// The next stanza with this tag; others are passed over.
    pub(crate) async fn next_tagged(&mut self, tag: &str) -> Node {
        loop {
            let node = self.next().await.expect("the server closed the socket");
            if node.tag == tag {
                return node;
            }
        }
    }

    /// The frames below the stanzas.
    pub(crate) fn into_frames(self) -> Frames {
        self.frames
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn ask(&mut self, iq: Node) -> Node {
        let id = attr(&iq, "id");
        self.send(&iq).await;
        loop {
            let answer = self.next_tagged("iq").await;
            if attr(&answer, "id") == id {
                return answer;
            }
        }
    }
}

/// An attribute as text; empty when it is not there.
pub(crate) fn attr(node: &Node, key: &str) -> String {
    node.attrs
        .get(key)
        .map(|value| value.as_str().into_owned())
        .unwrap_or_default()
}

/// The first reference that an unlinked companion is shown.
pub(crate) async fn first_reference(companion: &mut Client) -> String {
    let pair_device = companion.next_tagged("iq").await;
    pair_device
        .get_optional_child_by_tag(&["pair-device", "ref"])
        .and_then(Node::content_as_string)
        .unwrap()
        .to_string()
}

/// What a primary that looks at nothing signs.
#[expect(
    clippy::unnecessary_wraps,
    reason = "linking calls it as it calls a primary that may refuse"
)]
pub(crate) fn sign_anything(_: LinkContext) -> Result<SignedLink, LinkError> {
    Ok(SignedLink {
        device_identity: b"identity".to_vec(),
        key_index_list: b"list".to_vec(),
        client_props: None,
    })
}

/// Links a scripted companion to an account and logs it in; its keys are not Signal's.
pub(crate) async fn linked(simulator: &Simulator, number: &str) -> (Client, KeyPair, u16) {
    let noise = keys();
    let url = simulator.chat_url();
    let (mut companion, _) = Client::xx(&url, noise.clone(), &registration()).await;
    let pairing_ref = first_reference(&mut companion).await;
    let server = simulator.server().clone();
    let owner = number.to_owned();
    let link = tokio::spawn(async move {
        server
            .link_by_ref(&owner, &pairing_ref, sign_anything)
            .await
    });
    let success = companion.next_tagged("iq").await;
    let device: Jid = attr(
        success
            .get_optional_child_by_tag(&["pair-success", "device"])
            .unwrap(),
        "jid",
    )
    .parse()
    .unwrap();
    let sign = NodeBuilder::new("pair-device-sign")
        .children([NodeBuilder::new("device-identity")
            .attr("key-index", 1_u8)
            .bytes(b"countersigned".to_vec())
            .build()])
        .build();
    let answer = NodeBuilder::new("iq")
        .attr("to", "s.whatsapp.net")
        .attr("type", "result")
        .attr("id", attr(&success, "id"))
        .children([sign])
        .build();
    companion.send(&answer).await;
    assert_eq!(
        attr(&companion.next_tagged("stream:error").await, "code"),
        "515"
    );
    assert!(companion.next().await.is_none());
    let client = logged_in(simulator, number, device.device, &noise).await;
    assert_eq!(link.await.unwrap().unwrap().id, device.device);
    (client, noise, device.device)
}

/// Logs a linked device in.
pub(crate) async fn logged_in(
    simulator: &Simulator,
    number: &str,
    device: u16,
    noise: &KeyPair,
) -> Client {
    let payload = login(number, device.into());
    let (mut client, _) = Client::xx(&simulator.chat_url(), noise.clone(), &payload).await;
    assert_eq!(client.next().await.unwrap().tag, "success");
    client
}

/// What a refused login is told.
pub(crate) async fn refused(
    simulator: &Simulator,
    noise: &KeyPair,
    payload: &ClientPayload,
) -> Node {
    let (mut client, _) = Client::xx(&simulator.chat_url(), noise.clone(), payload).await;
    let failure = client.next().await.unwrap();
    assert_eq!(failure.tag, "failure");
    assert!(client.next().await.is_none());
    failure
}
