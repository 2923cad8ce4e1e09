//! QR codes as pictures.

use qrcode::render::svg;
use qrcode::{Color, EcLevel, QrCode};
use wagate_core::Error;

use crate::failure::{Answer, Failure};

/// Pixels of one module.
const SCALE: usize = 8;

/// Light modules around the code (ISO/IEC 18004 asks for four).
const QUIET_ZONE: usize = 4;

fn internal(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Core(Error::Internal(error.into()))
}

fn encode(text: &str) -> Answer<QrCode> {
    QrCode::with_error_correction_level(text.as_bytes(), EcLevel::L)
        .map_err(|error| internal(anyhow::anyhow!("a QR code could not be made: {error}")))
}

/// The code as SVG.
pub(crate) fn svg(text: &str) -> Answer<String> {
    let code = encode(text)?;
    let side = u32::try_from((code.width() + 2 * QUIET_ZONE) * SCALE).unwrap_or(u32::MAX);
    Ok(code
        .render::<svg::Color<'_>>()
        .min_dimensions(side, side)
        .build())
}

/// The code as PNG, black on white.
pub(crate) fn png(text: &str) -> Answer<Vec<u8>> {
    let code = encode(text)?;
    let (modules, width) = (code.to_colors(), code.width());
    let side = (width + 2 * QUIET_ZONE) * SCALE;
    let mut pixels = vec![u8::MAX; side * side];
    for (index, module) in modules.iter().enumerate() {
        if *module == Color::Dark {
            let top = (index / width + QUIET_ZONE) * SCALE;
            let left = (index % width + QUIET_ZONE) * SCALE;
            for row in top..top + SCALE {
                pixels[row * side + left..row * side + left + SCALE].fill(0);
            }
        }
    }
    let mut image = Vec::new();
    let side = u32::try_from(side).map_err(internal)?;
    let mut encoder = png::Encoder::new(&mut image, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(internal)?;
    writer.write_image_data(&pixels).map_err(internal)?;
    writer.finish().map_err(internal)?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_shows_the_modules_of_the_code() {
        let text = "2@abc,def,ghi,1";
        let image = png(text).unwrap();
        let decoder = png::Decoder::new(std::io::Cursor::new(image));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let side = usize::try_from(reader.next_frame(&mut pixels).unwrap().width).unwrap();
        let code = encode(text).unwrap();
        assert_eq!(side, (code.width() + 8) * SCALE);
        for (index, module) in code.to_colors().iter().enumerate() {
            let row = (index / code.width() + QUIET_ZONE) * SCALE + SCALE / 2;
            let column = (index % code.width() + QUIET_ZONE) * SCALE + SCALE / 2;
            assert_eq!(pixels[row * side + column] == 0, *module == Color::Dark);
        }
        assert_eq!(pixels[0], u8::MAX);
    }

    #[test]
    fn an_svg_is_one() {
        assert!(svg("2@abc").unwrap().contains("<svg"));
    }
}
