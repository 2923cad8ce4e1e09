//! What a web page says of itself: title, description and picture, as messengers show a link.

use encoding_rs::{Encoding, UTF_8};
use html5gum::{IoReader, Token, Tokenizer};

/// How much of a title or a description is kept, in characters; official clients show less.
const MAX_TITLE_CHARS: usize = 256;
const MAX_DESCRIPTION_CHARS: usize = 512;
/// The `<head>` of a page has fewer tags; what comes behind is not looked at.
const MAX_TOKENS: usize = 20_000;

/// What a web page says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageFacts {
    /// Its title.
    pub title: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// The address of its picture, as it stands there: it may be relative.
    pub picture: Option<String>,
}

/// The same thing from several sources, the best one first.
#[derive(Default)]
struct Found {
    open_graph: Option<String>,
    twitter: Option<String>,
    plain: Option<String>,
}

impl Found {
    fn best(self, most: usize) -> Option<String> {
        let found = self.open_graph.or(self.twitter).or(self.plain)?;
        let text = found.split_whitespace().collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then(|| text.chars().take(most).collect())
    }
}

#[derive(Default)]
struct Facts {
    title: Found,
    description: Found,
    picture: Found,
}

/// Reads the head of a page; the charset is the one of its `Content-Type`, else UTF-8.
///
/// The names are those of the Open Graph protocol (`og:title`), of Twitter cards
/// (`twitter:title`), and HTML's own.
#[must_use]
pub fn page_facts(page: &[u8], content_type: Option<&str>) -> PageFacts {
    let (text, _, _) = charset(content_type).decode(page);
    let mut facts = Facts::default();
    let mut title = String::new();
    let mut is_in_title = false;
    for token in Tokenizer::new(IoReader::new(text.as_bytes())).take(MAX_TOKENS) {
        let Ok(token) = token else {
            break;
        };
        match token {
            Token::StartTag(tag) => match &**tag.name {
                b"title" => is_in_title = true,
                b"meta" => {
                    let attribute = |name: &[u8]| {
                        let value = tag.attributes.get(name)?;
                        Some(String::from_utf8_lossy(value).into_owned())
                    };
                    let name = attribute(b"property").or_else(|| attribute(b"name"));
                    if let (Some(name), Some(content)) = (name, attribute(b"content")) {
                        facts.note(&name.to_ascii_lowercase(), content);
                    }
                }
                b"body" => break,
                _ => {}
            },
            Token::EndTag(tag) if &**tag.name == b"title" => {
                is_in_title = false;
                // Pictures within the page have titles of their own.
                if !title.is_empty() {
                    facts.title.plain.get_or_insert(std::mem::take(&mut title));
                }
            }
            Token::EndTag(tag) if &**tag.name == b"head" => break,
            Token::String(text) if is_in_title => {
                title.push_str(&String::from_utf8_lossy(&text));
            }
            _ => {}
        }
    }
    PageFacts {
        title: facts.title.best(MAX_TITLE_CHARS),
        description: facts.description.best(MAX_DESCRIPTION_CHARS),
        picture: facts.picture.best(usize::MAX),
    }
}

impl Facts {
    fn note(&mut self, name: &str, content: String) {
        let place = match name {
            "og:title" => &mut self.title.open_graph,
            "twitter:title" => &mut self.title.twitter,
            "og:description" => &mut self.description.open_graph,
            "twitter:description" => &mut self.description.twitter,
            "description" => &mut self.description.plain,
            "og:image" | "og:image:url" | "og:image:secure_url" => &mut self.picture.open_graph,
            "twitter:image" | "twitter:image:src" => &mut self.picture.twitter,
            _ => return,
        };
        if !content.trim().is_empty() {
            place.get_or_insert(content);
        }
    }
}

fn charset(content_type: Option<&str>) -> &'static Encoding {
    let parameters = content_type.unwrap_or_default().split(';').skip(1);
    let label = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, value)| value.trim().trim_matches('"'));
    label
        .and_then(|label| Encoding::for_label(label.as_bytes()))
        .unwrap_or(UTF_8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_graph_goes_before_cards_and_plain_html() {
        let page = r#"<!doctype html><html><head><title>Plain &amp; simple</title>
            <meta name="description" content="plain">
            <meta name="twitter:title" content="Card">
            <META PROPERTY="og:title" CONTENT="  The   title ">
            <meta property="og:image" content="/a.png"></head>
            <body><meta property="og:description" content="not in the head">"#;
        assert_eq!(
            page_facts(page.as_bytes(), Some("text/html")),
            PageFacts {
                title: Some("The title".into()),
                description: Some("plain".into()),
                picture: Some("/a.png".into()),
            }
        );
    }

    #[test]
    fn a_title_is_read_with_its_references_and_charset() {
        let page = b"<title>Caf\xe9 &amp; Bar</title>";
        let facts = page_facts(page, Some("text/html; charset=\"ISO-8859-1\""));
        assert_eq!(facts.title.as_deref(), Some("Café & Bar"));
        assert_eq!(page_facts(b"<title> </title>", None), PageFacts::default());
        assert_eq!(page_facts(b"\x00\xff<<<", None), PageFacts::default());
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let page = format!("<title>{}</title>", "ä".repeat(1_000));
        let title = page_facts(page.as_bytes(), None).title.unwrap();
        assert_eq!(title.chars().count(), MAX_TITLE_CHARS);
    }
}
