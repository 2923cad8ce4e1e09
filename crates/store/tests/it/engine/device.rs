//! The linked device.

use std::sync::Arc;

use wacore::store::Device;
use wacore::store::device::{CachedNoiseCert, CachedServerCertChain, DevicePropsOverride};
use wacore::store::traits::{DeviceStore as _, SignalStore as _};
use wacore::store::traits::{LidPnMappingEntry, MsgSecretStore as _, ProtocolStore as _};
use waproto::whatsapp::ADVSignedDeviceIdentity;

use super::support::{World, keys};

/// Everything that a device holds, as text.
pub(super) fn shown(device: &Device) -> String {
    let json = serde_json::to_string(device).unwrap();
    format!(
        "{json} {:?} {}",
        device.device_props, device.nct_salt_sync_seen
    )
}

/// A device in which every field differs from a new one's.
pub(super) fn full_device() -> Device {
    let mut device = Device::new();
    device.pn = Some("15550000001:12@s.whatsapp.net".parse().unwrap());
    device.lid = Some("100000012345678:12@lid".parse().unwrap());
    device.account = Some(Arc::new(ADVSignedDeviceIdentity {
        details: Some(vec![1, 2]),
        account_signature: Some(vec![3; 64]),
        ..ADVSignedDeviceIdentity::default()
    }));
    "Ada".clone_into(&mut device.push_name);
    device.signed_pre_key_id = 2;
    device.app_version_tertiary = 77;
    device.app_version_last_fetched_ms = 88;
    device.set_device_props(
        DevicePropsOverride::new()
            .with_os("wagate")
            .with_require_full_sync(true),
    );
    device.edge_routing_info = Some(vec![0, 255]);
    device.props_hash = Some("hash".to_owned());
    device.next_pre_key_id = 813;
    device.first_unupload_pre_key_id = 812;
    device.server_has_prekeys = true;
    device.nct_salt = Some(vec![9]);
    device.nct_salt_sync_seen = true;
    let cert = |byte| CachedNoiseCert {
        key: [byte; 32],
        not_before: -1,
        not_after: i64::MAX,
    };
    device.server_cert_chain = Some(CachedServerCertChain {
        intermediate: cert(1),
        leaf: cert(2),
    });
    device.login_counter = 5;
    device.lid_migrated = true;
    device.last_signed_pre_key_rotation_ms = 6;
    device.read_receipts_disabled = true;
    device
}

#[tokio::test]
async fn a_device_is_made_once_and_comes_back_whole() {
    let world = World::new().await;
    let backend = world.backend().await;
    assert!(!backend.exists().await.unwrap());
    assert!(backend.load().await.unwrap().is_none());
    backend.create().await.unwrap();
    assert!(backend.exists().await.unwrap());
    let made = backend.load().await.unwrap().unwrap();
    // Creating it once more must not cost the credentials.
    backend.create().await.unwrap();
    assert_eq!(shown(&backend.load().await.unwrap().unwrap()), shown(&made));

    let device = full_device();
    backend.save(&device).await.unwrap();
    let loaded = backend.load().await.unwrap().unwrap();
    assert_eq!(shown(&loaded), shown(&device));
    assert_eq!(loaded.device_props.os.as_deref(), Some("wagate"));
    assert_eq!(loaded.get_client_payload().username, Some(15_550_000_001));
    assert_eq!(backend.resource_report().await.memory_bytes, Some(0));
}

#[tokio::test]
async fn a_session_is_paired_while_its_device_has_an_account() {
    let world = World::new().await;
    let backend = world.backend().await;
    assert!(!backend.is_paired().await.unwrap());
    backend.create().await.unwrap();
    assert!(!backend.is_paired().await.unwrap());
    backend.save(&full_device()).await.unwrap();
    assert!(backend.is_paired().await.unwrap());
    let stranger = wagate_model::OrganizationId::from_parts(1, 1);
    let mut tx = world.store.read().await.unwrap();
    assert!(!tx.is_session_paired(stranger, world.session).await.unwrap());
}

#[tokio::test]
async fn wiping_forgets_one_session_and_no_other() {
    let world = World::new().await;
    let first = world.backend().await;
    let (other, second) = world.another().await;
    for backend in [&first, &second] {
        backend.save(&full_device()).await.unwrap();
        backend.put_session("a", b"s").await.unwrap();
        backend
            .set_sender_key_status("g", &[("d", true)])
            .await
            .unwrap();
        let mapping = LidPnMappingEntry {
            lid: "l".to_owned(),
            phone_number: "p".to_owned(),
            created_at: 0,
            updated_at: 0,
            learning_source: String::new(),
        };
        backend.put_lid_mapping(&mapping).await.unwrap();
        backend
            .touch_tc_token_sender_timestamp("j", 1)
            .await
            .unwrap();
        backend
            .put_msg_secret("c", "s", "m", &[1; 32])
            .await
            .unwrap();
        backend.store_sent_message("c", "m", b"p").await.unwrap();
        // Takes the sent message along.
        backend.put_session("a", b"t").await.unwrap();
    }
    let (organization, session) = (world.organization, world.session);
    let stranger = wagate_model::OrganizationId::from_parts(1, 1);
    let wipe = |organization| {
        world.store.write(organization, move |tx| {
            Box::pin(async move { tx.wipe_engine_state(organization, session).await })
        })
    };
    let done: wagate_store::Result<()> = wipe(stranger).await;
    done.unwrap();
    assert_eq!(world.row_count(session).await, 7);
    first.wipe().await.unwrap();
    assert_eq!(world.row_count(session).await, 0);
    assert!(!first.is_paired().await.unwrap());
    assert_eq!(world.row_count(other).await, 7);
    let done: wagate_store::Result<()> = wipe(organization).await;
    done.unwrap();
    // Deleting the session's row forgets all of it.
    world.execute("DELETE FROM session").await;
    assert_eq!(world.row_count(other).await, 0);
}

#[tokio::test]
async fn what_was_written_is_there_when_the_database_is_opened_anew() {
    let mut world = World::new().await;
    let backend = world.backend().await;
    let device = full_device();
    backend.save(&device).await.unwrap();
    backend
        .store_pending_inbound("c", "s", "1", b"message")
        .await
        .unwrap();
    backend.put_session("a", b"ratchet").await.unwrap();
    // Not closed first: what a call returned from must not depend on it.
    world.reopen(keys(7)).await;
    let backend = world.backend().await;
    assert_eq!(
        shown(&backend.load().await.unwrap().unwrap()),
        shown(&device)
    );
    assert_eq!(
        backend.get_session("a").await.unwrap().as_deref(),
        Some(b"ratchet".as_slice())
    );
    let found = backend.get_pending_inbound("c", "s", "1").await.unwrap();
    assert_eq!(found, Some(b"message".to_vec()));
}
