//! What the way out never does, whatever it is asked: an address that is judged but not dialled, a certificate that nobody
//! vouches for, an old TLS, a secret that follows a user's url.

use std::collections::{HashSet, VecDeque};
use std::net::Ipv4Addr;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::super::resolve::Lookup;
use super::*;
use crate::domain::grants::OperatorGrants;

/// Answers in turn, whatever the name; the last answer stays.
fn scripted(answers: &[Ipv4Addr]) -> (Lookup, Arc<AtomicUsize>) {
    let answers = Mutex::new(answers.iter().copied().collect::<VecDeque<_>>());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let lookup: Lookup = Arc::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        let mut answers = answers.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().copied()
        };
        let address = SocketAddr::from((answer.unwrap(), 0));
        Box::pin(async move { Ok(vec![address]) })
    });
    (lookup, asked)
}

#[tokio::test]
async fn a_name_that_is_rebound_is_judged_on_the_address_that_is_dialled() {
    const CLOSING: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    // One listener on all of loopback: had the second address been dialled, it would have been reached.
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let reached = Arc::new(Mutex::new(Vec::new()));
    let noted = reached.clone();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            noted
                .lock()
                .unwrap()
                .push(socket.local_addr().unwrap().ip().to_string());
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(CLOSING).await;
        }
    });
    // 127.0.0.1 stands for a public address: it alone is allowed.
    let (lookup, asked) = scripted(&[Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 2)]);
    let options = Options {
        allow_networks: vec!["127.0.0.1/32".parse().unwrap()],
        ..Options::default()
    };
    let outbound = Outbound::with_lookup(options, Arc::new(SystemClock), lookup).unwrap();
    let post = || Post {
        url: format!("http://rebind.test:{port}/"),
        ..notification(([127, 0, 0, 1], port).into(), "/")
    };
    assert_eq!(outbound.post(post()).await.unwrap().status, 200);
    for _ in 0..2 {
        let reason = outbound.post(post()).await.unwrap_err().reason;
        assert!(
            reason.starts_with("blocked_address: rebind.test is 127.0.0.2"),
            "{reason}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3, "each connection asks again");
    assert_eq!(*reached.lock().unwrap(), ["127.0.0.1"]);
}

#[tokio::test]
async fn an_ipv4_address_in_ipv6_clothes_is_judged_as_what_it_is() {
    let (address, connections) = serve_raw(b"").await;
    let strict = outbound(Options::default());
    for host in [
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:169.254.169.254]",
        "[::127.0.0.1]",
    ] {
        let url = format!("http://{host}:{}/", address.port());
        let grants = Arc::new(Grants {
            origins: vec![url.clone()],
            ..grants(address)
        });
        let vendor = failure(&strict.send(request(url.clone()), grants).await.unwrap());
        let callback = strict
            .post(Post {
                url,
                ..notification(address, "")
            })
            .await
            .unwrap_err()
            .reason;
        for reason in [vendor, callback] {
            assert!(reason.starts_with("blocked_address: "), "{host}: {reason}");
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

/// Serves with a certificate for this machine that no authority signed; counts the requests that came through.
async fn serve_self_signed() -> (SocketAddr, Arc<AtomicUsize>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = include_bytes!("self_signed.pem");
    let certificate = CertificateDer::from_pem_slice(pem).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut socket) = acceptor.accept(socket).await else {
                continue;
            };
            if socket.read(&mut [0; 4096]).await.is_ok_and(|bytes| bytes > 0) {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (address, requests)
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent() {
    let (address, requests) = serve_self_signed().await;
    let outbound = outbound(options());
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{}/", address.port());
        let grants = Arc::new(Grants {
            origins: vec![url.clone()],
            ..grants(address)
        });
        let vendor = failure(&outbound.send(request(url.clone()), grants).await.unwrap());
        let callback = outbound
            .post(Post {
                url,
                ..notification(address, "")
            })
            .await
            .unwrap_err()
            .reason;
        for reason in [vendor, callback] {
            assert!(reason.starts_with(&format!("tls: {host}: ")), "{reason}");
            assert!(reason.contains("certificate"), "{reason}");
        }
    }
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}

/// What a server says that knows nothing newer than TLS 1.1 (RFC 4346, section 7.4.1.3): a ServerHello of version 3.2.
const SERVER_HELLO_OF_TLS_1_1: &[u8] = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02\
    rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\xc0\x13\x00";

#[tokio::test]
async fn a_server_that_knows_no_tls_1_2_is_not_talked_down_to() {
    let (address, connections) = serve_raw(SERVER_HELLO_OF_TLS_1_1).await;
    let url = format!("https://{address}/");
    let post = Post {
        url,
        ..notification(address, "")
    };
    let reason = outbound(options()).post(post).await.unwrap_err().reason;
    assert!(reason.starts_with("tls: 127.0.0.1: "), "{reason}");
    assert!(reason.contains("ServerDoesNotSupportTls12Or13"), "{reason}");
    assert_eq!(
        connections.load(Ordering::SeqCst),
        1,
        "and not tried again in another way"
    );
}

#[tokio::test]
async fn a_redirect_from_https_or_http_leads_nowhere() {
    let target = serve_raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("http://{}/", target.0);
        let moved = move || {
            let location = location.clone();
            async move { (StatusCode::from_u16(status).unwrap(), [("location", location)]) }
        };
        let address = serve(Router::new().route("/", any(moved))).await;
        let outbound = outbound(options());
        assert_eq!(send(&outbound, address, "/").await.status, status);
        assert_eq!(outbound.post(notification(address, "/")).await.unwrap().status, status);
    }
    assert_eq!(target.1.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn where_https_is_required_nothing_is_sent_in_the_clear() {
    let (address, connections) = serve_raw(b"").await;
    let outbound = outbound(Options {
        require_https: true,
        ..options()
    });
    let vendor = failure(&send(&outbound, address, "/").await);
    let callback = outbound.post(notification(address, "/")).await.unwrap_err().reason;
    for reason in [vendor, callback] {
        assert!(reason.starts_with("not_encrypted: 127.0.0.1"), "{reason}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_secret_of_the_operator_is_not_sent_to_an_address_of_the_user() {
    let (address, connections) = serve_raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let outbound = outbound(options());
    let with_secret = Request {
        headers: vec![("key".into(), "{{secret:password}}".into())],
        ..request(format!("http://{address}/"))
    };
    let operator = |origins: Vec<String>| OperatorGrants {
        secrets: HashSet::from(["password".to_owned()]),
        origins,
        ..OperatorGrants::default()
    };
    let withheld = Arc::new(Grants {
        operator: operator(Vec::new()),
        ..grants(address)
    });
    let reason = failure(&outbound.send(with_secret.clone(), withheld.clone()).await.unwrap());
    assert!(
        reason.starts_with("withheld_secret: ") && reason.contains("secret_hosts"),
        "{reason}"
    );
    assert!(!reason.contains("hunter2"), "{reason}");
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    let plain = request(format!("http://{address}/"));
    assert_eq!(
        outbound.send(plain, withheld).await.unwrap().status,
        200,
        "without the secret"
    );
    let listed = Arc::new(Grants {
        operator: operator(vec![format!("http://{address}")]),
        ..grants(address)
    });
    assert_eq!(outbound.send(with_secret, listed).await.unwrap().status, 200);
}
