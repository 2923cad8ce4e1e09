//! Commands to owners, and signals.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wagate_cluster::{
    Bus, BusError, CommandHandler, CommandReply, CommandResult, EventCopy, Refusal, SessionAction,
    SessionCommand, Signal, Topic,
};
use wagate_model::{EventId, EventKind, GatewayId, OrganizationId, SessionId};

use crate::proxy::Proxy;

/// Nothing takes longer than this, not even on a busy machine.
const WAIT: Duration = Duration::from_secs(30);

/// Two ends of each kind of bus: one asks, the other one answers.
async fn buses() -> Vec<(Bus, Bus)> {
    let local = Bus::local();
    let mut buses = vec![(local.clone(), local)];
    if let Some(server) = nats_server() {
        let (url, prefix) = (format!("nats://{server}"), prefix());
        buses.push((nats(&url, &prefix).await, nats(&url, &prefix).await));
    }
    buses
}

/// The address of the server to test with.
fn nats_server() -> Option<String> {
    let url = std::env::var("TEST_NATS_URL").ok()?;
    Some(url.strip_prefix("nats://").unwrap().to_owned())
}

/// A prefix that no other test uses.
fn prefix() -> String {
    format!("test-{:016x}", rand::random::<u64>())
}

async fn nats(url: &str, prefix: &str) -> Bus {
    Bus::nats(url, prefix).await.unwrap()
}

fn gateway(name: &str) -> GatewayId {
    name.parse().unwrap()
}

fn command(action: SessionAction) -> SessionCommand {
    SessionCommand {
        organization_id: OrganizationId::from_parts(1, 2),
        session_id: SessionId::from_parts(1, 3),
        action,
    }
}

/// Notes what it is asked, and answers by the kind of the command.
struct Owner(mpsc::UnboundedSender<(SessionCommand, Duration)>);

