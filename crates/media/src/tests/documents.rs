//! Documents.

use crate::{Kind, PrepareError, Prepared, Wanted, prepare};

fn document(file: &[u8], declared: Option<&str>, name: Option<&str>) -> Prepared {
    let wanted = Wanted {
        declared_mime: declared.map(str::to_owned),
        file_name: name.map(str::to_owned),
        ..Wanted::new(Kind::Document)
    };
    prepare(file, &wanted).unwrap()
}

#[test]
fn the_sender_says_what_it_is_then_its_bytes_then_its_name() {
    let sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    for (file, declared, name, mime) in [
        (&b"%PDF-1.7"[..], None, None, "application/pdf"),
        (b"%PDF-1.7", None, Some("a.txt"), "application/pdf"),
        (
            b"%PDF-1.7",
            Some("application/x-own"),
            None,
            "application/x-own",
        ),
        (
            b"a,b",
            Some(" text/csv; charset=utf-8 "),
            None,
            "text/csv; charset=utf-8",
        ),
        (b"%PDF-1.7", Some("no type"), None, "application/pdf"),
        (b"%PDF-1.7", Some("text/a\r\nb"), None, "application/pdf"),
        (b"PK\x03\x04", None, None, "application/zip"),
        (b"PK\x03\x04", None, Some("Accounts.XLSX"), sheet),
        (b"a,b", None, Some("a.b.csv"), "text/csv"),
        (b"a,b", None, Some("csv"), "application/octet-stream"),
        (b"a,b", None, None, "application/octet-stream"),
    ] {
        let document = document(file, declared, name);
        assert_eq!(document.mime, mime, "{declared:?} {name:?}");
        assert_eq!(document.converted, None);
    }
}

#[test]
fn pages_are_counted_at_the_root() {
    let file = b"%PDF-1.4
1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj
2 0 obj << /Type /Pages /Kids [3 0 R 4 0 R] /Count 12 >> endobj
3 0 obj << /Type /Pages /Parent 2 0 R /Kids [] /Count 7 >> endobj
5 0 obj << /Type /Outlines /Count 99 >> endobj
6 0 obj << /Length 40 >> stream /Pages /Kids /Count 500 endstream endobj";
    assert_eq!(document(file, None, None).page_count, Some(12));
    assert_eq!(document(b"%PDF-1.7 1 0 obj", None, None).page_count, None);
    assert_eq!(document(&file[4..], None, None).page_count, None);
}

#[test]
fn nothing_is_no_document() {
    let error = prepare(b"", &Wanted::new(Kind::Document)).unwrap_err();
    assert_eq!(error, PrepareError::Empty);
}
