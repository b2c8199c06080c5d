//! The adapter against a real nats-server, started by each test, and against servers that mean no good.
//! Where there is no nats-server a test says so and passes, but in CI it fails.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use tidegate_examples::nats::NatsServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::domain::secret::Secret;
use crate::outbound::resolve::{Lookup, system_lookup};

const TIMEOUT: Duration = Duration::from_secs(20);

fn options() -> Options {
    Options {
        allow_private_networks: true,
        ..Options::default()
    }
}

fn nats(options: &Options) -> Nats {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let guard = Guard::new(options, system_lookup());
    Nats::new(options, &guard)
}

fn server(configuration: &str) -> Option<NatsServer> {
    NatsServer::of_a_test(configuration)
}

fn header(name: &str, value: &str) -> (String, Secret) {
    (name.to_owned(), Secret::new(value))
}

fn basic(user: &str, password: &str) -> (String, Secret) {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    header("Authorization", &format!("Basic {text}"))
}

async fn publish(nats: &Nats, url: &str, id: &str) -> Result<u16, String> {
    publish_with(nats, url, &[], "{}", id).await
}

fn post(url: &str, headers: &[(String, Secret)], body: &str, id: &str, timeout: Duration) -> Post {
    Post {
        url: url.to_owned(),
        id: id.to_owned(),
        headers: headers.to_vec(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        timeout,
    }
}

async fn publish_with(
    nats: &Nats,
    url: &str,
    headers: &[(String, Secret)],
    body: &str,
    id: &str,
) -> Result<u16, String> {
    let answer = nats.publish(&post(url, headers, body, id, TIMEOUT)).await;
    answer.map(|answer| answer.status).map_err(|reason| reason.to_string())
}

#[tokio::test]
async fn what_was_published_is_in_the_stream_with_headers_and_body() {
    let Some(server) = server("") else { return };
    server.add_stream("EVENTS", &["crm.>"], &json!({})).unwrap();
    let nats = nats(&options());
    let headers = [
        header("content-type", "application/cloudevents+json"),
        header("webhook-id", "msg_1"),
        header("webhook-signature", "v1,abc="),
        basic("ada", "hunter2"),
    ];
    let url = server.url("crm.autotaskcrm.1.accounts.created");
    let status = publish_with(&nats, &url, &headers, "{\"id\":\"evt_1\"}", "evt_1").await;
    assert_eq!(status, Ok(200));
    let messages = server.messages("EVENTS").unwrap();
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!(message.subject, "crm.autotaskcrm.1.accounts.created");
    assert_eq!(message.data, b"{\"id\":\"evt_1\"}");
    assert_eq!(message.header("Nats-Msg-Id"), Some("evt_1"));
    assert_eq!(message.header("webhook-signature"), Some("v1,abc="));
    assert_eq!(message.header("content-type"), Some("application/cloudevents+json"));
    assert_eq!(message.headers.len(), 4, "{:?}", message.headers);
}

#[tokio::test]
async fn an_id_that_comes_twice_is_acknowledged_twice_and_stored_once() {
    let Some(server) = server("") else { return };
    server.add_stream("EVENTS", &["events"], &json!({})).unwrap();
    let nats = nats(&options());
    for id in ["evt_1", "evt_1", "evt_2", "evt_1"] {
        assert_eq!(publish(&nats, &server.url("events"), id).await, Ok(200), "{id}");
    }
    let ids: Vec<_> = server.messages("EVENTS").unwrap();
    let ids: Vec<_> = ids.iter().filter_map(|message| message.header("Nats-Msg-Id")).collect();
    assert_eq!(ids, ["evt_1", "evt_2"]);
}

#[tokio::test]
async fn many_at_once_share_one_connection_and_each_gets_its_own_answer() {
    let Some(server) = server("") else { return };
    server.add_stream("EVENTS", &["events.*"], &json!({})).unwrap();
    let nats = nats(&options());
    let urls: Vec<_> = (0..200)
        .map(|n| match n % 10 {
            0 => server.url(&format!("elsewhere.{n}")),
            _ => server.url(&format!("events.{n}")),
        })
        .collect();
    let ids: Vec<_> = (0..200).map(|n| format!("evt_{n}")).collect();
    let all = urls.iter().zip(&ids).map(|(url, id)| publish(&nats, url, id));
    let answers = futures_util::future::join_all(all).await;
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_ok(), n % 10 != 0, "{n}: {answer:?}");
    }
    assert_eq!(server.messages("EVENTS").unwrap().len(), 180);
    assert_eq!(nats.sockets.available_permits(), CONNECTIONS_MAX - 1);
}

