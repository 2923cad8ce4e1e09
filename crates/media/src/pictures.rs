//! Pictures: decoding within bounds, thumbnails, JPEG.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use crate::{Kind, PrepareError, Prepared, sniff};

/// More pixels than any camera of a phone takes.
const MAX_PIXELS: u64 = 108_000_000;
const MAX_SIDE: u32 = 32_768;
/// What decoding a picture and working with it may take, the picture itself included.
const MAX_WORK_BYTES: u64 = 448 * 1024 * 1024;
/// With transparency, in whichever form: as it is decoded, as RGBA, and without it.
const WORK_BYTES_PER_PIXEL: u64 = 9;
/// The largest picture of which only a small one is wanted.
const MAX_THUMBNAIL_SOURCE_PIXELS: u64 = 16_000_000;
/// The longest side of the thumbnail that goes along in a message.
const THUMBNAIL_SIDE: u32 = 72;
const THUMBNAIL_QUALITY: u8 = 60;
const JPEG_QUALITY: u8 = 88;
/// The side of an account's picture, as official clients make it.
const PROFILE_SIDE: u32 = 640;

/// A picture as accounts show theirs: its middle as a square of 640 pixels, as JPEG.
///
/// # Errors
///
/// A file that is empty, no picture, broken, or too large once unpacked.
pub fn square_picture(file: &[u8]) -> Result<Vec<u8>, PrepareError> {
    if file.is_empty() {
        return Err(PrepareError::Empty);
    }
    let make = || {
        let picture = decode(file, format_of(Kind::Image, file)?)?;
        let square = picture.resize_to_fill(PROFILE_SIDE, PROFILE_SIDE, FilterType::Triangle);
        jpeg(&opaque(square), JPEG_QUALITY)
    };
    catch_unwind(AssertUnwindSafe(make)).unwrap_or(Err(PrepareError::broken("its decoder gave up")))
}

/// A small JPEG of a picture, whose longest side has so many pixels at most.
///
/// # Errors
///
/// A file that is empty, no picture, broken, or too large once unpacked.
pub fn thumbnail_of(file: &[u8], side: u32) -> Result<Vec<u8>, PrepareError> {
    if file.is_empty() {
        return Err(PrepareError::Empty);
    }
    let make = || {
        let source = Source::open(file, format_of(Kind::Image, file)?)?;
        if source.pixels() > MAX_THUMBNAIL_SOURCE_PIXELS {
            return Err(too_many_pixels(MAX_THUMBNAIL_SOURCE_PIXELS));
        }
        thumbnail(&source.decode()?, side)
    };
    catch_unwind(AssertUnwindSafe(make)).unwrap_or(Err(PrepareError::broken("its decoder gave up")))
}

/// JPEG stays as it is; what else can be decoded becomes JPEG, as official clients send it.
///
/// A JPEG that takes too much to decode goes out without a thumbnail.
pub(crate) fn prepare(file: &[u8]) -> Result<Prepared, PrepareError> {
    let format = format_of(Kind::Image, file)?;
    let mut source = Source::open(file, format)?;
    if format == ImageFormat::Jpeg && !source.fits() {
        let (width, height) = source.shown_dimensions();
        return Ok(Prepared {
            mime: "image/jpeg".to_owned(),
            width: Some(width),
            height: Some(height),
            ..Prepared::default()
        });
    }
    let picture = source.decode()?;
    let (width, height) = (picture.width(), picture.height());
    let thumbnail = thumbnail(&picture, THUMBNAIL_SIDE)?;
    let converted = match format {
        ImageFormat::Jpeg => None,
        _ => Some(jpeg(&opaque(picture), JPEG_QUALITY)?),
    };
    Ok(Prepared {
        converted,
        mime: "image/jpeg".to_owned(),
        width: Some(width),
        height: Some(height),
        thumbnail: Some(thumbnail),
        ..Prepared::default()
    })
}

/// The format of a picture, where it is one that can be decoded.
pub(crate) fn format_of(expected: Kind, file: &[u8]) -> Result<ImageFormat, PrepareError> {
    match sniff(file) {
        Some("image/jpeg") => Ok(ImageFormat::Jpeg),
        Some("image/png") => Ok(ImageFormat::Png),
        Some("image/webp") => Ok(ImageFormat::WebP),
        Some("image/gif") => Ok(ImageFormat::Gif),
        Some("image/bmp") => Ok(ImageFormat::Bmp),
        other => Err(PrepareError::other(expected, other, &["image"])),
    }
}

/// The picture, turned as its EXIF data say; of an animation, the first frame.
pub(crate) fn decode(file: &[u8], format: ImageFormat) -> Result<DynamicImage, PrepareError> {
    Source::open(file, format)?.decode()
}

