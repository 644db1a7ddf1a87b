//! Tests what only S3 does: a server that becomes unreachable, a broken connection, wrong
//! credentials.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use engine::secret::Secret;
use engine::store::{Mode, S3Config, S3Settings, S3Store, Store, StoreConfig, StoreError, StoreErrorKind};
use futures::TryStreamExt;
use harness::proxy::{Fault, Proxy};
use harness::seaweed::SeaweedFs;
use tokio::io::AsyncReadExt;

use crate::PART;
use crate::body::{body, content, drain, fed};
use crate::cases::{key, keys, race};

/// One server for all tests that do not damage it. Each has its own prefix.
static SERVER: LazyLock<SeaweedFs> = LazyLock::new(SeaweedFs::start);

fn config(server: &SeaweedFs) -> S3Config {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    S3Config {
        bucket: server.bucket.clone(),
        prefix: format!("prefix-{}/deep", NEXT.fetch_add(1, Ordering::Relaxed)),
        endpoint: Some(server.endpoint.clone()),
        region: None,
        path_style: None,
        access_key_id: Some(server.access_key.clone()),
        secret_access_key: Some(Secret::new(&server.secret_key)),
        cache_dir: None,
        part_size: None,
    }
}

/// Returns small parts and short pauses: the tests check that the limits apply, not how long they
/// are.
fn settings() -> S3Settings {
    S3Settings {
        part_size: PART,
        attempts: 3,
        persistent_attempts: 4,
        backoff: Duration::from_millis(20),
        ..S3Settings::default()
    }
}

async fn open_with(config: &S3Config, settings: S3Settings) -> Arc<dyn Store> {
    Arc::new(S3Store::open_with(config, settings).await.unwrap())
}

pub(crate) async fn open() -> (Arc<dyn Store>, ()) {
    let server = tokio::task::spawn_blocking(|| &*SERVER).await.unwrap();
    (open_with(&config(server), settings()).await, ())
}

/// Returns the server's unfinished uploads under a prefix, read without the store.
async fn unfinished(config: &S3Config) -> Vec<String> {
    let client = raw(config);
    let uploads = client.list_multipart_uploads().bucket(&config.bucket).prefix(&config.prefix).send().await.unwrap();
    uploads.uploads().iter().map(|upload| upload.key().unwrap().to_owned()).collect()
}

fn raw(config: &S3Config) -> aws_sdk_s3::Client {
    let secret = config.secret_access_key.as_ref().unwrap().expose();
    let builder = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("us-east-1"))
        .endpoint_url(config.endpoint.as_ref().unwrap())
        .credentials_provider(Credentials::new(config.access_key_id.as_ref().unwrap(), secret, None, None, "test"))
        .force_path_style(true);
    aws_sdk_s3::Client::from_conf(builder.build())
}

fn is_unavailable(error: &StoreError) -> bool {
    matches!(*error.kind, StoreErrorKind::Unavailable(_))
}

/// Runs work that must not hang. The limit is far above any real duration, so that a busy machine
/// fails no test.
async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), work).await.expect("it hangs")
}

#[tokio::test]
async fn configured_store_reports_its_location() {
    let config = S3Config { prefix: "backups/odoo".into(), ..config(&SERVER) };
    let store = engine::store::open(&StoreConfig::S3(config), false).await.unwrap();
    store.put(&key("object"), body("x"), Mode::CreateNew).await.unwrap();
    assert_eq!(store.location(), "s3://test/backups/odoo");
    assert!(!format!("{store:?}").contains("SKtest"));
}

