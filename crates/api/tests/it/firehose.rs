//! The events of every organization on one stream.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use wagate_api::ApiConfig;
use wagate_cluster::Signal;
use wagate_core::{CoreConfig, Error, EventStream, StreamItem, StreamScope, TicketRequest};
use wagate_model::{Draft, EventKind, Faults, PlatformRole, Role};
use wagate_store::{Lane, StoreError};

use crate::harness::{Person, Service, people};

fn request(change: impl FnOnce(&mut TicketRequest)) -> Draft<TicketRequest> {
    let mut request = TicketRequest {
        scope: StreamScope::Firehose,
        ..TicketRequest::default()
    };
    change(&mut request);
    Draft::new(request, Faults::new())
}

async fn open(service: &Service, person: &Person, request: Draft<TicketRequest>) -> EventStream {
    let core = &service.core;
    let ticket = core.create_ticket(&person.caller, request).await.unwrap();
    let found = core.find_ticket(&ticket.secret).await.unwrap();
    assert_eq!(found.organization_id(), None);
    core.open_stream(found).await.unwrap()
}

/// The next events, as the numbers of each organization in the order in which they came.
async fn numbers(stream: &mut EventStream, count: usize) -> BTreeMap<String, Vec<u64>> {
    let mut found = BTreeMap::<String, Vec<u64>>::new();
    for _ in 0..count {
        let StreamItem::Event(envelope) = stream.next().await.unwrap() else {
            panic!("the stream ended");
        };
        let event: Value = serde_json::from_str(&envelope).unwrap();
        let organization = event["organization"].as_str().unwrap().to_owned();
        let number = event["payload"]["n"].as_u64().unwrap();
        found.entry(organization).or_default().push(number);
    }
    found
}

#[tokio::test]
async fn each_organizations_events_come_in_order_and_new_ones_too() {
    let service = Service::start().await;
    let operator = service.person(None, PlatformRole::SuperAdmin).await;
    let old = service.store.organization().await;
    let old_session = service.store.session(old).await;
    service.emit(old, old_session, 0..1).await;
    let mut stream = open(&service, &operator, request(|_| ())).await;
    let new = service.store.organization().await;
    let new_session = service.store.session(new).await;
    // More than one reading takes.
    for start in (0..450).step_by(50) {
        service.emit(old, old_session, start + 1..start + 51).await;
        service.emit(new, new_session, start..start + 50).await;
    }
    let found = numbers(&mut stream, 900).await;
    assert_eq!(found[&old.to_string()], (1..451).collect::<Vec<_>>());
    assert_eq!(found[&new.to_string()], (0..450).collect::<Vec<_>>());
    let another = service.store.organization().await;
    let session = service.store.session(another).await;
    service.emit(another, session, 7..8).await;
    let found = numbers(&mut stream, 1).await;
    assert_eq!(found[&another.to_string()], [7]);
}

#[tokio::test]
async fn what_nobody_tells_is_found_in_the_store() {
    let core = CoreConfig {
        stream_poll_interval: Duration::from_millis(5),
        ..CoreConfig::default()
    };
    let service = Service::of(ApiConfig::default(), core, people()).await;
    let operator = service.person(None, PlatformRole::SuperAdmin).await;
    let mut stream = open(&service, &operator, request(|_| ())).await;
    for _ in 0..2 {
        let organization = service.store.organization().await;
        let session = service.store.session(organization).await;
        for n in 0..2 {
            let payload = vec![json!({ "n": n })];
            let kind = EventKind::Message;
            service.commit(organization, session, kind, payload).await;
            let found = numbers(&mut stream, 1).await;
            assert_eq!(found[&organization.to_string()], [n]);
        }
    }
}

#[tokio::test]
async fn only_the_wanted_kinds_come() {
    let service = Service::start().await;
    let operator = service.person(None, PlatformRole::SuperAdmin).await;
    let calls = |request: &mut TicketRequest| request.events = Some(vec!["call.incoming".into()]);
    let mut stream = open(&service, &operator, request(calls)).await;
    let organization = service.store.organization().await;
    let session = service.store.session(organization).await;
    service.emit(organization, session, 0..3).await;
    let payload = vec![json!({ "n": 9 })];
    let kind = EventKind::CallIncoming;
    let copies = service.commit(organization, session, kind, payload).await;
    service.announce(organization, copies);
    let found = numbers(&mut stream, 1).await;
    assert_eq!(found[&organization.to_string()], [9]);
}

#[tokio::test]
async fn it_is_for_the_operator_and_from_now_on() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let owner = service
        .person(Some((tenant.organization, Role::Owner)), PlatformRole::User)
        .await;
    let operator = service.person(None, PlatformRole::SuperAdmin).await;
    let program = service.core.authenticate(&tenant.key).await.unwrap();
    for caller in [&owner.caller, &program] {
        let refused = service.core.create_ticket(caller, request(|_| ())).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    }
    let wrong = request(|request| {
        request.since = Some("evt_01J9ZX8K2QHV0M3T6R7P4N5W8C".into());
        request.session = Some("x".into());
    });
    let refused = service.core.create_ticket(&operator.caller, wrong).await;
    let Err(Error::Invalid(faults)) = refused else {
        panic!("{refused:?}");
    };
    let fields = faults.into_vec().into_iter().map(|fault| fault.field);
    assert_eq!(fields.collect::<Vec<_>>(), ["session", "since"]);
}

#[tokio::test]
async fn it_ends_with_the_role() {
    let service = Service::start().await;
    let operator = service.person(None, PlatformRole::SuperAdmin).await;
    let mut stream = open(&service, &operator, request(|_| ())).await;
    let unused = service
        .core
        .create_ticket(&operator.caller, request(|_| ()))
        .await
        .unwrap();
    let user_id = operator.id;
    let told = || service.bus.publish(Signal::UserChanged { user_id });
    // Another change of the user ends nothing.
    told();
    let organization = service.store.organization().await;
    let session = service.store.session(organization).await;
    service.emit(organization, session, 0..1).await;
    numbers(&mut stream, 1).await;
    service
        .store
        .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
            Box::pin(async move {
                let role = PlatformRole::User;
                tx.admin().set_platform_role(user_id, role, 1).await
            })
        })
        .await
        .unwrap();
    told();
    assert_eq!(stream.next().await.unwrap(), StreamItem::Revoked);
    let found = service.core.find_ticket(&unused.secret).await.unwrap();
    let refused = service.core.open_stream(found).await;
    assert!(matches!(refused, Err(Error::Unauthorized)), "{refused:?}");
}
