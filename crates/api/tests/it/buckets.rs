//! Buckets, and where sessions keep their files.

use http::Method;
use serde_json::{Value, json};
use wagate_model::Capabilities;

use crate::harness::Service;

const BUCKETS: &str = "/api/v1/storage/buckets";

fn body() -> Value {
    json!({
        "name": "archive", "endpoint": "https://s3.example/base", "bucket": "acme-files",
        "accessKey": "AKIAEXAMPLE", "secretKey": "very-secret", "retentionDays": 30,
    })
}

#[tokio::test]
async fn a_bucket_is_made_changed_used_and_forgotten_and_never_shows_its_keys() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let put = async |path: &str, body: Value| {
        service
            .call(Method::PUT, path, &tenant.key, Some(body))
            .await
    };
    let made = service.post(BUCKETS, &tenant.key, body()).await.ok(201);
    assert_eq!(
        (&made["pathStyle"], &made["region"]),
        (&true.into(), &"us-east-1".into())
    );
    let path = format!("{BUCKETS}/{}", made["id"].as_str().unwrap());
    let change = json!({ "name": "other", "retentionDays": null, "secretKey": "still-secret" });
    let changed = put(&path, change).await.ok(200);
    assert_eq!(
        (&changed["name"], &changed["bucket"]),
        (&"other".into(), &"acme-files".into())
    );
    assert!(changed.get("retentionDays").is_none());
    let listed = service.get(BUCKETS, &tenant.key).await.ok(200);
    assert_eq!(listed["data"], json!([changed]));
    for answer in [&made, &changed, &listed] {
        let text = answer.to_string();
        assert!(!text.contains("secret") && !text.contains("AKIA"), "{text}");
    }
    let storage = format!("/api/v1/sessions/{session}/storage");
    let found = service.get(&storage, &tenant.key).await.ok(200);
    assert_eq!(found, json!({ "bucketId": null, "capture": true }));
    let set = json!({ "bucketId": made["id"], "capture": false, "retentionDays": 7 });
    assert_eq!(put(&storage, set.clone()).await.ok(200), set);
    // What is absent stays.
    assert_eq!(put(&storage, json!({})).await.ok(200), set);
    let in_use = service.call(Method::DELETE, &path, &tenant.key, None).await;
    let error = in_use.error(409, "conflict");
    assert_eq!(error["details"]["reason"], "bucket_in_use");
    let back = put(&storage, json!({ "bucketId": null, "retentionDays": null })).await;
    assert_eq!(back.ok(200), json!({ "bucketId": null, "capture": false }));
    service
        .call(Method::DELETE, &path, &tenant.key, None)
        .await
        .ok(204);
    put(&path, json!({ "name": "x" }))
        .await
        .error(404, "not_found");
}

#[tokio::test]
async fn wrong_buckets_are_refused_with_all_their_faults() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let reply = service.post(BUCKETS, &tenant.key, json!({})).await;
    let required = ["accessKey", "bucket", "endpoint", "name", "secretKey"];
    assert_eq!(reply.faults(), required);
    for (field, value) in [
        ("endpoint", json!("ftp://s3.example")),
        ("endpoint", json!("http://169.254.169.254/")),
        ("endpoint", json!("https://user@s3.example/")),
        ("bucket", json!("No_Bucket")),
        ("bucket", json!("../x")),
        ("secretKey", json!("two words")),
        ("retentionDays", json!(0)),
        ("region", json!("")),
    ] {
        let mut wrong = body();
        wrong[field] = value;
        let reply = service.post(BUCKETS, &tenant.key, wrong).await;
        assert_eq!(reply.faults(), [field]);
    }
    let session = service.store.session(tenant.organization).await;
    let restriction = Some(vec![session]);
    let (key, _) = service
        .key(tenant.organization, Capabilities::all(), restriction)
        .await;
    let made = service.post(BUCKETS, &tenant.key, body()).await.ok(201);
    service
        .post(BUCKETS, &key, body())
        .await
        .error(403, "forbidden");
    assert_eq!(service.get(BUCKETS, &key).await.ok(200)["data"], json!([]));
    let storage = format!("/api/v1/sessions/{session}/storage");
    let set = json!({ "bucketId": made["id"] });
    let reply = service.call(Method::PUT, &storage, &key, Some(set)).await;
    assert_eq!(reply.faults(), ["bucketId"]);
}
