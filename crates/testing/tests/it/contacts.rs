//! People: listed, looked up, and asked about.

use reqwest::Method;
use serde_json::json;
use wagate_testing::TestSandbox;

#[tokio::test]
async fn a_person_is_one_contact_under_both_addresses() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    sandbox.simulated.send_text(bob, alice, "hello").await;
    socket.wait_for(|frame| frame["event"] == "message").await;

    let list = async |query: &str| {
        let path = session.path(&format!("/contacts{query}"));
        let page = sandbox.api.get(&path).await;
        page["data"].as_array().cloned().unwrap()
    };
    let theirs = |contact: &&serde_json::Value| contact["phoneNumber"] == bob.as_str();
    let all = list("").await;
    let found: Vec<_> = all.iter().filter(theirs).collect();
    assert_eq!(found.len(), 1, "{all:?}");
    let contact = found[0].clone();
    assert_eq!(contact["source"], "dm");
    assert!(contact["lid"].as_str().unwrap().ends_with("@lid"));
    assert_eq!(
        list(&format!("?q={}&source=dm", &bob[4..])).await,
        std::slice::from_ref(&contact)
    );
    assert!(
        list("?source=group")
            .await
            .iter()
            .all(|other| other != &contact)
    );
    assert!(list("?q=nobody-has-this").await.is_empty());
    for query in ["?source=friends", "?group=15551234567"] {
        let path = session.path(&format!("/contacts{query}"));
        sandbox.api.call(Method::GET, &path, None).await.expect(400);
    }

    for address in [contact["lid"].as_str().unwrap(), bob] {
        let path = session.path(&format!("/contacts/{address}"));
        let detail = sandbox.api.get(&path).await;
        assert_eq!(detail["identity"]["lid"], contact["lid"]);
        assert_eq!(
            (&detail["dm"], &detail["groups"]),
            (&json!(true), &json!([]))
        );
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn whatsapp_is_asked_about_people() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let get = async |rest: &str| {
        let path = session.path(&format!("/contacts/{rest}"));
        sandbox.api.call(Method::GET, &path, None).await
    };

    let there = get(&format!("check?phone=%2B{bob}")).await.expect(200);
    let written = format!("+{bob}");
    assert_eq!(
        there,
        json!({"query": written, "isOnWhatsApp": true, "jid": format!("{bob}@s.whatsapp.net")})
    );
    let nobody = get("check?phone=15550009999").await.expect(200);
    assert_eq!(
        nobody,
        json!({"query": "15550009999", "isOnWhatsApp": false})
    );
    let both = json!({ "phones": [written, "15550009999"] });
    let path = session.path("/contacts:check");
    let found = sandbox.api.post(&path, &both).await.expect(200);
    assert_eq!(found, json!({ "data": [there, nobody] }));
    for wrong in [
        json!({}),
        json!({ "phones": [] }),
        json!({ "phones": ["x"] }),
    ] {
        sandbox.api.post(&path, &wrong).await.expect(400);
    }
    get("check").await.expect(400);
    get("check?phone=0").await.expect(400);

    let about = get(&format!("{bob}/about")).await.expect(200);
    assert!(about["about"].is_string(), "{about}");
    get(&format!("{bob}/picture")).await.expect(404);

    // Blocked, nothing of theirs comes in; both can be repeated.
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    let act = async |verb: &str| {
        let path = session.path(&format!("/contacts/{bob}/{verb}"));
        sandbox
            .api
            .call(Method::POST, &path, None)
            .await
            .expect(204);
    };
    act("block").await;
    act("block").await;
    sandbox.simulated.send_text(bob, alice, "unheard").await;
    act("unblock").await;
    act("unblock").await;
    sandbox.simulated.send_text(bob, alice, "heard").await;
    let heard = socket.wait_for(|frame| frame["event"] == "message").await;
    assert_eq!(heard["payload"]["body"], "heard");

    sandbox.api.act(&session.path(":stop")).await;
    get(&format!("check?phone={bob}")).await.expect(409);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_saved_name_reaches_the_account_s_other_devices() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let first = sandbox.pair(alice).await;
    let second = sandbox.pair(alice).await;
    let ticket = json!({"scope": "session", "session": second.id, "events": ["contact.update"]});
    let mut socket = sandbox.api.realtime(&ticket).await;
    let path = first.path(&format!("/contacts/{bob}/name"));
    // What the first synchronization brings is no news.
    let initial = json!({ "fullName": "Bobby" });
    let saved = sandbox.api.call(Method::PUT, &path, Some(&initial)).await;
    saved.expect(204);
    let theirs = second.path("/contacts?q=Bobby");
    let is_there = |page: serde_json::Value| !page["data"].as_array().unwrap().is_empty();
    while !is_there(sandbox.api.get(&theirs).await) {}
    let name = json!({ "fullName": "Bob the Builder", "firstName": "Bob" });
    let saved = sandbox.api.call(Method::PUT, &path, Some(&name)).await;
    saved.expect(204);
    let told = socket
        .wait_for(|frame| frame["payload"]["fullName"] == "Bob the Builder")
        .await;
    assert_eq!(told["payload"]["firstName"], "Bob");
    let blank = json!({ "fullName": " " });
    let refused = sandbox.api.call(Method::PUT, &path, Some(&blank)).await;
    refused.expect(400);

    let blocked = first.path("/blocklist");
    assert_eq!(sandbox.api.get(&blocked).await, json!({ "data": [] }));
    let block = first.path(&format!("/contacts/{bob}/block"));
    let answer = sandbox.api.call(Method::POST, &block, None).await;
    answer.expect(204);
    let list = sandbox.api.get(&blocked).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1, "{list}");
    sandbox.stop().await;
}