/// A picture whose head has been read.
struct Source<'f> {
    decoder: Box<dyn ImageDecoder + 'f>,
    format: ImageFormat,
    limits: Limits,
}

impl<'f> Source<'f> {
    fn open(file: &'f [u8], format: ImageFormat) -> Result<Self, PrepareError> {
        let mut limits = Limits::default();
        limits.max_image_width = Some(MAX_SIDE);
        limits.max_image_height = Some(MAX_SIDE);
        limits.max_alloc = Some(MAX_WORK_BYTES);
        let mut reader = ImageReader::with_format(Cursor::new(file), format);
        reader.limits(limits.clone());
        let decoder = reader.into_decoder().map_err(|error| refusal(&error))?;
        let source = Self {
            decoder: Box::new(decoder),
            format,
            limits,
        };
        match source.pixels() {
            0 => Err(PrepareError::broken("it has no pixels")),
            pixels if pixels > MAX_PIXELS => Err(too_many_pixels(MAX_PIXELS)),
            _ => Ok(source),
        }
    }

    fn pixels(&self) -> u64 {
        let (width, height) = self.decoder.dimensions();
        u64::from(width) * u64::from(height)
    }

    /// What decoding it and working with it takes at most.
    ///
    /// The decoders' own limits hold for some of their memory only: that of JPEG keeps all
    /// coefficients of a progressive picture, two bytes each, that of WebP the frames.
    fn work_bytes(&self) -> u64 {
        let copies = match self.format {
            ImageFormat::Jpeg | ImageFormat::WebP => 3,
            // The picture, and the same turned.
            _ => 2,
        };
        let decoded = self.decoder.total_bytes().saturating_mul(copies);
        decoded.max(self.pixels() * WORK_BYTES_PER_PIXEL)
    }

    fn fits(&self) -> bool {
        self.work_bytes() <= MAX_WORK_BYTES
    }

    /// Width and height as it is shown.
    fn shown_dimensions(&mut self) -> (u32, u32) {
        let (width, height) = self.decoder.dimensions();
        match self.decoder.orientation() {
            Ok(
                Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH,
            ) => (height, width),
            _ => (width, height),
        }
    }

    fn decode(mut self) -> Result<DynamicImage, PrepareError> {
        if !self.fits() {
            let per_pixel = self.work_bytes().div_ceil(self.pixels());
            return Err(too_many_pixels(MAX_WORK_BYTES / per_pixel));
        }
        self.limits
            .reserve(self.decoder.total_bytes())
            .map_err(|error| refusal(&error))?;
        self.decoder
            .set_limits(self.limits)
            .map_err(|error| refusal(&error))?;
        // A picture whose EXIF data cannot be read is shown as it lies.
        let turn = self.decoder.orientation().ok();
        let decoded = DynamicImage::from_decoder(self.decoder);
        let mut picture = decoded.map_err(|error| refusal(&error))?;
        if let Some(turn) = turn {
            picture.apply_orientation(turn);
        }
        Ok(picture)
    }
}

const fn too_many_pixels(limit: u64) -> PrepareError {
    PrepareError::TooLarge {
        unit: "pixels",
        limit,
    }
}

fn thumbnail(picture: &DynamicImage, side: u32) -> Result<Vec<u8>, PrepareError> {
    let is_small = picture.width().max(picture.height()) <= side;
    let small = if is_small {
        picture.clone()
    } else {
        picture.thumbnail(side, side)
    };
    jpeg(&opaque(small), THUMBNAIL_QUALITY)
}

/// What is transparent becomes white, which JPEG would make black.
fn opaque(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let seen = picture.into_rgba8();
    let mut pixels = Vec::with_capacity(seen.len() / 4 * 3);
    for pixel in seen.pixels() {
        let [red, green, blue, alpha] = pixel.0.map(u16::from);
        pixels.extend([red, green, blue].map(|color| {
            let blended = (color * alpha + 255 * (255 - alpha)) / 255;
            u8::try_from(blended).expect("a mean of two bytes is one")
        }));
    }
    RgbImage::from_raw(seen.width(), seen.height(), pixels)
        .expect("there are three bytes for each pixel")
}

fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, PrepareError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(picture)
        .map_err(|error| refusal(&error))?;
    Ok(bytes)
}

/// What a decoder or an encoder says, as a fault of the file.
pub(crate) fn refusal(error: &ImageError) -> PrepareError {
    match error {
        ImageError::Limits(_) => too_many_pixels(MAX_PIXELS),
        ImageError::Unsupported(_) => PrepareError::broken("its form is not known"),
        ImageError::Decoding(_) => PrepareError::broken("it cannot be decoded"),
        ImageError::IoError(_) => PrepareError::broken("it ends too early"),
        ImageError::Encoding(_) | ImageError::Parameter(_) => {
            PrepareError::broken("it cannot be converted")
        }
    }
}
