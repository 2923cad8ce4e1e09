//! Asking phones for files.

use wagate_cluster::{Refusal, SessionAction};
use wagate_model::MediaId;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_asked_for_files_that_there_are_and_while_it_is_connected() {
    let world = World::new().await;
    let _gateway = world.gateway("gw-1").await;
    let phone = world.phone("Alice").await;
    let session = world.paired("gw-1", &phone).await;
    let media = MediaId::from_parts(1, 1);
    let ask = async |session| {
        let action = SessionAction::AskForMedia { media };
        world.ask("gw-1", session, action).await.unwrap_err()
    };
    assert_eq!(ask(session).await, Refusal::NotFound);
    let stopped = world.store.session(world.organization).await;
    assert_eq!(ask(stopped).await, Refusal::Unavailable);
}