#[tokio::test]
async fn a_subject_that_no_stream_takes_is_told_with_the_way_to_make_one() {
    let Some(server) = server("") else { return };
    let error = publish(&nats(&options()), &server.url("events.x"), "evt_1").await;
    assert_eq!(
        error.unwrap_err(),
        "no_stream: no stream takes the subject events.x; create one: nats stream add NAME --subjects 'events.x'"
    );
}

#[tokio::test]
async fn a_server_that_was_killed_is_an_error_and_after_its_restart_a_success() {
    let Some(mut server) = server("") else { return };
    server.add_stream("EVENTS", &["events"], &json!({})).unwrap();
    let nats = nats(&options());
    let url = server.url("events");
    assert_eq!(publish(&nats, &url, "evt_1").await, Ok(200));
    server.kill().unwrap();
    let error = publish(&nats, &url, "evt_2").await.unwrap_err();
    assert!(
        error.starts_with("connect: 127.0.0.1: ") || error.starts_with("reset: "),
        "{error}"
    );
    let error = publish(&nats, &url, "evt_2").await.unwrap_err();
    assert!(error.starts_with("connect: 127.0.0.1: "), "{error}");
    server.restart().unwrap();
    assert_eq!(publish(&nats, &url, "evt_2").await, Ok(200));
    assert_eq!(publish(&nats, &url, "evt_1").await, Ok(200));
    assert_eq!(
        server.messages("EVENTS").unwrap().len(),
        2,
        "the ids are known after a restart"
    );
}

#[tokio::test]
async fn user_and_password_come_from_basic_authentication_and_wrong_ones_are_refused() {
    let Some(mut server) = server("authorization { users: [ {user: ada, password: hunter2} ] }") else {
        return;
    };
    server.credentials = Some(("ada".into(), "hunter2".into()));
    server.add_stream("EVENTS", &["events"], &json!({})).unwrap();
    let nats = nats(&options());
    let url = server.url("events");
    let send = |headers: Vec<_>| {
        let (nats, url) = (&nats, &url);
        async move { publish_with(nats, url, &headers, "{}", "evt_1").await }
    };
    assert_eq!(send(vec![basic("ada", "hunter2")]).await, Ok(200));
    let error = send(vec![basic("ada", "hunter3")]).await.unwrap_err();
    assert!(
        error.starts_with("refused: the server says: authorization violation"),
        "{error}"
    );
    assert!(
        error.contains("basic.username") && !error.contains("hunter3"),
        "{error}"
    );
    let error = send(vec![]).await.unwrap_err();
    assert!(error.contains("set event.notification.basic.username"), "{error}");
    let error = send(vec![header("authorization", "Bearer hunter2")]).await.unwrap_err();
    assert!(error.starts_with("header: ") && !error.contains("hunter2"), "{error}");
    assert_eq!(server.messages("EVENTS").unwrap().len(), 1);
}

