//! Stanzas of devices, through the server.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wacore_binary::Jid;

use crate::clock::Clock;
use crate::journal::Journal;
use crate::server::link::{LinkReceiver, Outgoing};
use crate::server::outbox::Outbox;
use crate::server::session::Session;
use crate::server::stanza::{marshal, unmarshal};
use crate::server::{Registration, Server, ServerConfig};

/// Two accounts that a server under test has.
const NUMBERS: [&str; 2] = ["15550000001", "15550000002"];

/// Who sends a stanza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The first account's primary.
    First,
    /// The second account's primary.
    Second,
    /// A companion that is not linked yet.
    Unpaired,
}

/// Whatever devices send, the server goes on, what it sends can be read, and it finds its
/// accounts and queues again after a restart.
pub fn stanzas(sent: &[(Sender, &[u8])]) {
    let config = ServerConfig {
        clock: Clock::fixed(1_800_000_000_000),
        seed: Some(1),
        ..ServerConfig::default()
    };
    let journal = Journal::memory();
    let server = Server::open(config.clone(), journal.clone()).expect("memory does not fail");
    let mut devices = NUMBERS.map(|number| Device::attach(&server, number));
    let (link, mut unpaired) = server.socket_link();
    let link = Arc::new(link);
    server.open_waiting(&link, registration());
    for (from, stanza) in sent {
        let Some(node) = unmarshal(stanza) else {
            continue;
        };
        let relayed = unmarshal(&marshal(&node)).expect("it is written to be read");
        assert_eq!(unmarshal(&marshal(&relayed)).as_ref(), Some(&relayed));
        match from {
            Sender::First => server.handle(&devices[0].session, node),
            Sender::Second => server.handle(&devices[1].session, node),
            Sender::Unpaired => server.handle_unpaired(link.id, &node),
        }
        devices.iter_mut().for_each(Device::read);
        read(&mut unpaired);
    }
    let waiting = NUMBERS.map(|number| counts(&server, number));
    let again = Server::open(config, journal).expect("memory does not fail");
    assert_eq!(NUMBERS.map(|number| counts(&again, number)), waiting);
    assert_eq!(again.accounts().len(), NUMBERS.len());
}

/// The primary of an account, connected.
struct Device {
    session: Session,
    outbox: Outbox,
}

impl Device {
    fn attach(server: &Server, number: &str) -> Self {
        let name = format!("Phone {number}");
        server
            .create_account(Some(number), Some(&name))
            .expect("the number is free");
        let account = server.cell(number).expect("the account was made");
        let (link, receiver) = server.socket_link();
        let session = Server::open_session(account, 0, link, false).expect("it has a primary");
        Self {
            outbox: server.pushed_outbox(&session, receiver),
            session,
        }
    }

    /// Reads all that waits to be written.
    fn read(&mut self) {
        loop {
            let mut context = Context::from_waker(Waker::noop());
            match pin!(self.outbox.next()).poll(&mut context) {
                Poll::Ready(Some(outgoing)) => is_readable(&outgoing),
                Poll::Ready(None) | Poll::Pending => return,
            }
        }
    }
}

fn read(receiver: &mut LinkReceiver) {
    while let Some(outgoing) = receiver.try_recv() {
        is_readable(&outgoing);
    }
}

fn is_readable(outgoing: &Outgoing) {
    match outgoing {
        Outgoing::Stanza(stanza) | Outgoing::Last(stanza) | Outgoing::Slow(stanza, _) => {
            assert!(unmarshal(stanza).is_some(), "a client cannot read this");
        }
        Outgoing::Wake => {}
    }
}

/// What waits for each device of an account.
fn counts(server: &Server, number: &str) -> Vec<(u16, usize)> {
    let account = server.account_of(&Jid::pn(number)).expect("it was made");
    let cell = server.cell(&account.number).expect("it was made");
    let state = cell.lock();
    let devices = state.devices.iter();
    devices
        .map(|(id, device)| (*id, device.queue.counts().total()))
        .collect()
}

fn registration() -> Registration {
    Registration {
        noise_key: [1; 32],
        identity: [2; 32],
        registration_id: 3,
        signed_prekey_id: 4,
        signed_prekey: vec![5; 32],
        signed_prekey_signature: vec![6; 64],
        device_props: Vec::new(),
        platform: String::new(),
        push_name: None,
    }
}
