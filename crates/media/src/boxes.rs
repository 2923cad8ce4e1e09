//! The boxes of MP4, 3GPP and QuickTime files (ISO/IEC 14496-12): how long and how large.
//!
//! Each byte is looked at a fixed number of times: boxes are walked along one path down, never
//! followed by offsets.

use crate::PrepareError;

/// More tracks than any film has.
const MAX_TRACKS: usize = 64;

/// What a file says of itself.
#[derive(Debug, Default)]
pub(crate) struct Movie {
    /// Of the whole; unknown for some files that are written in fragments.
    pub(crate) duration_seconds: Option<u32>,
    /// In the file's order.
    pub(crate) tracks: Vec<Track>,
}

/// A track of pictures, sound or something else.
#[derive(Debug, Default)]
pub(crate) struct Track {
    /// `vide`, `soun` or something else.
    pub(crate) handler: [u8; 4],
    /// In pixels, as it is shown.
    pub(crate) width: u32,
    /// In pixels, as it is shown.
    pub(crate) height: u32,
}

impl Movie {
    /// The first track of a kind.
    pub(crate) fn track(&self, handler: [u8; 4]) -> Option<&Track> {
        self.tracks.iter().find(|track| track.handler == handler)
    }
}

/// Reads what the file says of itself.
pub(crate) fn read(file: &[u8]) -> Result<Movie, PrepareError> {
    let mut movie = None;
    for piece in Boxes(file) {
        let (name, content) = piece?;
        if &name == b"moov" && movie.is_none() {
            movie = Some(read_movie(content)?);
        }
    }
    movie.ok_or(PrepareError::broken("it does not say what is in it"))
}

fn read_movie(content: &[u8]) -> Result<Movie, PrepareError> {
    let mut movie = Movie::default();
    let (mut scale, mut length, mut in_fragments) = (0, 0, 0);
    for piece in Boxes(content) {
        let (name, content) = piece?;
        match &name {
            b"mvhd" => (scale, length) = header(content).unwrap_or_default(),
            b"mvex" => in_fragments = fragments(content)?,
            b"trak" if movie.tracks.len() < MAX_TRACKS => movie.tracks.push(read_track(content)?),
            _ => {}
        }
    }
    let length = if length == 0 { in_fragments } else { length };
    if length > 0 {
        movie.duration_seconds = seconds(length, scale);
    }
    Ok(movie)
}

fn read_track(content: &[u8]) -> Result<Track, PrepareError> {
    let mut track = Track::default();
    let mut is_sideways = false;
    for piece in Boxes(content) {
        let (name, content) = piece?;
        match &name {
            b"tkhd" => {
                if let Some((width, height, turned)) = shown(content) {
                    (track.width, track.height) = (width, height);
                    is_sideways = turned;
                }
            }
            b"mdia" => read_media(content, &mut track)?,
            _ => {}
        }
    }
    if is_sideways {
        (track.width, track.height) = (track.height, track.width);
    }
    Ok(track)
}

fn read_media(content: &[u8], track: &mut Track) -> Result<(), PrepareError> {
    for piece in Boxes(content) {
        let (name, content) = piece?;
        match &name {
            b"hdlr" => track.handler = array(content, 8).unwrap_or_default(),
            // Where the track's header has no size, the description of its pictures has.
            b"minf" if &track.handler == b"vide" && (track.width == 0 || track.height == 0) => {
                (track.width, track.height) = described(content)?.unwrap_or_default();
            }
            _ => {}
        }
    }
    Ok(())
}

/// `minf` / `stbl` / `stsd`: the size in the first description of samples.
fn described(content: &[u8]) -> Result<Option<(u32, u32)>, PrepareError> {
    let Some(table) = child(content, *b"stbl")? else {
        return Ok(None);
    };
    let Some(descriptions) = child(table, *b"stsd")? else {
        return Ok(None);
    };
    // Version and count, then the entry's header and 24 bytes that say nothing of its size.
    let width = array(descriptions, 8 + 8 + 24).map(u16::from_be_bytes);
    let height = array(descriptions, 8 + 8 + 26).map(u16::from_be_bytes);
    Ok(width
        .zip(height)
        .map(|(width, height)| (width.into(), height.into())))
}

