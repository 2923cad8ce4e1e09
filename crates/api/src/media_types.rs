//! Which form of an answer the `Accept` header asks for.

use http::{HeaderMap, header};

/// The forms of a QR code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QrForm {
    /// The text, as JSON.
    Json,
    /// A picture of pixels.
    Png,
    /// A picture of shapes.
    Svg,
}

/// The forms, the preferred first where a client does not mind.
const FORMS: [(QrForm, &str, &str); 3] = [
    (QrForm::Json, "application", "json"),
    (QrForm::Png, "image", "png"),
    (QrForm::Svg, "image", "svg+xml"),
];

/// The form that the client likes best; JSON where it likes none (RFC 9110, section 12.5.1,
/// lets a server answer with what it has).
pub(crate) fn qr_form(headers: &HeaderMap) -> QrForm {
    let mut ranges = Vec::new();
    for value in headers.get_all(header::ACCEPT) {
        let text = value.to_str().unwrap_or_default();
        ranges.extend(text.split(',').filter_map(parse_range));
    }
    let mut best = (QrForm::Json, 0);
    for (form, kind, subtype) in FORMS {
        // The most specific range that fits decides.
        let fitting = ranges
            .iter()
            .filter_map(|range| Some((range.precision(kind, subtype)?, range.quality)))
            .max_by_key(|(precision, _)| *precision);
        if let Some((_, quality)) = fitting
            && quality > best.1
        {
            best = (form, quality);
        }
    }
    best.0
}

struct Range {
    kind: String,
    subtype: String,
    /// 0 to 1000.
    quality: u16,
}

impl Range {
    /// How exactly the range names a type; nothing where it does not.
    fn precision(&self, kind: &str, subtype: &str) -> Option<u8> {
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", "*") => Some(0),
            (range, "*") if range == kind => Some(1),
            (range, exact) if range == kind && exact == subtype => Some(2),
            _ => None,
        }
    }
}

fn parse_range(text: &str) -> Option<Range> {
    let text = text.to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let quality = parts
        .find_map(|parameter| parameter.strip_prefix("q="))
        .map_or(Some(1_000), parse_quality)?;
    Some(Range {
        kind: kind.to_owned(),
        subtype: subtype.to_owned(),
        quality,
    })
}

/// `0`, `1`, or either with up to three decimals; not above 1.
fn parse_quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_decimal = decimals.len() <= 3 && decimals.bytes().all(|b| b.is_ascii_digit());
    if !is_decimal || !matches!(whole, "0" | "1") {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    let quality = if whole == "1" {
        1_000 + thousandths
    } else {
        thousandths
    };
    (quality <= 1_000).then_some(quality)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(accept: &'static str) -> QrForm {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, http::HeaderValue::from_static(accept));
        qr_form(&headers)
    }

    #[test]
    fn the_liked_form_is_given() {
        assert_eq!(qr_form(&HeaderMap::new()), QrForm::Json);
        for (accept, expected) in [
            ("*/*", QrForm::Json),
            ("application/json", QrForm::Json),
            ("image/png", QrForm::Png),
            ("image/svg+xml", QrForm::Svg),
            ("image/*", QrForm::Png),
            ("IMAGE/PNG", QrForm::Png),
            ("image/png;q=0.5, image/svg+xml;q=0.9", QrForm::Svg),
            ("application/json;q=0.1, image/png", QrForm::Png),
            ("image/*, image/png;q=0", QrForm::Svg),
            ("*/*;q=0.1, image/svg+xml;q=0.2", QrForm::Svg),
            ("image/png;q=0", QrForm::Json),
            ("text/html", QrForm::Json),
            ("image/png;q=7, nonsense, /, ;", QrForm::Json),
            ("text/html,image/avif,image/webp,*/*;q=0.8", QrForm::Json),
        ] {
            assert_eq!(form(accept), expected, "{accept}");
        }
    }
}