#[tokio::test]
async fn a_subject_that_the_user_may_not_publish_to_is_refused_at_once() {
    let users = "authorization { users: [ \
                 {user: ada, password: hunter2, permissions: {publish: [\"events.a\"], subscribe: [\"_INBOX.>\"]}}, \
                 {user: root, password: secret} ] }";
    let Some(mut server) = server(users) else { return };
    server.credentials = Some(("root".into(), "secret".into()));
    server.add_stream("EVENTS", &["events.*"], &json!({})).unwrap();
    let nats = nats(&options());
    let headers = [basic("ada", "hunter2")];
    let allowed = publish_with(&nats, &server.url("events.a"), &headers, "{}", "evt_1").await;
    assert_eq!(allowed, Ok(200));
    let refused = publish_with(&nats, &server.url("events.b"), &headers, "{}", "evt_2").await;
    let error = refused.unwrap_err();
    assert!(
        error.starts_with("refused: the server says: permissions violation"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_longer_than_server_or_stream_takes_is_413() {
    let Some(server) = server("max_payload: 4096") else {
        return;
    };
    server.add_stream("EVENTS", &["events"], &json!({})).unwrap();
    let short = json!({"max_msg_size": 100});
    server.add_stream("SHORT", &["short"], &short).unwrap();
    let nats = nats(&options());
    let send = |subject: &str, bytes: usize| {
        let (nats, url) = (&nats, server.url(subject));
        async move { publish_with(nats, &url, &[], &"x".repeat(bytes), &format!("evt_{bytes}")).await }
    };
    let head = "NATS/1.0\r\nNats-Msg-Id: evt_0000\r\n\r\n".len();
    assert_eq!(send("events", 4096 - head).await, Ok(200), "exactly as much");
    assert_eq!(send("events", 4096 - head + 1).await, Ok(413), "one byte more");
    assert_eq!(send("short", 200).await, Ok(413));
    assert_eq!(send("events", 5).await, Ok(200), "the connection is still there");
}

#[tokio::test]
async fn a_stream_that_is_full_is_an_error_in_the_server_s_words() {
    let Some(server) = server("") else { return };
    let full = json!({"max_msgs": 1, "discard": "new"});
    server.add_stream("EVENTS", &["events"], &full).unwrap();
    let nats = nats(&options());
    assert_eq!(publish(&nats, &server.url("events"), "evt_1").await, Ok(200));
    let error = publish(&nats, &server.url("events"), "evt_2").await.unwrap_err();
    assert!(
        error.starts_with("refused: the stream did not take it: maximum messages exceeded"),
        "{error}"
    );
}

#[tokio::test]
async fn an_address_that_may_not_be_dialled_is_not_dialled_by_name_or_number() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let nats = nats(&Options::default());
    for host in ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]"] {
        for scheme in ["nats", "tls"] {
            let error = publish(&nats, &format!("{scheme}://{host}:{port}/events"), "evt_1").await;
            let error = error.unwrap_err();
            assert!(error.starts_with("blocked_address: "), "{host}: {error}");
        }
    }
    let dialled = futures_util::FutureExt::now_or_never(listener.accept());
    assert!(dialled.is_none(), "somebody was there");
}

#[tokio::test]
async fn a_name_is_judged_anew_at_each_connection_and_what_was_judged_is_dialled() {
    let Some(server) = server("") else { return };
    server.add_stream("EVENTS", &["events"], &json!({})).unwrap();
    let _installed = rustls::crypto::ring::default_provider().install_default();
    // As a hostile name server would: ours at first, and then what the gateway must not reach.
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let lookup: Lookup = Arc::new(move |_| {
        let answer = ["127.0.0.1:0", "127.0.0.2:0"][count.fetch_add(1, Ordering::SeqCst).min(1)];
        Box::pin(async move { Ok(vec![answer.parse().unwrap()]) })
    });
    let options = Options {
        allow_networks: vec!["127.0.0.1/32".parse().unwrap()],
        ..Options::default()
    };
    let nats = Nats::with(&options, &Guard::new(&options, lookup), None, BOUNDS);
    let url = format!("nats://rebound.test:{}/events", server.address().port());
    assert_eq!(publish(&nats, &url, "evt_1").await, Ok(200));
    assert_eq!(publish(&nats, &url, "evt_2").await, Ok(200));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the connection is kept");
    nats.pool.lock().unwrap().slots.clear();
    let error = publish(&nats, &url, "evt_3").await.unwrap_err();
    assert!(
        error.starts_with("blocked_address: rebound.test is 127.0.0.2"),
        "{error}"
    );
}

#[tokio::test]
async fn a_name_without_address_is_told_as_such() {
    let error = publish(&nats(&options()), "nats://no-such-host.invalid/events", "evt_1").await;
    assert!(error.unwrap_err().starts_with("dns: no-such-host.invalid: "));
}

#[tokio::test]
async fn what_is_not_filled_in_or_not_ours_to_say_is_refused_before_anything_is_dialled() {
    let nats = nats(&options());
    let error = publish(&nats, "nats://127.0.0.1:1/events.{change}", "evt_1").await;
    assert!(error.unwrap_err().contains("was not filled in"));
    for (name, value) in [
        ("Nats-Rollup", "all"),
        ("nats-msg-id", "evt_2"),
        ("x", "a\r\nb"),
        ("a:b", "c"),
    ] {
        let headers = [header(name, value)];
        let error = publish_with(&nats, "nats://127.0.0.1:1/events", &headers, "{}", "evt_1").await;
        let error = error.unwrap_err();
        assert!(error.starts_with("header: "), "{name}: {error}");
    }
}

/// Greets, answers the introduction, says these bytes and falls silent. Counts connections.
async fn false_server(greeting: &'static str, then: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            let then = then.clone();
            tokio::spawn(async move {
                let _ = socket.write_all(greeting.as_bytes()).await;
                let _ = socket.read(&mut [0; 4096]).await;
                let _ = socket.write_all(b"PONG\r\n").await;
                let _ = socket.write_all(&then).await;
                while socket.read(&mut [0; 4096]).await.is_ok_and(|bytes| bytes > 0) {}
            });
        }
    });
    (address, count)
}

