//! The books: what was accepted, delivered and acknowledged between numbers.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::envelope::ApiError;
use super::messages::query_pairs;
use super::router::Control;
use crate::accounting::MessageRecord;
use crate::phone::PhoneError;

/// `GET /sim/v1/accounting`; with `ids=true` lists of ids instead of counts, and what is only
/// counted any more beside them.
pub(crate) async fn list(
    State(control): State<Control>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut is_listing_ids = false;
    for (name, value) in query_pairs(query.as_deref().unwrap_or_default()) {
        match (name.as_str(), value.as_str()) {
            ("ids", "true") => is_listing_ids = true,
            ("ids", "false") => is_listing_ids = false,
            ("ids", _) => return Err(PhoneError::invalid("ids", "expected true or false").into()),
            _ => return Err(PhoneError::invalid(name, "is not a known parameter").into()),
        }
    }
    let books = control.server.accounting();
    let pairs = books.map_pairs(|pair| {
        let messages = &pair.messages;
        let settled = &pair.settled;
        let show = |select: fn(&MessageRecord) -> bool, settled: u64| {
            column(messages, is_listing_ids, select, settled)
        };
        let duplicates = if is_listing_ids {
            show(|record| record.duplicates > 0, 0)
        } else {
            let counts = messages.values().map(|r| u64::from(r.duplicates));
            json!(counts.sum::<u64>() + settled.duplicates)
        };
        let mut row = json!({
            "from": pair.from,
            "to": pair.to,
            "accepted": show(|_| true, settled.accepted),
            "delivered": show(MessageRecord::is_delivered, settled.delivered),
            "acknowledged": show(MessageRecord::is_acknowledged, settled.acknowledged),
            "duplicates": duplicates,
            "pending": show(MessageRecord::is_pending, 0),
            "refused": show(MessageRecord::is_refused, settled.refused),
        });
        if let Some(group) = &pair.group {
            row["group"] = json!(format!("{group}@g.us"));
        }
        if is_listing_ids && settled.accepted > 0 {
            row["settled"] = json!(settled);
        }
        row
    });
    Ok(Json(json!({ "pairs": pairs })))
}

fn column(
    messages: &BTreeMap<String, MessageRecord>,
    is_listing_ids: bool,
    select: fn(&MessageRecord) -> bool,
    settled: u64,
) -> Value {
    let selected = messages.iter().filter(|(_, record)| select(record));
    if is_listing_ids {
        json!(selected.map(|(id, _)| id).collect::<Vec<_>>())
    } else {
        json!(selected.count() as u64 + settled)
    }
}
