//! Receipts.

use wagate_model::MessageStatus;
use whatsapp_rust::types::events::Receipt as LibraryReceipt;
use whatsapp_rust::types::presence::ReceiptType;

use super::identity::{Own, alias, model_jid};
use super::text::message_id;
use crate::Receipt;

/// What a receipt says about messages; none for receipts between clients.
pub(crate) fn receipt(receipt: &LibraryReceipt, own: &Own) -> Option<Receipt> {
    let (status, is_self) = match &receipt.r#type {
        ReceiptType::Sent => (MessageStatus::Sent, false),
        ReceiptType::Delivered => (MessageStatus::Delivered, false),
        ReceiptType::Read => (MessageStatus::Read, false),
        ReceiptType::Played => (MessageStatus::Played, false),
        ReceiptType::ReadSelf => (MessageStatus::Read, true),
        ReceiptType::PlayedSelf => (MessageStatus::Played, true),
        _ => return None,
    };
    let source = &receipt.source;
    let chat = model_jid(&source.chat)?;
    let sender = model_jid(&source.sender)?;
    let is_own = is_self || source.is_from_me || own.is(&sender);
    // That this number's other devices received a message says nothing.
    if is_own && !matches!(status, MessageStatus::Read | MessageStatus::Played) {
        return None;
    }
    let ids = receipt.message_ids.iter();
    let message_ids: Vec<_> = ids.filter_map(|id| message_id(Some(id))).collect();
    if message_ids.is_empty() {
        return None;
    }
    Some(Receipt {
        chat,
        sender_alias: alias(&sender, source.sender_alt.as_ref().and_then(model_jid)),
        sender,
        message_ids,
        status,
        is_own,
        timestamp_ms: receipt.timestamp.timestamp_millis(),
        is_offline: receipt.offline,
    })
}
