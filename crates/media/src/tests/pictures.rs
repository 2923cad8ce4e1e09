//! Pictures.

use image::{GenericImageView, ImageFormat, load_from_memory};

use super::written::{BLUE, CLEAR, RED, encoded, gif, halves, prepared, turned};
use crate::{Kind, PrepareError, sniff, square_picture, thumbnail_of};

fn is_near(seen: image::Rgba<u8>, wanted: [u8; 3]) -> bool {
    seen.0
        .iter()
        .zip(wanted)
        .all(|(seen, wanted)| seen.abs_diff(wanted) < 40)
}

#[test]
fn jpeg_is_kept_and_gets_a_thumbnail() {
    let file = encoded(&halves(300, 200, RED, BLUE), ImageFormat::Jpeg);
    let image = prepared(&file, Kind::Image).unwrap();
    assert_eq!(image.converted, None);
    assert_eq!(image.mime, "image/jpeg");
    assert_eq!((image.width, image.height), (Some(300), Some(200)));
    let small = load_from_memory(&image.thumbnail.unwrap()).unwrap();
    assert_eq!(small.dimensions(), (72, 48));
    assert!(is_near(small.get_pixel(4, 24), [220, 20, 20]));
    assert!(is_near(small.get_pixel(68, 24), [20, 20, 220]));
}

#[test]
fn a_small_picture_is_not_enlarged_for_its_thumbnail() {
    let file = encoded(&halves(10, 6, RED, BLUE), ImageFormat::Jpeg);
    let image = prepared(&file, Kind::Image).unwrap();
    let small = load_from_memory(&image.thumbnail.unwrap()).unwrap();
    assert_eq!(small.dimensions(), (10, 6));
}

#[test]
fn a_photo_is_shown_as_its_camera_was_held() {
    let file = turned(&encoded(&halves(300, 200, RED, BLUE), ImageFormat::Jpeg), 6);
    let image = prepared(&file, Kind::Image).unwrap();
    assert_eq!(image.converted, None);
    assert_eq!((image.width, image.height), (Some(200), Some(300)));
    let small = load_from_memory(&image.thumbnail.unwrap()).unwrap();
    assert_eq!(small.dimensions(), (48, 72));
    assert!(is_near(small.get_pixel(24, 4), [220, 20, 20]));
    assert!(is_near(small.get_pixel(24, 68), [20, 20, 220]));
}

#[test]
fn other_pictures_become_jpeg_on_white() {
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let file = encoded(&halves(120, 80, RED, CLEAR), format);
        let image = prepared(&file, Kind::Image).unwrap();
        let jpeg = image.converted.unwrap();
        assert_eq!(sniff(&jpeg), Some("image/jpeg"));
        assert_eq!(image.mime, "image/jpeg");
        let picture = load_from_memory(&jpeg).unwrap();
        assert_eq!(picture.dimensions(), (120, 80));
        assert!(is_near(picture.get_pixel(10, 40), [220, 20, 20]));
        assert!(is_near(picture.get_pixel(110, 40), [255, 255, 255]));
    }
    let bitmap = encoded(&halves(12, 8, RED, BLUE), ImageFormat::Bmp);
    let image = prepared(&bitmap, Kind::Image).unwrap();
    assert_eq!(sniff(&image.converted.unwrap()), Some("image/jpeg"));
}

#[test]
fn of_a_moving_picture_the_first_frame_is_sent() {
    let file = gif(&[halves(60, 60, RED, RED), halves(60, 60, BLUE, BLUE)]);
    let image = prepared(&file, Kind::Image).unwrap();
    let picture = load_from_memory(&image.converted.unwrap()).unwrap();
    assert!(is_near(picture.get_pixel(30, 30), [220, 20, 20]));
}

#[test]
fn a_line_has_a_thumbnail_too() {
    let file = encoded(&halves(4_000, 1, RED, BLUE), ImageFormat::Png);
    let image = prepared(&file, Kind::Image).unwrap();
    let small = load_from_memory(&image.thumbnail.unwrap()).unwrap();
    assert_eq!(small.dimensions(), (72, 1));
}

