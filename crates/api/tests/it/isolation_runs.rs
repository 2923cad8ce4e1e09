//! Organizations side by side see what each of them sees alone.
//!
//! Three organizations do random steps over one database, then each of them does its own steps
//! again with nobody else there. Whatever one is told must be the same both times.

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::actors::{Actor, Ids};
use crate::harness::Service;
use crate::outbox_gateway::OutboxGateway;
use crate::steps::{Step, step};

const NAMES: [&str; 3] = ["alder", "birch", "cedar"];

/// Steps of a run: who, and what.
type Run = Vec<(usize, Step)>;

async fn service() -> Service {
    let service = Service::start().await;
    let store = service.store.handle();
    service.gateway.hand_over(Arc::new(OutboxGateway { store }));
    service
}

/// Lets the other process hear what was told on the bus.
async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

/// What each organization of a run is told, with those who take part.
async fn views(run: &Run, who: &[usize], processes: usize) -> Vec<Vec<String>> {
    let mut service = service().await;
    let mut routers = vec![service.router.clone()];
    for _ in 1..processes {
        routers.push(service.another_process().await);
    }
    settle().await;
    let mut actors = Vec::new();
    for &index in who {
        actors.push(Actor::new(&service, NAMES[index]).await);
    }
    for (number, (index, step)) in run.iter().enumerate() {
        // Two things never happen at the same time: their order is by their ids.
        service.store.clock.advance_ms(1);
        let Some(place) = who.iter().position(|own| own == index) else {
            continue;
        };
        let others = actors
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != place);
        let others: Ids = others.flat_map(|(_, actor)| actor.ids()).collect();
        service.router = routers[number % routers.len()].clone();
        actors[place].act(&service, step, &others).await;
        settle().await;
    }
    actors.into_iter().map(|actor| actor.views).collect()
}

async fn compare(run: &Run, processes: usize) -> Result<(), TestCaseError> {
    let together = views(run, &[0, 1, 2], processes).await;
    for (index, together) in together.iter().enumerate() {
        let alone = &views(run, &[index], 1).await[0];
        for (step, (together, alone)) in together.iter().zip(alone).enumerate() {
            prop_assert!(
                together == alone,
                "answer {step} of {} is, among others:\n  {together}\nand alone:\n  {alone}",
                NAMES[index]
            );
        }
        prop_assert_eq!(together.len(), alone.len());
    }
    Ok(())
}

/// Runs of random steps, from a seed that can be given again (`ISOLATION_SEED`, in hex).
fn check(cases: u32, length: usize, processes: usize) {
    let mut seed: [u8; 32] = [0; 32];
    match std::env::var("ISOLATION_SEED") {
        Ok(text) => {
            for (byte, digits) in seed.iter_mut().zip(text.as_bytes().chunks(2)) {
                let digits = std::str::from_utf8(digits).unwrap();
                *byte = u8::from_str_radix(digits, 16).unwrap();
            }
        }
        Err(_) => wagate_identity::Randomness::fill(&wagate_identity::SystemRandomness, &mut seed),
    }
    let shown = seed.iter().fold(String::new(), |mut shown, byte| {
        write!(shown, "{byte:02x}").unwrap();
        shown
    });
    let config = Config {
        cases,
        failure_persistence: None,
        // A run takes about a second.
        max_shrink_iters: 200,
        max_shrink_time: 90_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let steps = proptest::collection::vec((0..NAMES.len(), step()), 1..length);
    let outcome = runner.run(&steps, |run| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(compare(&run, processes))
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, run)) => {
            let mut steps = String::new();
            for (who, step) in run {
                writeln!(steps, "  {}: {step:?}", NAMES[who]).unwrap();
            }
            panic!("ISOLATION_SEED={shown}\n{why}\nsteps:\n{steps}")
        }
        Err(error) => panic!("ISOLATION_SEED={shown}\n{error}"),
    }
}

#[test]
fn nobody_notices_the_others() {
    check(4, 240, 1);
}

#[test]
fn nobody_notices_the_others_in_another_process() {
    check(2, 240, 2);
}
