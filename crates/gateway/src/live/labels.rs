//! Labels: making and changing them, and putting them on chats and messages.

use std::sync::Arc;

use wagate_cluster::{LabelRequest, LiveReply, Refusal};
use wagate_engine::{EngineEvent, LabelChange as EngineChange, LabelNews};
use wagate_model::{Jid, Label, TargetMessage, limits};
use wagate_store::{LabelChange, StoreError};

use super::chats::store_refusal;
use super::{Live, LiveResult};
use crate::inbound::commit_news;

impl Live<'_> {
    pub(super) async fn labels(&self, request: LabelRequest) -> LiveResult {
        match request {
            LabelRequest::Create { name, color } => self.create_label(name, color).await,
            LabelRequest::Update { label, name, color } => {
                self.update_label(label, LabelChange { name, color }).await
            }
            LabelRequest::Delete { label } => self.delete_label(label).await,
            LabelRequest::Chat {
                label,
                chat,
                is_labelled,
            } => self.label_chat(label, chat, is_labelled).await,
            LabelRequest::Message {
                label,
                target,
                is_labelled,
            } => self.label_message(label, target, is_labelled).await,
        }
    }

    async fn create_label(&self, name: String, color: Option<i64>) -> LiveResult {
        // An id that another device has taken meanwhile would be given another name.
        self.done(self.connection.catch_up_labels().await)?;
        let labels = self.stored_labels().await?;
        if labels.len() >= limits::LABELS {
            return Err(Refusal::TooManyLabels);
        }
        check_name(&labels, None, &name)?;
        let color = color.unwrap_or_else(|| unused_color(&labels));
        let now_ms = self.cx.now_ms();
        // Two that are made at the same time have two ids.
        let id = self
            .session
            .commit::<_, StoreError, _>(&self.cx.store, move |owned| {
                Box::pin(async move { owned.reserve_label(now_ms).await })
            })
            .await
            .map_err(|error| store_refusal(&error))?;
        self.put_label(Label { color, id, name }).await
    }

    async fn update_label(&self, id: String, change: LabelChange) -> LiveResult {
        let labels = self.stored_labels().await?;
        let stored = labels.iter().find(|label| label.id == id);
        let stored = stored.ok_or(Refusal::Missing)?.clone();
        if let Some(name) = &change.name {
            check_name(&labels, Some(&id), name)?;
        }
        let wanted = Label {
            color: change.color.unwrap_or(stored.color),
            name: change.name.unwrap_or_else(|| stored.name.clone()),
            id,
        };
        if wanted == stored {
            return Ok(LiveReply::Label(stored));
        }
        self.put_label(wanted).await
    }

    async fn put_label(&self, label: Label) -> LiveResult {
        self.done(self.connection.put_label(&label).await)?;
        let news = LabelNews::Put(label.clone());
        self.note_label(label.id.clone(), news).await?;
        Ok(LiveReply::Label(label))
    }

    async fn delete_label(&self, id: String) -> LiveResult {
        self.require_label(&id).await?;
        self.done(self.connection.delete_label(&id).await)?;
        self.note_label(id, LabelNews::Deleted).await
    }

    async fn label_chat(&self, id: String, chat: Jid, is_labelled: bool) -> LiveResult {
        self.require_label(&id).await?;
        let told = self.connection.label_chat(&id, &chat, is_labelled);
        self.done(told.await)?;
        self.note_label(id, LabelNews::Chat { chat, is_labelled })
            .await
    }

    async fn label_message(
        &self,
        id: String,
        target: TargetMessage,
        is_labelled: bool,
    ) -> LiveResult {
        self.require_label(&id).await?;
        let found = self.stored_message(target).await?;
        let (chat, message) = (found.chat, found.message.id);
        let told = self
            .connection
            .label_message(&id, &chat, &message, is_labelled);
        self.done(told.await)?;
        let news = LabelNews::Message {
            chat,
            id: message,
            is_labelled,
        };
        self.note_label(id, news).await
    }

    /// Stores and tells what WhatsApp has taken, unless its own news of it came first.
    async fn note_label(&self, label: String, news: LabelNews) -> LiveResult {
        let change = EngineChange {
            label,
            news,
            is_initial: false,
        };
        let events = Arc::new(vec![EngineEvent::Label(change)]);
        commit_news(self.cx, self.session, events)
            .await
            .map_err(|error| store_refusal(&error))?;
        Ok(LiveReply::Done)
    }

    async fn require_label(&self, id: &str) -> Result<(), Refusal> {
        let labels = self.stored_labels().await?;
        let is_there = labels.iter().any(|label| label.id == id);
        if is_there {
            Ok(())
        } else {
            Err(Refusal::Missing)
        }
    }

    async fn stored_labels(&self) -> Result<Vec<Label>, Refusal> {
        let (organization, session) = (self.session.organization, self.session.id());
        let refused = |error: StoreError| store_refusal(&error);
        let mut tx = self.cx.store.read().await.map_err(refused)?;
        tx.labels(organization, session).await.map_err(refused)
    }
}

/// The first colour that no label has, or else the first.
fn unused_color(labels: &[Label]) -> i64 {
    let is_unused = |color: &i64| labels.iter().all(|label| label.color != *color);
    (0..limits::LABEL_COLORS).find(is_unused).unwrap_or(0)
}

/// Official clients tell labels apart by their names.
fn check_name(labels: &[Label], own: Option<&str>, name: &str) -> Result<(), Refusal> {
    let mut others = labels.iter().filter(|label| Some(label.id.as_str()) != own);
    if others.any(|label| label.name == name) {
        return Err(Refusal::Invalid {
            field: "name".to_owned(),
            message: "is the name of another label".to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(id: &str, color: i64) -> Label {
        Label {
            color,
            id: id.into(),
            name: id.into(),
        }
    }

    #[test]
    fn the_first_colour_that_is_free_is_taken() {
        assert_eq!(unused_color(&[]), 0);
        assert_eq!(unused_color(&[label("1", 0), label("2", 2)]), 1);
        let all: Vec<_> = (0..limits::LABEL_COLORS).map(|c| label("x", c)).collect();
        assert_eq!(unused_color(&all), 0);
    }

    #[test]
    fn a_label_may_keep_its_name() {
        let labels = [label("1", 0), label("2", 1)];
        assert!(check_name(&labels, Some("1"), "1").is_ok());
        assert!(check_name(&labels, Some("1"), "2").is_err());
        assert!(check_name(&labels, None, "1").is_err());
        assert!(check_name(&labels, None, "3").is_ok());
    }
}
