//! Routes of messages' files.

use axum::Json as Reply;
use axum::extract::State;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::MediaFile;

use crate::access::{OfMedia, Read};
use crate::failure::Answer;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![routes!(get_media)]
}

/// Read what is known of a file
///
/// Beyond the contract. The file of a message, by the `id` in the message's `media`.
#[utoipa::path(
    get, path = "/api/v1/media/{media}", operation_id = "getMedia", tag = "Messages",
    params(("media" = String, Path, description = "The file's id.")),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The file.", body = MediaFile, example = json!({
        "id": "med_01J9ZX8K2QHV0M3T6R7P4N5W8C", "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C",
        "waMessageId": "3EB0C767D26A1B5F7C83", "index": 0, "kind": "image",
        "mimetype": "image/jpeg", "size": 48_213, "width": 1280, "height": 720,
        "isVoice": false, "status": "available"
    }))),
)]
async fn get_media(State(core): State<Core>, media: OfMedia<Read>) -> Answer<Reply<MediaFile>> {
    Ok(Reply(core.get_media(media.access)))
}
