//! Faults of the media host.

use super::{FaultKind, FaultSpec, Faults};

/// What happens to a request to the media host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaFate {
    Pass,
    /// Waits so many milliseconds, or until the fault with this number is deleted.
    Slow(u64, u64),
    Refuse(u16),
}

impl Faults {
    /// An upload or its resume check, by this number.
    pub(crate) fn upload(&self, number: &str, kind: &str) -> MediaFate {
        self.media(FaultKind::RefuseUpload, 500, number, kind)
    }

    /// A download by this number; one that does not say who it is counts as the uploader's.
    pub(crate) fn download(&self, number: &str, kind: &str) -> MediaFate {
        self.media(FaultKind::MediaGone, 410, number, kind)
    }

    fn media(&self, refusing: FaultKind, code: u16, number: &str, kind: &str) -> MediaFate {
        let is_meant = |spec: &FaultSpec| {
            (spec.kind == refusing || spec.kind == FaultKind::SlowMedia)
                && spec.is_for(number, Some(kind))
        };
        match self.strike_numbered(is_meant) {
            Some((_, spec)) if spec.kind == refusing => {
                MediaFate::Refuse(spec.code.unwrap_or(code))
            }
            Some((number, spec)) => MediaFate::Slow(spec.delay_ms.unwrap_or_default(), number),
            None => MediaFate::Pass,
        }
    }

    /// Waits until somebody deletes a fault; one that is used up is not deleted by that.
    pub(crate) async fn deleted(&self, number: u64) {
        let mut deleted = self.deleted.subscribe();
        // The sender lives as long as `self`.
        let _ = deleted.wait_for(|numbers| numbers.contains(&number)).await;
    }
}
