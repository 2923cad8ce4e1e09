//! The same calls to wacore's in-memory backend and to ours give the same answers.

mod calls;
mod steps;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wacore::store::in_memory::InMemoryBackend;
use wacore::store::traits::Backend;

use self::calls::{apply, debug, index_mac, name, phone};
use self::steps::{Step, step};
use super::device::{full_device, shown};
use super::support::World;

const CASES: u32 = 24;
const MAX_STEPS: usize = 60;

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
}

/// All that can be read back, by every way of reading.
async fn contents(backend: &dyn Backend) -> Vec<String> {
    let mut seen = Vec::new();
    for key in 0..4_u8 {
        let id = key.to_string();
        let (group, session) = (name("g", key), name("s", key));
        let macs: BTreeMap<_, _> = backend
            .get_mutation_macs(&name("v", key), &[index_mac(0), index_mac(1), index_mac(3)])
            .await
            .unwrap()
            .into_iter()
            .collect();
        seen.push(debug((
            backend.load_identity(&name("i", key)).await.unwrap(),
            backend.get_session(&session).await.unwrap(),
            backend.has_session(&session).await.unwrap(),
            backend
                .has_signal_state_for_user(&format!("s{key}"))
                .await
                .unwrap(),
            backend
                .has_signal_state_for_user(&format!("i{key}"))
                .await
                .unwrap(),
            backend.load_prekey(u32::from(key) * 300).await.unwrap(),
            backend.load_signed_prekey(key.into()).await.unwrap(),
            backend.get_sender_key(&name("k", key)).await.unwrap(),
        )));
        let version = backend.get_version(&name("v", key)).await.unwrap();
        seen.push(debug((
            backend.get_sync_key(&[key]).await.unwrap(),
            version.version,
            macs,
            backend
                .get_mutation_mac(&name("v", key), &index_mac(2))
                .await
                .unwrap(),
        )));
        seen.push(debug((
            sorted(backend.get_sender_key_devices(&group).await.unwrap()),
            backend.get_lid_mapping(&format!("l{key}")).await.unwrap(),
            backend.get_pn_mapping(&phone(key, false)).await.unwrap(),
            backend.get_pn_mapping(&phone(key, true)).await.unwrap(),
            backend
                .has_same_base_key(&session, "m", &[7])
                .await
                .unwrap(),
            backend.get_devices(&format!("u{key}")).await.unwrap(),
            backend.get_group_metadata(&group).await.unwrap(),
            backend.get_tc_token(&name("t", key)).await.unwrap(),
        )));
        seen.push(debug((
            backend.get_pending_inbound("c", "s", &id).await.unwrap(),
            backend.get_msg_secret_with_ts("c", "s", &id).await.unwrap(),
        )));
    }
    let mappings = backend.get_all_lid_mappings().await.unwrap();
    let device = backend.load().await.unwrap();
    seen.push(debug((
        backend
            .load_prekeys_batch(&[900, 600, 1, 300, 900])
            .await
            .unwrap(),
        backend.get_max_prekey_id().await.unwrap(),
        sorted(backend.load_all_signed_prekeys().await.unwrap()),
        backend.get_latest_sync_key_id().await.unwrap(),
        sorted(mappings.iter().map(debug).collect()),
        sorted(backend.get_all_tc_token_jids().await.unwrap()),
        backend.exists().await.unwrap(),
        device.as_ref().map(shown),
    )));
    seen
}

async fn run(world: &World, steps: &[Step]) -> Result<(), TestCaseError> {
    let (_, ours) = world.another().await;
    let theirs = InMemoryBackend::new();
    for (index, step) in steps.iter().enumerate() {
        if let Step::SaveDevice(is_full) = step {
            let mut device = full_device();
            device.lid_migrated = *is_full;
            for backend in [&ours as &dyn Backend, &theirs] {
                backend.save(&device).await.unwrap();
            }
        }
        let at = i64::try_from(index).unwrap() * 10;
        let (ours, theirs) = (apply(&ours, step, at).await, apply(&theirs, step, at).await);
        prop_assert_eq!(ours, theirs, "step {}: {:?}", index, step);
    }
    prop_assert_eq!(contents(&ours).await, contents(&theirs).await);
    Ok(())
}

#[test]
fn our_backend_and_the_one_in_memory_agree() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&proptest::collection::vec(step(), 1..MAX_STEPS), |steps| {
            runtime.block_on(run(&world, &steps))
        })
        .unwrap();
    drop(world);
}