#[tokio::test]
async fn empty_prefix_is_the_bucket() {
    let server = SeaweedFs::start();
    let store = open_with(&S3Config { prefix: String::new(), ..config(&server) }, settings()).await;
    store.put(&key("a/object"), body("x"), Mode::Replace).await.unwrap();
    assert_eq!(keys(&store, None).await, ["a/object"]);
    assert_eq!(keys(&store, Some("a")).await, ["a/object"]);
    assert_eq!(store.location(), "s3://test");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_server_ends_put() {
    let mut server = SeaweedFs::start();
    let store = open_with(&config(&server), settings()).await;
    let (sender, running) = fed();
    let put = tokio::spawn(async move { store.put(&key("object"), running, Mode::Replace).await });
    for _ in 0..4 {
        sender.send(Ok(content(PART, 1).into())).await.unwrap();
    }
    server.kill();
    // It produces until it is stopped. With an idle producer, the failed part must report the
    // error.
    for _ in 0..4 {
        if sender.send(Ok(content(PART, 1).into())).await.is_err() {
            break;
        }
    }
    let failed = bounded(put).await.unwrap().unwrap_err();
    assert!(is_unavailable(&failed), "{failed}");
    assert!(failed.to_string().contains("Connection refused"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_server_ends_get() {
    let mut server = SeaweedFs::start();
    let store = open_with(&config(&server), settings()).await;
    // More than the sockets on the way can buffer.
    store.put(&key("object"), body(content(12 * PART, 2)), Mode::Replace).await.unwrap();
    let mut got = store.get(&key("object"), None).await.unwrap();
    got.read_exact(&mut vec![0; 1000]).await.unwrap();
    server.kill();
    let failed = bounded(drain(got)).await.unwrap_err();
    let failed = StoreError::from_body(&failed).unwrap();
    assert!(is_unavailable(failed), "{failed}");
    assert_eq!(failed.key.as_ref().unwrap().as_str(), "object");
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_large_creators_leave_one_object() {
    let (store, ()) = open().await;
    // SeaweedFS 4.48 checks whether the object exists and then completes the upload, so several may
    // win here.
    assert!(!race(&store, 4, 2 * PART + 1).await.is_empty());
}

/// Returns a store behind a proxy.
async fn behind(settings: S3Settings) -> (Proxy, Arc<dyn Store>, S3Config) {
    let proxy = Proxy::start(SERVER.port).await;
    let direct = config(&SERVER);
    let through = S3Config { endpoint: Some(format!("http://127.0.0.1:{}", proxy.port)), ..direct.clone() };
    let store = open_with(&through, settings).await;
    (proxy, store, direct)
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_get_resumes_where_it_stopped() {
    let (proxy, store, _) = behind(settings()).await;
    let content = content(4 * PART, 3);
    store.put(&key("object"), body(content.clone()), Mode::Replace).await.unwrap();
    // More breaks than are allowed in a row, but bytes between them reset the count.
    for after in [1000, PART, 3000, PART / 2, 900, PART, 5000, 770] {
        proxy.inject(Fault::CutAnswer(after));
    }
    let whole = bounded(drain(store.get(&key("object"), None).await.unwrap())).await.unwrap();
    assert!(whole == content);
    assert_eq!(proxy.pending(), 0);

    proxy.inject(Fault::CutAnswer(PART));
    let range = (PART as u64 - 5)..(3 * PART as u64);
    let part = bounded(drain(store.get(&key("object"), Some(range)).await.unwrap())).await.unwrap();
    assert!(part == content[PART - 5..3 * PART]);
    assert_eq!(proxy.pending(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn get_does_not_resume_other_version() {
    let (proxy, store, direct) = behind(settings()).await;
    let other = open_with(&direct, settings()).await;
    // Both have the same length, so only the version distinguishes them. They are larger than the
    // socket buffers.
    let size = 6 * PART;
    other.put(&key("object"), body(content(size, 4)), Mode::Replace).await.unwrap();
    proxy.inject(Fault::CutAnswer(size / 2));
    let mut got = store.get(&key("object"), None).await.unwrap();
    got.read_exact(&mut vec![0; 1000]).await.unwrap();
    other.put(&key("object"), body(content(size, 5)), Mode::Replace).await.unwrap();
    let failed = bounded(drain(got)).await.unwrap_err();
    assert!(failed.to_string().contains("replaced while it was read"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_upload_is_sent_again() {
    let (proxy, store, _) = behind(settings()).await;
    // In the only request, and in a part.
    for (size, at) in [(PART / 2, PART / 4), (3 * PART, 2 * PART)] {
        proxy.inject(Fault::FlipRequest(at));
        let content = content(size, 6);
        store.put(&key("object"), body(content.clone()), Mode::Replace).await.unwrap();
        assert_eq!(proxy.pending(), 0);
        assert!(drain(store.get(&key("object"), None).await.unwrap()).await.unwrap() == content);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answer_is_no_conflict() {
    let (proxy, store, _) = behind(settings()).await;
    // The head before is answered, then each answer is lost once: the object was stored, and the
    // second attempt finds it.
    for size in [10, 3 * PART] {
        for after in [0, 1, 300, 600, 900, 1200, 1500, 1800, 2100] {
            let key = key(&format!("once-{size}-{after}"));
            proxy.inject(Fault::CutAnswer(after));
            let put = bounded(store.put(&key, body(content(size, 7)), Mode::CreateNew)).await;
            assert_eq!(put.unwrap(), size as u64);
            // A remaining fault would affect the next round.
            while proxy.pending() > 0 {
                let _ = store.head(&key).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_server_times_out() {
    let settings = S3Settings {
        patience: Duration::from_secs(1),
        slowest: u64::MAX,
        attempts: 2,
        persistent_attempts: 2,
        ..settings()
    };
    let (proxy, store, direct) = behind(settings).await;
    // A busy machine may take longer for it than this store waits.
    let patient = open_with(&direct, self::settings()).await;
    patient.put(&key("object"), body(content(6 * PART, 8)), Mode::Replace).await.unwrap();
    let mut got = store.get(&key("object"), None).await.unwrap();
    got.read_exact(&mut vec![0; 1000]).await.unwrap();
    let (sender, running) = fed();
    let put = tokio::spawn({
        let store = store.clone();
        async move { store.put(&key("other"), running, Mode::Replace).await }
    });
    for _ in 0..4 {
        sender.send(Ok(content(PART, 1).into())).await.unwrap();
    }
    proxy.stop_forwarding();
    drop(sender);
    let failed = bounded(drain(got)).await.unwrap_err();
    assert!(is_unavailable(StoreError::from_body(&failed).unwrap()), "{failed}");
    let failed = bounded(put).await.unwrap().unwrap_err();
    assert!(is_unavailable(&failed), "{failed}");
    let failed = bounded(store.head(&key("object"))).await.unwrap_err();
    assert!(is_unavailable(&failed), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_put_is_aborted_on_server() {
    let direct = config(&SERVER);
    let store = open_with(&direct, settings()).await;
    let (sender, running) = fed();
    let put = tokio::spawn(async move { store.put(&key("dropped"), running, Mode::Replace).await });
    for _ in 0..4 {
        sender.send(Ok(content(PART, 1).into())).await.unwrap();
    }
    let begun = async {
        while unfinished(&direct).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    bounded(begun).await;
    put.abort();
    let aborted = async {
        while !unfinished(&direct).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    bounded(aborted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sweep_aborts_uploads_of_killed_process() {
    let direct = config(&SERVER);
    let store = open_with(&direct, settings()).await;
    let client = raw(&direct);
    for name in ["production/a", "b"] {
        let name = format!("{}/{name}", direct.prefix);
        client.create_multipart_upload().bucket(&direct.bucket).key(name).send().await.unwrap();
    }
    let neighbour = format!("{}-neighbour/c", direct.prefix);
    client.create_multipart_upload().bucket(&direct.bucket).key(&neighbour).send().await.unwrap();
    assert!(store.sweep(Duration::from_secs(3600)).await.unwrap().is_empty());
    let mut swept = store.sweep(Duration::ZERO).await.unwrap();
    swept.sort();
    assert_eq!(swept, ["b", "production/a"]);
    assert_eq!(unfinished(&direct).await, [neighbour]);
}

/// Returns the error of each operation.
async fn every_failure(store: Arc<dyn Store>) -> Vec<StoreError> {
    let object = key("production/object");
    let listed = store.list(Some(&object)).try_collect::<Vec<_>>().await.unwrap_err();
    let listed_all = store.list(None).try_collect::<Vec<_>>().await.unwrap_err();
    let mut failures = vec![
        store.put(&object, body("x"), Mode::Replace).await.unwrap_err(),
        store.put(&object, body("x"), Mode::CreateNew).await.unwrap_err(),
        store.put(&object, body(content(3 * PART, 1)), Mode::Replace).await.unwrap_err(),
        store.get(&object, None).await.err().unwrap(),
        store.head(&object).await.unwrap_err(),
        store.sweep(Duration::ZERO).await.unwrap_err(),
        listed,
        listed_all,
    ];
    failures.extend(store.delete(&object).await.err());
    failures
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_denied_without_leak() {
    let valid = config(&SERVER);
    let wrong_secret = S3Config { secret_access_key: Some(Secret::new("hunter2")), ..valid.clone() };
    let wrong_id = S3Config { access_key_id: Some("AKnobody".into()), ..valid };
    for config in [wrong_secret, wrong_id] {
        for failure in every_failure(open_with(&config, settings()).await).await {
            assert!(matches!(*failure.kind, StoreErrorKind::Denied(_)), "{failure}");
            assert!(!format!("{failure} {failure:?}").contains("hunter2"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_bucket_is_reported() {
    let config = S3Config { bucket: "nowhere".into(), ..config(&SERVER) };
    for failure in every_failure(open_with(&config, settings()).await).await {
        assert!(matches!(*failure.kind, StoreErrorKind::NoSuchPlace(_)), "{failure}");
        assert!(failure.to_string().contains("\"nowhere\" does not exist"), "{failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unanswered_address_is_unavailable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in
        [format!("http://{free}"), format!("https://127.0.0.1:{}", SERVER.port), "http://host.invalid".into()]
    {
        let config = S3Config { endpoint: Some(endpoint), ..config(&SERVER) };
        let store = open_with(&config, S3Settings { attempts: 2, persistent_attempts: 2, ..settings() }).await;
        for failure in bounded(every_failure(store)).await {
            assert!(is_unavailable(&failure), "{failure}");
        }
    }
}

/// Returns a store whose minimum rate is far above the rate of the slowed proxy.
async fn demanding() -> (Proxy, Arc<dyn Store>) {
    let settings = S3Settings { patience: Duration::from_secs(1), least: 1 << 20, ..settings() };
    let (proxy, store, _) = behind(settings).await;
    (proxy, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn trickling_get_times_out() {
    let (proxy, store) = demanding().await;
    store.put(&key("object"), body(content(6 * PART, 8)), Mode::Replace).await.unwrap();
    proxy.slow_down(Some(1000));
    let failed = bounded(drain(store.get(&key("object"), None).await.unwrap())).await.unwrap_err();
    let failed = StoreError::from_body(&failed).unwrap();
    assert!(is_unavailable(failed) && failed.to_string().contains("bytes came in"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn trickling_get_resumes_on_new_connection() {
    let (proxy, store) = demanding().await;
    let content = content(6 * PART, 9);
    store.put(&key("object"), body(content.clone()), Mode::Replace).await.unwrap();
    proxy.take_requests();
    proxy.slow_down(Some(1000));
    let got = store.get(&key("object"), None).await.unwrap();
    let reading = tokio::spawn(drain(got));
    let again = async {
        let mut gets = 0;
        while gets < 2 {
            gets += proxy.take_requests().iter().filter(|request| request.starts_with("GET")).count();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    bounded(again).await;
    proxy.slow_down(None);
    assert!(bounded(reading).await.unwrap().unwrap() == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_and_archive_errors_have_hints() {
    for (code, hint) in [("RequestTimeTooSkewed", "clock"), ("InvalidObjectState", "archive")] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let xml = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
        let answer =
            format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{xml}", xml.len());
        let server = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let _ = client.read(&mut [0; 16 * 1024]).await;
                let _ = tokio::io::AsyncWriteExt::write_all(&mut client, answer.as_bytes()).await;
            }
        });
        let store = open_with(&S3Config { endpoint: Some(endpoint), ..config(&SERVER) }, settings()).await;
        let failed = bounded(store.get(&key("object"), None)).await.err().unwrap();
        assert!(failed.hint().unwrap().contains(hint) && !failed.is_of_object(), "{failed}: {:?}", failed.hint());
        server.abort();
    }
}