#[async_trait]
impl CommandHandler for Owner {
    async fn handle(&self, command: SessionCommand, deadline: Instant) -> CommandResult {
        let left = deadline.saturating_duration_since(Instant::now());
        let answer = match &command.action {
            SessionAction::RequestPairingCode { phone } => {
                Ok(CommandReply::PairingCode(phone.clone()))
            }
            SessionAction::Stop => Err(Refusal::RateLimited {
                retry_after_seconds: 7,
            }),
            _ => Ok(CommandReply::Done),
        };
        self.0.send((command, left)).unwrap();
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_reaches_its_owner_and_nobody_else() {
    for (asking, answering) in buses().await {
        // A dot must not be read as a level of a subject.
        let (owner, other) = (gateway("gw.1"), gateway("gw.2"));
        let (asked, mut commands) = mpsc::unbounded_channel();
        let serving = answering
            .serve(&owner, Arc::new(Owner(asked)))
            .await
            .unwrap();
        let (unasked, mut nothing) = mpsc::unbounded_channel();
        let _other = answering
            .serve(&other, Arc::new(Owner(unasked)))
            .await
            .unwrap();
        let ask = SessionAction::RequestPairingCode {
            phone: "15551234567".to_owned(),
        };
        let answer = asking.request(&owner, command(ask), WAIT).await.unwrap();
        assert!(matches!(answer, Ok(CommandReply::PairingCode(code)) if code == "15551234567"));
        let (got, left) = commands.recv().await.unwrap();
        assert_eq!(
            (got.organization_id, got.session_id),
            (
                OrganizationId::from_parts(1, 2),
                SessionId::from_parts(1, 3)
            )
        );
        assert!(left > WAIT / 2 && left <= WAIT, "{left:?}");
        let stop = command(SessionAction::Stop);
        let refusal = asking.request(&owner, stop, WAIT).await.unwrap();
        assert_eq!(
            refusal.unwrap_err(),
            Refusal::RateLimited {
                retry_after_seconds: 7
            }
        );
        assert!(nothing.try_recv().is_err());

        drop(serving);
        let gone = asking
            .request(&owner, command(SessionAction::Start), WAIT)
            .await;
        assert!(matches!(gone, Err(BusError::Unreachable)), "{gone:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_nobody_knows_is_told_at_once() {
    for (asking, _) in buses().await {
        // Without that, this would wait for a day.
        let day = Duration::from_hours(24);
        let nobody = gateway("nobody");
        let unknown = asking.request(&nobody, command(SessionAction::Start), day);
        let unknown = tokio::time::timeout(WAIT, unknown).await.unwrap();
        assert!(matches!(unknown, Err(BusError::Unreachable)), "{unknown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_reach_those_who_listen_in_order() {
    for (publishing, listening) in buses().await {
        let (ours, theirs) = (
            OrganizationId::from_parts(1, 1),
            OrganizationId::from_parts(1, 2),
        );
        let mut events = listening.subscribe(Topic::Events(ours)).await.unwrap();
        let mut wishes = listening.subscribe(Topic::Sessions).await.unwrap();
        let event = |organization_id, number| {
            let copy = EventCopy {
                id: EventId::from_parts(1, number),
                kind: EventKind::Message,
                session_id: SessionId::from_parts(1, 3),
                json: "{}".into(),
            };
            Signal::Events {
                organization_id,
                events: Arc::new(vec![copy]),
            }
        };
        publishing.publish(event(theirs, 9));
        for number in 0..10 {
            publishing.publish(event(ours, number));
        }
        publishing.publish(Signal::SessionsWanted);
        for number in 0..10 {
            let signal = events.recv().await.unwrap().unwrap();
            let Signal::Events { events, .. } = signal else {
                panic!("{signal:?}");
            };
            assert_eq!(events[0].id, EventId::from_parts(1, number));
        }
        let wish = wishes.recv().await.unwrap().unwrap();
        assert!(matches!(wish, Signal::SessionsWanted));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_whose_connection_was_cut_comes_back() {
    let Some(server) = nats_server() else {
        return;
    };
    let proxy = Proxy::to(server).await;
    let url = format!("nats://{}", proxy.address);
    let prefix = prefix();
    let (asking, answering) = (nats(&url, &prefix).await, nats(&url, &prefix).await);
    let (asked, mut commands) = mpsc::unbounded_channel();
    let owner = gateway("gw-1");
    let _serving = answering
        .serve(&owner, Arc::new(Owner(asked)))
        .await
        .unwrap();
    let mut wishes = answering.subscribe(Topic::Sessions).await.unwrap();
    let ask = async || {
        let start = command(SessionAction::Start);
        asking.request(&owner, start, Duration::from_secs(1)).await
    };
    assert!(matches!(ask().await, Ok(Ok(CommandReply::Done))));
    proxy.cut();
    let back = tokio::time::timeout(WAIT, async {
        while !matches!(ask().await, Ok(Ok(CommandReply::Done))) {}
        assert!(asking.is_ready());
        loop {
            asking.publish(Signal::SessionsWanted);
            let wish = tokio::time::timeout(Duration::from_millis(100), wishes.recv());
            if let Ok(Some(Ok(Signal::SessionsWanted))) = wish.await {
                return;
            }
        }
    });
    back.await.unwrap();
    assert!(commands.recv().await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_to_all_events_hears_every_organization() {
    for (near, far) in buses().await {
        let organizations = [1, 2].map(|random| OrganizationId::from_parts(7, random));
        let mut all = far.subscribe(Topic::AllEvents).await.unwrap();
        let mut one = far
            .subscribe(Topic::Events(organizations[1]))
            .await
            .unwrap();
        // What is no event is not for them.
        near.publish(Signal::DeliveriesDue);
        for organization_id in organizations {
            near.publish(Signal::Events {
                organization_id,
                events: Arc::default(),
            });
        }
        let mut heard = Vec::new();
        for subscription in [&mut all, &mut one] {
            let signal = tokio::time::timeout(WAIT, subscription.recv()).await;
            let Signal::Events {
                organization_id, ..
            } = signal.unwrap().unwrap().unwrap()
            else {
                panic!("no event");
            };
            heard.push(organization_id);
        }
        assert_eq!(heard, organizations);
    }
}
