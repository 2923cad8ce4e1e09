//! Files that simulated phones send, as the service's users read them.

use reqwest::Method;
use serde_json::json;
use wagate_testing::TestSandbox;

#[tokio::test]
async fn a_phones_file_is_read_and_asked_for_again_when_it_is_gone() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox.api.realtime(&json!({})).await;
    let messages = format!("/phones/{bob}/messages");
    for (text, is_gone) in [("YSxiCg==", false), ("YyxkCg==", true)] {
        let body = json!({"to": alice, "type": "document", "caption": "figures",
            "media": {"data": text, "mimetype": "text/csv", "filename": "a.csv"}});
        let sent = sandbox
            .simulated
            .call(Method::POST, &messages, Some(&body))
            .await;
        let told = socket
            .wait_for(|frame| {
                frame["event"] == "message" && frame["payload"]["waMessageId"] == sent["id"]
            })
            .await;
        let payload = &told["payload"];
        assert_eq!(payload["type"], "document");
        assert_eq!(payload["body"], "figures");
        let media = &payload["media"];
        assert_eq!(media["mimetype"], "text/csv");
        assert_eq!(media["filename"], "a.csv");
        assert_eq!(media["size"], 4);
        let ready = |m: &wagate_testing::PhoneMessage| {
            m.0["id"] == sent["id"] && m.0["media"]["state"] == "ready"
        };
        sandbox.simulated.wait_for(alice, ready).await;
        if is_gone {
            let path = "/media:expire";
            let all = Some(json!({}));
            sandbox
                .simulated
                .call(Method::POST, path, all.as_ref())
                .await;
        }
        let id = media["id"].as_str().unwrap();
        let path = format!("/api/v1/media/{id}/content");
        let answer = sandbox.api.call(Method::GET, &path, None).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let expected = if is_gone { "c,d\n" } else { "a,b\n" };
        assert_eq!(answer.body, expected);
    }
    assert!(!session.messages(bob).await.is_empty());
    sandbox.stop().await;
}

#[tokio::test]
async fn a_file_that_is_fetched_as_it_comes_is_told_with_a_link() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let storage = session.path("/storage");
    let capture = json!({ "capture": true });
    let answer = sandbox
        .api
        .call(Method::PUT, &storage, Some(&capture))
        .await;
    answer.expect(200);
    let mut socket = sandbox.api.realtime(&json!({})).await;
    let body = json!({"to": alice, "type": "document",
        "media": {"data": "YSxiCg==", "mimetype": "text/csv", "filename": "a.csv"}});
    let path = format!("/phones/{bob}/messages");
    let sent = sandbox
        .simulated
        .call(Method::POST, &path, Some(&body))
        .await;
    let ready = socket
        .wait_for(|frame| frame["event"] == "media.ready")
        .await;
    let file = &ready["payload"];
    assert_eq!(
        (&file["waMessageId"], &file["status"]),
        (&sent["id"], &json!("ready"))
    );
    // The link alone is enough.
    let link = reqwest::get(format!(
        "{}{}",
        sandbox.api.base(),
        file["url"].as_str().unwrap()
    ))
    .await
    .unwrap();
    assert_eq!(link.text().await.unwrap(), "a,b\n");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_file_that_nobody_has_any_more_is_told_as_expired() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox.api.realtime(&json!({})).await;
    let act = async |path: String, body: serde_json::Value| {
        let simulated = &sandbox.simulated;
        simulated.call(Method::POST, &path, Some(&body)).await
    };
    // The account's phone is away, and gets the message when the file is gone.
    act(format!("/phones/{alice}:offline"), json!({})).await;
    let document = json!({"to": alice, "type": "document",
        "media": {"data": "YSxiCg==", "mimetype": "text/csv", "filename": "a.csv"}});
    let sent = act(format!("/phones/{bob}/messages"), document).await;
    let told = socket.wait_for(|frame| frame["event"] == "message").await;
    let id = told["payload"]["media"]["id"].as_str().unwrap();
    act("/media:expire".to_owned(), json!({})).await;
    act(format!("/phones/{alice}:online"), json!({})).await;
    sandbox
        .simulated
        .wait_for(alice, |message| message.0["id"] == sent["id"])
        .await;
    let path = format!("/api/v1/media/{id}/content");
    let answer = sandbox.api.call(Method::GET, &path, None).await;
    let refused = answer.expect(409);
    assert_eq!(refused["error"]["details"]["reason"], "media_expired");
    let gone = socket
        .wait_for(|frame| frame["event"] == "media.expired")
        .await;
    assert_eq!(gone["payload"]["id"], id);
    // It hinders no list.
    let listed = session.messages(bob).await;
    assert_eq!(listed[0]["media"]["id"], id, "{listed:?}");
    sandbox.stop().await;
}

#[tokio::test]
async fn buckets_are_named_without_their_secrets() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.api.create_session().await;
    let buckets = "/api/v1/storage/buckets";
    let bucket = json!({"name": "archive", "endpoint": "http://127.0.0.1:9", "bucket": "files",
        "accessKey": "AKIA", "secretKey": "hunter2", "retentionDays": 30});
    let made = sandbox.api.post(buckets, &bucket).await.expect(201);
    let at = format!("{buckets}/{}", made["id"].as_str().unwrap());
    let renamed = json!({"name": "attic"});
    let changed = sandbox.api.call(Method::PUT, &at, Some(&renamed)).await;
    assert_eq!(changed.expect(200)["name"], "attic");
    let listed = sandbox.api.get(buckets).await;
    assert_eq!(listed["data"][0]["retentionDays"], 30);
    for told in [&made, &listed] {
        let told = told.to_string();
        assert!(
            !told.contains("AKIA") && !told.contains("hunter2"),
            "{told}"
        );
    }
    let storage = session.path("/storage");
    let choose = async |bucket: serde_json::Value| {
        let choice = json!({ "bucketId": bucket });
        let answer = sandbox.api.call(Method::PUT, &storage, Some(&choice)).await;
        answer.expect(200)
    };
    choose(made["id"].clone()).await;
    let chosen = sandbox.api.get(&storage).await;
    assert_eq!(chosen["bucketId"], made["id"]);
    let in_use = sandbox.api.call(Method::DELETE, &at, None).await;
    let refused = in_use.expect(409);
    assert_eq!(refused["error"]["details"]["reason"], "bucket_in_use");
    choose(serde_json::Value::Null).await;
    let gone = sandbox.api.call(Method::DELETE, &at, None).await;
    gone.expect(204);
    sandbox.stop().await;
}