#[test]
fn pictures_that_unpack_to_too_much_are_refused() {
    let mut webp = b"RIFF\x14\0\0\0WEBPVP8L\x08\0\0\0\x2f".to_vec();
    // 16,383 by 16,383 pixels.
    webp.extend([0xfe, 0xbf, 0xff, 0x0f, 0, 0, 0]);
    let mut gif = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02".to_vec();
    gif.extend([2, 0x4c, 1, 0, 0x3b]);
    for bomb in [webp, gif] {
        let error = prepared(&bomb, Kind::Image).unwrap_err();
        assert!(matches!(error, PrepareError::TooLarge { .. }), "{error:?}");
    }
}

/// A JPEG that says it is larger than what it holds.
fn inflated(width: u16, height: u16) -> Vec<u8> {
    let mut file = encoded(&halves(64, 64, RED, BLUE), ImageFormat::Jpeg);
    let frame = file
        .windows(2)
        .position(|marker| marker == [0xff, 0xc0])
        .unwrap();
    file[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    file[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    file
}

#[test]
fn what_is_not_converted_goes_out_where_decoding_it_takes_too_much() {
    // 63 million pixels: with all its coefficients it would take over 500 MiB.
    let file = inflated(9_000, 7_000);
    let image = prepared(&file, Kind::Image).unwrap();
    assert_eq!((image.width, image.height), (Some(9_000), Some(7_000)));
    assert_eq!((image.converted, image.thumbnail), (None, None));
    assert_eq!(image.mime, "image/jpeg");
    let held = prepared(&turned(&file, 6), Kind::Image).unwrap();
    assert_eq!((held.width, held.height), (Some(7_000), Some(9_000)));
    let sticker = prepared(&file, Kind::Sticker).unwrap_err();
    let limit = 448 * 1024 * 1024 / 9;
    let too_large = |limit| PrepareError::TooLarge {
        unit: "pixels",
        limit,
    };
    assert_eq!(sticker, too_large(limit));
    assert_eq!(square_picture(&file).unwrap_err(), too_large(limit));
    // 7,500 by 7,500 pixels with transparency, which are to be converted.
    let mut webp = b"RIFF\x14\0\0\0WEBPVP8L\x08\0\0\0\x2f".to_vec();
    let side: u32 = 7_499;
    let sides = side | (side << 14) | (1 << 28);
    webp.extend(sides.to_le_bytes());
    webp.extend([0, 0, 0]);
    let error = prepared(&webp, Kind::Image).unwrap_err();
    assert!(matches!(error, PrepareError::TooLarge { .. }), "{error:?}");
}

#[test]
fn a_small_picture_is_not_made_of_a_huge_one() {
    let error = thumbnail_of(&inflated(5_000, 4_000), 72).unwrap_err();
    let limit = 16_000_000;
    let unit = "pixels";
    assert_eq!(error, PrepareError::TooLarge { unit, limit });
    assert!(thumbnail_of(&encoded(&halves(64, 64, RED, BLUE), ImageFormat::Jpeg), 72).is_ok());
}

#[test]
fn pictures_that_are_cut_off_are_broken() {
    let picture = halves(64, 64, RED, BLUE);
    for format in [
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Gif,
    ] {
        let file = encoded(&picture, format);
        let error = prepared(&file[..file.len() / 2], Kind::Image).unwrap_err();
        assert!(
            matches!(error, PrepareError::Broken { .. }),
            "{format:?}: {error:?}"
        );
    }
    let file = encoded(&picture, ImageFormat::Jpeg);
    let error = prepared(&file[..20], Kind::Image).unwrap_err();
    assert!(matches!(error, PrepareError::Broken { .. }), "{error:?}");
}

#[test]
fn what_is_no_picture_is_named() {
    let not = |file: &[u8]| prepared(file, Kind::Image).unwrap_err();
    assert_eq!(not(b""), PrepareError::Empty);
    assert_eq!(
        not(b"%PDF-1.7 and so on"),
        PrepareError::NotThis {
            expected: Kind::Image,
            found: "application/pdf".to_owned()
        }
    );
    assert_eq!(
        not(b"just a text").to_string(),
        "the file is application/octet-stream, which is not an image"
    );
    assert_eq!(
        not(b"\0\0\0\x18ftypheic\0\0\0\0mif1"),
        PrepareError::Unsupported {
            mime: "image/heic".to_owned()
        }
    );
}
