//! AMR: how long it lasts (RFC 4867, section 5).

use crate::{PrepareError, boxes};

/// Bytes behind the first one of a frame, by its type: narrow band, then wide band. Where there
/// is none the type is reserved.
const NARROW: [Option<usize>; 16] = frames(&[12, 13, 15, 17, 19, 20, 26, 31, 5]);
const WIDE: [Option<usize>; 16] = frames(&[17, 23, 32, 36, 40, 46, 50, 58, 60, 5]);
/// Each frame holds 20 ms.
const FRAMES_PER_SECOND: u32 = 50;

const fn frames(sizes: &[usize]) -> [Option<usize>; 16] {
    let mut all = [None; 16];
    let mut at = 0;
    while at < sizes.len() {
        all[at] = Some(sizes[at]);
        at += 1;
    }
    // Lost speech, and nothing to say: no bytes.
    all[14] = Some(0);
    all[15] = Some(0);
    all
}

/// The length of a file with one channel.
pub(crate) fn duration(file: &[u8]) -> Result<Option<u32>, PrepareError> {
    let (mut rest, sizes) = if let Some(rest) = file.strip_prefix(b"#!AMR-WB\n") {
        (rest, &WIDE)
    } else {
        (file.strip_prefix(b"#!AMR\n").unwrap_or_default(), &NARROW)
    };
    let mut frames: u64 = 0;
    while let Some((first, behind)) = rest.split_first() {
        let size = sizes[usize::from(first >> 3) & 0x0f]
            .ok_or(PrepareError::broken("a frame in it is of no known kind"))?;
        let Some(next) = behind.get(size..) else {
            break;
        };
        rest = next;
        frames += 1;
    }
    boxes::seconds(frames, FRAMES_PER_SECOND)
        .map(Some)
        .ok_or(PrepareError::broken("there is no sound in it"))
}
