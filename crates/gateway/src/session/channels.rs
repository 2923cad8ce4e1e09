//! What was told of channels last: WhatsApp's own news of what was done here is not told again.

use std::collections::HashMap;

use wagate_engine::{ChannelChange, ChannelNews};
use wagate_model::Jid;

/// Channels of which a session remembers what was told.
const MAX_CHANNELS: usize = 1_024;

#[derive(Debug, Clone, Default)]
struct Told {
    is_followed: Option<bool>,
    is_muted: Option<bool>,
    updated: Option<ChannelNews>,
}

/// What was told of each channel last.
#[derive(Debug, Clone, Default)]
pub(crate) struct ToldChannels(HashMap<Jid, Told>);

impl ToldChannels {
    /// Notes a change; whether it says anything new.
    pub(crate) fn note(&mut self, change: &ChannelChange) -> bool {
        if self.0.len() >= MAX_CHANNELS && !self.0.contains_key(&change.channel) {
            // At worst something is told twice.
            self.0.clear();
        }
        let told = self.0.entry(change.channel.clone()).or_default();
        match &change.news {
            ChannelNews::Joined { .. } => told.is_followed.replace(true) != Some(true),
            ChannelNews::Left | ChannelNews::Deleted => {
                // Who follows it again starts unmuted.
                told.is_muted = None;
                told.is_followed.replace(false) != Some(false)
            }
            ChannelNews::Muted(is_muted) => told.is_muted.replace(*is_muted) != Some(*is_muted),
            news @ ChannelNews::Updated { .. } => {
                told.updated.replace(news.clone()).as_ref() != Some(news)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once() {
        let mut told = ToldChannels::default();
        let mut note = |news| {
            let channel = "120363000000000001@newsletter".parse().unwrap();
            told.note(&ChannelChange { channel, news })
        };
        let joined = ChannelNews::Joined { name: None };
        assert!(note(joined.clone()) && !note(joined.clone()));
        assert!(note(ChannelNews::Muted(true)) && !note(ChannelNews::Muted(true)));
        assert!(note(ChannelNews::Muted(false)));
        let updated = |name: &str| ChannelNews::Updated {
            name: Some(name.to_owned()),
            description: None,
            picture: None,
        };
        assert!(note(updated("a")) && !note(updated("a")) && note(updated("b")));
        assert!(note(ChannelNews::Left) && !note(ChannelNews::Left));
        // It is left by being deleted.
        assert!(!note(ChannelNews::Deleted));
        assert!(note(joined));
    }
}