#[tokio::test]
async fn stories_are_muted_on_all_devices() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    sandbox.simulated.send_text(bob, alice, "hello").await;
    socket.wait_for(|frame| frame["event"] == "message").await;
    let contacts = session.path("/contacts");
    let is_muted = async || {
        let all = sandbox.api.get(&contacts).await;
        let number = json!(bob);
        let mut all = all["data"].as_array().unwrap().iter();
        let bob = all.find(|contact| contact["phoneNumber"] == number);
        bob.map(|bob| bob["statusMuted"] == true)
    };
    assert_eq!(is_muted().await, Some(false));
    let act = async |verb: &str| {
        let path = session.path(&format!("/contacts/{bob}/{verb}"));
        sandbox.api.call(Method::POST, &path, None).await
    };
    for _ in 0..2 {
        act("mute-status").await.expect(204);
        assert_eq!(is_muted().await, Some(true));
    }
    let path = format!("/phones/{alice}/app-state");
    let kept = sandbox.simulated.call(Method::GET, &path, None).await;
    let mut kept = kept["data"].as_array().unwrap().iter();
    let muted = kept.find(|entry| entry["index"][0] == "userStatusMute");
    assert_eq!(muted.unwrap()["value"], json!({ "muted": true }));
    act("unmute-status").await.expect(204);
    assert_eq!(is_muted().await, Some(false));

    let path = format!("/phones/{alice}/status-mutes");
    let body = json!({ "contact": bob });
    sandbox
        .simulated
        .call(Method::POST, &path, Some(&body))
        .await;
    let heard = async { while is_muted().await != Some(true) {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), heard)
        .await
        .expect("what the phone does comes in time");
    let group = session.path("/contacts/1-2@g.us/mute-status");
    sandbox
        .api
        .call(Method::POST, &group, None)
        .await
        .expect(404);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_number_is_found_under_the_one_that_whatsapp_knows() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    for number in ["551187654321", "525512345678"] {
        let phone = json!({ "number": number });
        sandbox
            .simulated
            .call(Method::POST, "/phones", Some(&phone))
            .await;
    }
    let path = session.path("/contacts/check?phone=%2B5511987654321");
    let brazilian = sandbox.api.get(&path).await;
    assert_eq!(
        brazilian,
        json!({"query": "+5511987654321", "isOnWhatsApp": true,
            "jid": "551187654321@s.whatsapp.net"})
    );
    // What is not there, what is known by its number, and one number twice.
    let phones = [
        "15550009999",
        "5215512345678",
        "+5511987654321",
        "551187654321",
        "15550009999",
    ];
    let path = session.path("/contacts:check");
    let found = sandbox.api.post(&path, &json!({ "phones": phones })).await;
    let found = found.expect(200)["data"].clone();
    let jids: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["jid"])
        .collect();
    let (mexican, brazilian) = (json!("525512345678@s.whatsapp.net"), &brazilian["jid"]);
    assert_eq!(
        jids,
        [&json!(null), &mexican, brazilian, brazilian, &json!(null)]
    );
    for (one, phone) in found.as_array().unwrap().iter().zip(phones) {
        assert_eq!(one["query"], phone);
        assert_eq!(one["isOnWhatsApp"], one["jid"].is_string());
    }
    // And the JID is one to write to.
    let jid = brazilian.as_str().unwrap();
    session.send_text(jid, "found").await;
    sandbox
        .simulated
        .wait_for("551187654321", |message| message.body() == "found")
        .await;
    sandbox.stop().await;
}
