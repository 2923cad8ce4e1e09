//! What a phone's user keeps on all devices of the account: stars, labels and the like.

use serde::Serialize;
use serde_json::Value;

use crate::phone::actor::Command;
use crate::phone::error::PhoneError;
use crate::phone::handle::Phone;

/// A change of what the account keeps.
#[derive(Clone, PartialEq, Eq)]
pub enum KeptChange {
    /// A message of the log is starred or not.
    Star {
        /// Its id.
        id: String,
        /// Whether it has the star.
        is_starred: bool,
    },
    /// A message of the log is deleted for the account alone; the log keeps it.
    DeleteForMe {
        /// Its id.
        id: String,
        /// Whether its file goes too.
        with_media: bool,
    },
    /// Somebody's stories are muted or not.
    MuteStatus {
        /// A number, or a JID.
        person: String,
        /// Whether they are muted.
        is_muted: bool,
    },
    /// A label is made or changed.
    PutLabel {
        /// Its id.
        label: String,
        /// Its name.
        name: String,
        /// The number of its colour.
        color: i32,
    },
    /// A label is deleted.
    DeleteLabel {
        /// Its id.
        label: String,
    },
    /// A label is put on a chat or taken off.
    LabelChat {
        /// The label's id.
        label: String,
        /// A number, or a JID.
        chat: String,
        /// Whether the chat has it.
        is_labelled: bool,
    },
    /// A label is put on a message of the log or taken off.
    LabelMessage {
        /// The label's id.
        label: String,
        /// The message's id.
        id: String,
        /// Whether the message has it.
        is_labelled: bool,
    },
}

impl std::fmt::Debug for KeptChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptChange").finish_non_exhaustive()
    }
}

/// One thing that the account keeps, as its application state has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptEntry {
    /// The collection that it is in.
    pub collection: &'static str,
    /// What it is about: its kind, then the parts that name it.
    pub index: Vec<String>,
    /// What is kept, as far as the simulator knows its kind.
    pub value: Value,
    /// When it was changed, in milliseconds since the Unix epoch.
    pub timestamp: i64,
}

/// A label, as the account keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptLabel {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The number of its colour.
    pub color: i64,
    /// The chats that have it.
    pub chats: Vec<String>,
    /// The ids of the messages that have it.
    pub messages: Vec<String>,
}

impl Phone {
    /// Changes what the account keeps; resolves when the server has taken it.
    pub async fn keep(&self, change: KeptChange) -> Result<(), PhoneError> {
        self.ask(|reply| Command::Keep { change, reply }).await?
    }

    /// All that the account keeps, from whichever device it comes.
    pub async fn kept(&self) -> Result<Vec<KeptEntry>, PhoneError> {
        self.ask(|reply| Command::Kept { reply }).await?
    }

    /// The account's labels, in the order of their ids.
    pub async fn labels(&self) -> Result<Vec<KeptLabel>, PhoneError> {
        Ok(labels_in(&self.kept().await?))
    }
}

fn labels_in(entries: &[KeptEntry]) -> Vec<KeptLabel> {
    let mut labels: Vec<KeptLabel> = entries.iter().filter_map(label_of).collect();
    labels.sort_by(|a, b| (a.id.len(), &a.id).cmp(&(b.id.len(), &b.id)));
    for entry in entries {
        if entry.value["labeled"] != true {
            continue;
        }
        match entry.index.as_slice() {
            [kind, label, chat] if kind == "label_jid" => {
                if let Some(label) = labels.iter_mut().find(|known| known.id == *label) {
                    label.chats.push(chat.clone());
                }
            }
            [kind, label, _, message, ..] if kind == "label_message" => {
                if let Some(label) = labels.iter_mut().find(|known| known.id == *label) {
                    label.messages.push(message.clone());
                }
            }
            _ => {}
        }
    }
    labels
}

fn label_of(entry: &KeptEntry) -> Option<KeptLabel> {
    let [kind, id] = entry.index.as_slice() else {
        return None;
    };
    if kind != "label_edit" || entry.value["deleted"] == true {
        return None;
    }
    Some(KeptLabel {
        id: id.clone(),
        name: entry.value["name"].as_str().unwrap_or_default().to_owned(),
        color: entry.value["color"].as_i64().unwrap_or(0),
        chats: Vec::new(),
        messages: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(index: &[&str], value: Value) -> KeptEntry {
        KeptEntry {
            collection: "regular",
            index: index.iter().map(|part| (*part).to_owned()).collect(),
            value,
            timestamp: 1,
        }
    }

    #[test]
    fn labels_are_shown_with_what_has_them() {
        let labels = labels_in(&[
            entry(&["label_edit", "10"], json!({ "name": "b", "color": 2 })),
            entry(&["label_edit", "2"], json!({ "name": "a", "color": 1 })),
            entry(&["label_edit", "3"], json!({ "deleted": true })),
            entry(&["label_jid", "2", "1@lid"], json!({ "labeled": true })),
            entry(&["label_jid", "10", "1@lid"], json!({ "labeled": false })),
            entry(
                &["label_message", "10", "1@lid", "M", "0", "0"],
                json!({ "labeled": true }),
            ),
            entry(&["label_jid", "3", "1@lid"], json!({ "labeled": true })),
        ]);
        let ids: Vec<_> = labels.iter().map(|label| label.id.as_str()).collect();
        assert_eq!(ids, ["2", "10"]);
        assert_eq!(labels[0].chats, ["1@lid"]);
        assert!(labels[1].chats.is_empty());
        assert_eq!(labels[1].messages, ["M"]);
    }
}