const GREETING: &str = "INFO {\"headers\":true,\"max_payload\":1048576}\r\n";

#[tokio::test]
async fn a_server_that_means_no_good_gets_no_memory_and_no_panic() {
    let huge = usize::MAX;
    for (greeting, then, kind) in [
        (
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            vec![],
            "reset: no answer came: this is no NATS",
        ),
        ("INFO {}\r\n", vec![], "refused: the server takes no headers"),
        (GREETING, b"-ERR\r\n".to_vec(), "reset: "),
        (GREETING, b"-ERR ''\r\n".to_vec(), "refused: "),
        (
            GREETING,
            b"-ERR 'Stale Connection'\r\n".to_vec(),
            "refused: the server says: stale",
        ),
        (GREETING, format!("MSG x 1 {huge}\r\n").into_bytes(), "reset: "),
        (GREETING, format!("HMSG x 1 {huge} {huge}\r\n").into_bytes(), "reset: "),
        (GREETING, vec![b'x'; 1024 * 1024], "reset: "),
        (
            GREETING,
            [&b"MSG x 1 99999999\r\n"[..], &[b'x'; 1024 * 1024]].concat(),
            "too_long: ",
        ),
    ] {
        let shown = String::from_utf8_lossy(&then[..then.len().min(40)]).into_owned();
        let (address, _) = false_server(greeting, then).await;
        let error = publish(&nats(&options()), &format!("nats://{address}/events"), "evt_1").await;
        let error = error.expect_err(&shown);
        assert!(error.starts_with(kind), "{greeting} {shown}: {error}");
    }
    let (address, _) = false_server(Box::leak("x".repeat(INFO_TOO_LONG).into_boxed_str()), vec![]).await;
    let error = publish(&nats(&options()), &format!("nats://{address}/events"), "evt_1").await;
    assert!(error.unwrap_err().starts_with("too_long: "));
}

const INFO_TOO_LONG: usize = 256 * 1024;

#[tokio::test]
async fn a_server_that_never_acknowledges_is_a_time_out_and_the_next_one_dials_anew() {
    let (address, count) = false_server(GREETING, vec![]).await;
    let nats = nats(&options());
    let url = format!("nats://{address}/events");
    for dialled in 1..=2 {
        let waited = post(&url, &[], "{}", "evt_1", Duration::from_secs(1));
        let waited = nats.publish(&waited);
        assert_eq!(waited.await.unwrap_err(), Reason::Timeout(Duration::from_secs(1)));
        assert_eq!(count.load(Ordering::SeqCst), dialled);
    }
}

#[tokio::test]
async fn tls_is_not_given_up_for_a_server_that_offers_none() {
    let (address, _) = false_server(GREETING, vec![]).await;
    let error = publish(&nats(&options()), &format!("tls://{address}/events"), "evt_1").await;
    assert!(error.unwrap_err().starts_with("tls: 127.0.0.1 offers no TLS"));
}

