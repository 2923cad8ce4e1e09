//! What the outbox holds of a message.

use serde::{Deserialize, Serialize};
use wagate_model::{SendRequest, SendTask};

/// A message to send, with what was decided when it was accepted.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) task: SendTask,
    /// What votes in a poll are encrypted with; every attempt sends the same.
    #[serde(default, with = "hex::serde", skip_serializing_if = "is_zero")]
    pub(crate) secret: [u8; 32],
}

fn is_zero(secret: &[u8; 32]) -> bool {
    *secret == [0; 32]
}

impl Order {
    /// The order of a task that has just been accepted.
    pub(crate) fn new(task: SendTask) -> Self {
        let has_votes = task
            .request()
            .is_some_and(|request| request.poll().is_some());
        let secret = if has_votes { rand::random() } else { [0; 32] };
        Self { task, secret }
    }

    /// An order as it was stored; earlier versions stored the request alone.
    pub(crate) fn read(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok().or_else(|| {
            let request: SendRequest = serde_json::from_slice(stored).ok()?;
            Some(Self::new(SendTask::Send(request)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written_in_both_forms() {
        let poll = r#"{"to":"15551234567","type":"poll","name":"q","options":["a","b"]}"#;
        let order = Order::new(SendTask::Send(serde_json::from_str(poll).unwrap()));
        assert_ne!(order.secret, [0; 32]);
        let read = Order::read(&serde_json::to_vec(&order).unwrap()).unwrap();
        assert!(read.task == order.task && read.secret == order.secret);

        let text = br#"{"to":"15551234567","type":"text","text":"hi"}"#;
        let earlier = Order::read(text).unwrap();
        let request = earlier.task.request().unwrap();
        assert_eq!(request.text.as_deref(), Some("hi"));
        assert!(Order::read(b"{}").is_none());
    }
}
