//! The log of a phone.

use super::*;

fn entry(id: &str, chat: &str) -> LogEntry {
    LogEntry {
        message: StoredMessage {
            id: id.to_owned(),
            chat_jid: format!("{chat}@s.whatsapp.net"),
            sender_jid: format!("{chat}@s.whatsapp.net"),
            from_me: false,
            kind: "text".to_owned(),
            body: id.to_owned(),
            timestamp: 1,
            received_at: 2,
            status: MessageStatus::Received,
            duplicates: 0,
            target_id: None,
            quoted_id: None,
            link_preview: None,
            mentions: Vec::new(),
            details: None,
            media: None,
        },
        encoded: vec![1, 2, 3],
    }
}

fn ids(log: &MessageLog, query: &MessageQuery) -> Vec<String> {
    let found = log.list(query).unwrap();
    found.into_iter().map(|message| message.id).collect()
}

#[test]
fn a_second_arrival_is_counted_and_not_stored() {
    let mut log = MessageLog::new(10);
    assert!(log.store(entry("A", "1")));
    assert!(!log.store(entry("A", "1")));
    assert!(log.store(entry("A", "2")));
    assert!(log.count_duplicate("A", "2@s.whatsapp.net"));
    let all = log.list(&MessageQuery::default()).unwrap();
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|message| message.duplicates == 1));
}

#[test]
fn lists_by_peer_and_after_an_id() {
    let mut log = MessageLog::new(10);
    for (id, chat) in [("A", "1"), ("B", "2"), ("C", "1")] {
        log.store(entry(id, chat));
    }
    let after = |id: &str| MessageQuery {
        after_id: Some(id.to_owned()),
        ..Default::default()
    };
    assert_eq!(ids(&log, &after("A")), ["B", "C"]);
    let peer = MessageQuery {
        peer: Some("+1".to_owned()),
        limit: Some(1),
        ..Default::default()
    };
    assert_eq!(ids(&log, &peer), ["A"]);
    assert!(log.list(&after("X")).is_err());
}

#[test]
fn a_full_log_forgets_the_text_and_still_knows_the_message() {
    let journal = Journal::memory();
    let mut log = MessageLog::new(2);
    for id in ["A", "B", "C", "D"] {
        log.store(entry(id, "1"));
    }
    let mut batch = journal.batch();
    log.write_changes(&mut batch, "9").unwrap();
    batch.commit().unwrap();
    let mut again = MessageLog::restore(2, &journal, "9").unwrap();
    for log in [&mut log, &mut again] {
        assert_eq!(ids(log, &MessageQuery::default()), ["C", "D"]);
        assert!(!log.store(entry("A", "1")), "an old message came in as new");
        assert_eq!(log.get("D").unwrap().encoded, [1, 2, 3]);
    }
}

#[test]
fn a_status_only_moves_forward() {
    let mut log = MessageLog::new(2);
    log.store(entry("A", "1"));
    log.advance("A", MessageStatus::Read);
    log.advance("A", MessageStatus::Delivered);
    assert_eq!(log.get("A").unwrap().message.status, MessageStatus::Read);
}
