//! The files of a request.

use super::{SendRequest, SendType};
use crate::send::{AlbumMediaType, MediaPayload};
use crate::validation::limits;
use crate::{Faults, MediaKind};

impl SendRequest {
    pub(super) fn check_file(&self, faults: &mut Faults) {
        let Some(base) = self.kind.media_kind() else {
            return;
        };
        let Some(media) = &self.media else {
            faults.add("media", format!("is required for type {}", base.as_str()));
            return;
        };
        // The file itself may be large: it is looked at where it is.
        let caption = media.caption.as_deref().or(self.caption.as_deref());
        media.check_with("media", base, caption, faults);
    }

    pub(super) fn check_album(&self, faults: &mut Faults) {
        let medias = self.medias.as_deref().unwrap_or_default();
        let is_count = limits::ALBUM_FILES.contains(&medias.len());
        faults.check(is_count, "medias", || "must have 2 to 10 entries".into());
        for (index, item) in medias.iter().enumerate().take(*limits::ALBUM_FILES.end()) {
            item.check(&format!("medias[{index}]"), faults);
        }
        if let Some(caption) = &self.caption {
            faults.check_text("caption", caption, limits::TEXT_CHARS);
        }
    }

    /// Whether it is of a type whose messages have files.
    #[must_use]
    pub const fn has_files(&self) -> bool {
        self.kind.media_kind().is_some() || matches!(self.kind, SendType::Album)
    }

    /// Takes the files out, as (name of the field, kind, file): what is left is the message
    /// without their bytes.
    pub fn take_files(&mut self) -> Vec<(String, MediaKind, MediaPayload)> {
        let caption = self.caption.take();
        if let Some(medias) = self.medias.take() {
            let mut files = Vec::new();
            for (index, item) in medias.into_iter().enumerate() {
                let kind = match item.kind {
                    Some(AlbumMediaType::Video) => MediaKind::Video,
                    Some(AlbumMediaType::Image) | None => MediaKind::Image,
                };
                let mut payload = MediaPayload::from(item);
                // Official clients show an album's text under its first picture.
                payload.caption = caption.clone().filter(|_| index == 0);
                files.push((format!("medias[{index}]"), kind, payload));
            }
            return files;
        }
        let (Some(base), Some(mut media)) = (self.kind.media_kind(), self.media.take()) else {
            return Vec::new();
        };
        media.caption = media.caption.or(caption);
        let kind = media.check("media", base, &mut Faults::new());
        vec![("media".to_owned(), kind, media)]
    }
}
