//! The search in stored messages.

use serde_json::Value;

use crate::harness::Service;
use crate::pages::fill_with;

fn ids(page: &Value) -> Vec<&str> {
    let rows = page["data"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn messages_of_all_chats_are_found_by_words_and_conditions() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    fill_with(&service, session, 0..2, 2, "The blue Boat").await;
    fill_with(&service, session, 2..3, 1, "a red boat").await;
    let search = async |query: &str| {
        let path = format!("/api/v1/sessions/{session}/messages?{query}");
        service.get(&path, &tenant.key).await
    };
    for (query, expected) in [
        ("", &["M2-0", "M1-1", "M1-0", "M0-1", "M0-0"][..]),
        ("q=boat", &["M2-0", "M1-1", "M1-0", "M0-1", "M0-0"]),
        ("q=BLUE%20bo", &["M1-1", "M1-0", "M0-1", "M0-0"]),
        ("q=red+OR+blue", &[]),
        ("q=boat&chat=15550000002", &["M2-0"]),
        ("q=boat&chat=15559999999", &[]),
        ("q=boat&fromMe=false", &[]),
        (
            "fromMe=true&type=text&from=2001&to=3000",
            &["M1-1", "M1-0", "M2-0"],
        ),
        ("type=image", &[]),
        ("sender=15559999999", &[]),
    ] {
        let page = search(query).await.ok(200);
        let (mut found, mut expected) = (ids(&page), expected.to_vec());
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{query}");
    }
    for (query, faults) in [
        ("q=%21%3F", &["q"][..]),
        (
            "q=x&chat=nobody&sender=1%3A2&type=smoke",
            &["chat", "sender", "type"],
        ),
        (
            "from=x&fromMe=perhaps&limit=-1",
            &["from", "fromMe", "limit"],
        ),
        ("from=9&to=8&cursor=x", &["to", "cursor"]),
    ] {
        assert_eq!(search(query).await.faults(), faults, "{query}");
    }
}

#[tokio::test]
async fn pages_of_a_search_cover_it_once_and_fit_no_other() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    fill_with(&service, session, 0..3, 3, "blue boat").await;
    let path = format!("/api/v1/sessions/{session}/messages");
    let whole = service
        .get(&format!("{path}?q=blue"), &tenant.key)
        .await
        .ok(200);
    assert_eq!(ids(&whole).len(), 9);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = format!("{path}?q=blue&limit=2&cursor={cursor}");
        let page = service.get(&page, &tenant.key).await.ok(200);
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page["nextCursor"].as_str() else {
            break;
        };
        next.clone_into(&mut cursor);
        let other = format!("{path}?q=boat&cursor={cursor}");
        let other = service.get(&other, &tenant.key).await;
        assert_eq!(other.faults(), ["cursor"]);
    }
    assert_eq!(seen, ids(&whole));
}