/// Signed by itself, for a day. By the program that keeps every machine's authorities up to date.
fn make_certificate(certificate: &Path, key: &Path) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args([
            "-days",
            "1",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(key)
        .arg("-out")
        .arg(certificate)
        .output();
    let made = made.expect("there is no openssl: apt-get install openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A TLS server for `localhost` alone, and who trusts it. The files last as long as the folder.
fn tls_server(configuration: &str) -> Option<(NatsServer, Nats, tempfile::TempDir)> {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| folder.path().join(name));
    make_certificate(&certificate, &key);
    let server = server(&format!(
        "tls {{ cert_file: {certificate:?}, key_file: {key:?} }}\n{configuration}"
    ))?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let options = options();
    let guard = Guard::new(&options, system_lookup());
    let nats = Nats::with(&options, &guard, Some(TlsConnector::from(Arc::new(config))), BOUNDS);
    Some((server, nats, folder))
}

#[tokio::test]
async fn tls_holds_the_server_to_its_name_whatever_address_was_dialled() {
    let Some((server, trusting, _folder)) = tls_server("allow_non_tls: true") else {
        return;
    };
    server.add_stream("EVENTS", &["events"], &json!({})).unwrap();
    let port = server.address().port();
    let url = |host: &str| format!("tls://{host}:{port}/events");
    assert_eq!(publish(&trusting, &url("localhost"), "evt_1").await, Ok(200));
    trusting.pool.lock().unwrap().slots.clear();
    let error = publish(&trusting, &url("127.0.0.1"), "evt_2").await.unwrap_err();
    assert!(error.starts_with("tls: 127.0.0.1: invalid peer certificate"), "{error}");
    let error = publish(&nats(&options()), &url("localhost"), "evt_3")
        .await
        .unwrap_err();
    assert!(error.starts_with("tls: localhost: invalid peer certificate"), "{error}");
    assert_eq!(server.messages("EVENTS").unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_wants_tls_gets_it_under_nats_too() {
    let Some((server, trusting, _folder)) = tls_server("") else {
        return;
    };
    let port = server.address().port();
    let error = publish(&trusting, &format!("nats://localhost:{port}/events"), "evt_1").await;
    // It got as far as the streams, of which there is none.
    assert!(error.unwrap_err().starts_with("no_stream: "));
}

#[tokio::test]
async fn what_came_in_the_clear_is_not_taken_for_what_comes_encrypted() {
    let greeting = "INFO {\"headers\":true,\"max_payload\":9,\"tls_required\":true}\r\nPONG\r\n";
    let (address, _) = false_server(greeting, vec![]).await;
    let error = publish(&nats(&options()), &format!("nats://{address}/events"), "evt_1").await;
    assert!(error.unwrap_err().contains("goes on in the clear"));
}

const BOUNDS: Bounds = Bounds {
    connections_max: 1,
    idle_max: TIMEOUT,
};

fn bounded(bounds: Bounds) -> Nats {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    Nats::with(&options(), &Guard::new(&options(), system_lookup()), None, bounds)
}

#[tokio::test]
async fn there_are_never_more_connections_than_allowed() {
    let (silent, _) = false_server(GREETING, vec![]).await;
    let (other, count) = false_server(GREETING, vec![]).await;
    let nats = bounded(BOUNDS);
    let url = |address: SocketAddr| format!("nats://{address}/events");
    let [first, second] = [(silent, 2000), (other, 500)]
        .map(|(address, ms)| post(&url(address), &[], "{}", "evt_1", Duration::from_millis(ms)));
    let (first, second) = futures_util::join!(nats.publish(&first), nats.publish(&second));
    assert_eq!(first.unwrap_err().to_string(), "timeout: no answer within 2 s");
    assert_eq!(second.unwrap_err().to_string(), "timeout: no answer within 500 ms");
    assert_eq!(count.load(Ordering::SeqCst), 0, "nobody dialled the second server");
}

#[tokio::test]
async fn one_too_many_takes_the_place_of_the_one_that_was_not_used_for_longest() {
    let Some(server) = server("") else { return };
    server.add_stream("EVENTS", &["events"], &json!({})).unwrap();
    let nats = bounded(BOUNDS);
    let other = format!("nats://localhost:{}/events", server.address().port());
    for (n, url) in [server.url("events"), other].iter().cycle().take(6).enumerate() {
        assert_eq!(publish(&nats, url, &format!("evt_{n}")).await, Ok(200), "{n}");
    }
    assert_eq!(server.messages("EVENTS").unwrap().len(), 6);
    assert_eq!(nats.pool.lock().unwrap().slots.len(), 1);
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_and_dialled_again_when_it_is_wanted() {
    let Some(server) = server("") else { return };
    server.add_stream("EVENTS", &["events"], &json!({})).unwrap();
    let nats = bounded(Bounds {
        idle_max: Duration::from_millis(20),
        ..BOUNDS
    });
    for id in ["evt_1", "evt_2"] {
        assert_eq!(publish(&nats, &server.url("events"), id).await, Ok(200));
        // There is a permit again when the connection is gone.
        let gone = tokio::time::timeout(TIMEOUT, nats.sockets.acquire()).await;
        drop(gone.unwrap().unwrap());
    }
}

#[tokio::test]
async fn more_messages_than_may_wait_at_once_all_get_through() {
    let Some(server) = server("") else { return };
    server.add_stream("EVENTS", &["events"], &json!({})).unwrap();
    let nats = bounded(BOUNDS);
    let url = server.url("events");
    let ids: Vec<_> = (0..2 * link::PENDING_MAX).map(|n| format!("evt_{n}")).collect();
    let answers = futures_util::future::join_all(ids.iter().map(|id| publish(&nats, &url, id))).await;
    assert!(answers.iter().all(|answer| *answer == Ok(200)));
}