/// `mvhd`: units per second, and the length in these units.
fn header(content: &[u8]) -> Option<(u32, u64)> {
    if content.first()? == &1 {
        let scale = u32::from_be_bytes(array(content, 20)?);
        Some((scale, u64::from_be_bytes(array(content, 24)?)))
    } else {
        let scale = u32::from_be_bytes(array(content, 12)?);
        Some((scale, u32::from_be_bytes(array(content, 16)?).into()))
    }
}

/// `mehd`: the length of a file that is written in fragments.
fn fragments(content: &[u8]) -> Result<u64, PrepareError> {
    let Some(content) = child(content, *b"mehd")? else {
        return Ok(0);
    };
    let length = if content.first() == Some(&1) {
        array(content, 4).map(u64::from_be_bytes)
    } else {
        array(content, 4).map(|length| u32::from_be_bytes(length).into())
    };
    Ok(length.unwrap_or_default())
}

/// `tkhd`: width and height, and whether its matrix turns it by a quarter.
fn shown(content: &[u8]) -> Option<(u32, u32, bool)> {
    let matrix = if content.first()? == &1 { 52 } else { 40 };
    let at = |place: usize| array(content, matrix + 4 * place).map(u32::from_be_bytes);
    let is_sideways = at(0)? == 0 && at(4)? == 0 && at(1)? != 0 && at(3)? != 0;
    // Both are fixed-point numbers with 16 bits behind the point.
    Some((at(9)? >> 16, at(10)? >> 16, is_sideways))
}

/// Whole seconds, rounded; what lasts at all lasts one.
pub(crate) fn seconds(units: u64, per_second: u32) -> Option<u32> {
    let per_second = u128::from(per_second);
    if units == 0 || per_second == 0 {
        return None;
    }
    let rounded = (u128::from(units) + per_second / 2) / per_second;
    u32::try_from(rounded.max(1)).ok()
}

fn child(content: &[u8], wanted: [u8; 4]) -> Result<Option<&[u8]>, PrepareError> {
    for piece in Boxes(content) {
        let (name, content) = piece?;
        if name == wanted {
            return Ok(Some(content));
        }
    }
    Ok(None)
}

fn array<const N: usize>(content: &[u8], at: usize) -> Option<[u8; N]> {
    content.get(at..)?.first_chunk().copied()
}

/// The boxes that lie one behind another in some bytes: their names and contents.
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<([u8; 4], &'a [u8]), PrepareError>;

    fn next(&mut self) -> Option<Self::Item> {
        // QuickTime ends some lists with four zero bytes.
        if self.0.len() < 8 {
            return None;
        }
        let item = next_box(self.0);
        match item {
            Ok((name, content, rest)) => {
                self.0 = rest;
                Some(Ok((name, content)))
            }
            Err(error) => {
                self.0 = &[];
                Some(Err(error))
            }
        }
    }
}

type Split<'a> = ([u8; 4], &'a [u8], &'a [u8]);

fn next_box(bytes: &[u8]) -> Result<Split<'_>, PrepareError> {
    const CUT_OFF: PrepareError = PrepareError::broken("it ends too early");
    let size = u32::from_be_bytes(array(bytes, 0).ok_or(CUT_OFF)?);
    let name = array(bytes, 4).ok_or(CUT_OFF)?;
    let (start, end) = match size {
        // To the end.
        0 => (8, bytes.len()),
        1 => {
            let size = u64::from_be_bytes(array(bytes, 8).ok_or(CUT_OFF)?);
            (16, usize::try_from(size).map_err(|_| CUT_OFF)?)
        }
        size => (8, usize::try_from(size).map_err(|_| CUT_OFF)?),
    };
    if end < start {
        return Err(PrepareError::broken(
            "a box in it is smaller than its header",
        ));
    }
    let content = bytes.get(start..end).ok_or(CUT_OFF)?;
    Ok((name, content, &bytes[end..]))
}
