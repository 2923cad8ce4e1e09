//! What WhatsApp forbids an account for a while, as a request asks for it.

use super::body::Body;
use crate::server::Restriction;

/// Milliseconds in one of the server's seconds.
const MS_PER_S: i64 = 1_000;

/// Reads how an account is to be restricted; an empty body lifts everything.
pub(super) fn read(body: &mut Body) -> Restriction {
    let seconds = |at_ms: i64| at_ms.div_euclid(MS_PER_S);
    Restriction {
        reachout_until_s: body.integer("reachoutUntil").map(seconds),
        enforcement_type: body.string("enforcementType"),
        is_capped: body.boolean("capped").unwrap_or_default(),
        total_quota: body.integer("totalQuota"),
        used_quota: body.integer("usedQuota"),
        cycle_ends_at_s: body.integer("cycleEndsAt").map(seconds),
    }
}
