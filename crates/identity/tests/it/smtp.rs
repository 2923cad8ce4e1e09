use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use wagate_identity::{Mail, Mailer as _, SmtpMailer};

/// A mail server that takes one connection, and keeps what it was told.
async fn server(answer_to_recipient: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        converse(stream, answer_to_recipient, &kept).await
    });
    (address, told)
}

async fn converse(
    stream: TcpStream,
    answer_to_recipient: &str,
    told: &Mutex<Vec<String>>,
) -> Option<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 mail.test\r\n").await.ok()?;
    let mut is_mail = false;
    while let Some(line) = lines.next_line().await.ok()? {
        told.lock().unwrap().push(line.clone());
        let command = line.split(' ').next().unwrap_or_default();
        let answer = match command {
            "." if is_mail => {
                is_mail = false;
                "250 taken"
            }
            _ if is_mail => continue,
            "EHLO" => "250-mail.test\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "RCPT" => answer_to_recipient,
            "DATA" => {
                is_mail = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        writer
            .write_all(format!("{answer}\r\n").as_bytes())
            .await
            .ok()?;
    }
    Some(())
}

fn mail() -> Mail {
    Mail {
        to: "ann@example.com".parse().unwrap(),
        subject: "Passwort zurücksetzen\r\nBcc: eve@example.com".into(),
        text: "Open https://wa.example.com/x\n.\nand set a new one.".into(),
    }
}

#[tokio::test]
async fn a_mail_is_handed_over() {
    let (address, told) = server("250 ok").await;
    let url = format!("smtp://user:p%40ss@{address}");
    let mailer = SmtpMailer::new(&url, "wagate <no-reply@example.com>").unwrap();
    assert_eq!(format!("{mailer:?}"), "SmtpMailer(…)");
    mailer.send(mail()).await.unwrap();
    let told = told.lock().unwrap().clone();
    let has = |line: &str| told.iter().any(|told| told.starts_with(line));
    // "\0user\0p@ss"
    assert!(has("AUTH PLAIN AHVzZXIAcEBzcw=="), "{told:?}");
    assert!(has("MAIL FROM:<no-reply@example.com>"), "{told:?}");
    assert!(has("RCPT TO:<ann@example.com>"), "{told:?}");
    assert!(has("From: wagate <no-reply@example.com>"), "{told:?}");
    assert!(has("Date: ") && has("Subject: "), "{told:?}");
    // A subject makes no further headers, and a line of one dot ends nothing.
    assert!(!has("Bcc:"), "{told:?}");
    assert!(has("..") && has("and set a new one."), "{told:?}");
}

#[tokio::test]
async fn a_refusal_says_nothing_of_the_address() {
    let (address, _) = server("550 no such person: ann@example.com").await;
    let mailer = SmtpMailer::new(&format!("smtp://{address}"), "no-reply@example.com").unwrap();
    let refused = mailer.send(mail()).await.unwrap_err().to_string();
    assert!(
        refused.contains("550") && !refused.contains("ann"),
        "{refused}"
    );
}

#[tokio::test]
async fn nothing_is_sent_in_the_clear_where_encryption_is_required() {
    let (address, told) = server("250 ok").await;
    let url = format!("smtp://user:pass@{address}?tls=required");
    let mailer = SmtpMailer::new(&url, "no-reply@example.com").unwrap();
    mailer.send(mail()).await.unwrap_err();
    let told = told.lock().unwrap().clone();
    let is_harmless = |line: &String| line.starts_with("EHLO") || line.starts_with("QUIT");
    assert!(told.iter().all(is_harmless), "{told:?}");
}
