//! Connections that say nothing, or not all, against a real listener with short limits.

use axum::routing::post;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// What does not come within this much of real time does not come.
const PATIENCE: Duration = Duration::from_secs(20);

const WHOLE: &[u8] = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi";

struct Stage {
    address: SocketAddr,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

async fn stage(limits: Limits) -> Stage {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let echo = |axum::Extension(Peer(peer)): axum::Extension<Peer>, body: Result<Bytes, _>| async move {
        let _: Bytes = body.map_err(|_: axum::extract::rejection::BytesRejection| "not whole")?;
        Ok::<_, &str>(format!("from {}", peer.ip()))
    };
    let stop = CancellationToken::new();
    let router = Router::new().route("/", post(echo));
    let served = tokio::spawn(serve(listener, router, limits, stop.clone().cancelled_owned()));
    Stage { address, stop, served }
}

fn limits() -> Limits {
    Limits {
        headers: Duration::from_millis(50),
        body: Duration::from_millis(50),
        ..Limits::default()
    }
}

/// All that comes until the other side closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    // A connection that is closed over unread bytes is reset: closed all the same.
    let _ = read.expect("the gateway closes the connection by itself");
    String::from_utf8(bytes).unwrap()
}

async fn first(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 1_024];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await;
    let length = read.expect("an answer comes").unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[tokio::test]
async fn a_client_that_does_not_say_what_it_wants_is_cut_off() {
    let stage = stage(limits()).await;
    for half in [
        &b""[..],
        b"POST / HTTP/1.1\r\nhost: x\r\n",
        // So far it could be either version of HTTP.
        b"P",
        b"PRI * HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(half).await.unwrap();
        let said = tokio::time::timeout(PATIENCE, async {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes).await;
        });
        said.await.unwrap_or_else(|_| panic!("{half:?} holds its connection"));
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_answer() {
    let stage = stage(limits()).await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(WHOLE).await.unwrap();
    let said = rest(&mut stream).await;
    assert!(
        said.starts_with("HTTP/1.1 200 OK") && said.ends_with("from 127.0.0.1"),
        "{said}"
    );
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_an_error() {
    let stage = stage(limits()).await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(&WHOLE[..WHOLE.len() - 1]).await.unwrap();
    let said = rest(&mut stream).await;
    assert!(said.ends_with("not whole"), "{said}");
}

#[tokio::test]
async fn one_more_connection_than_the_limit_waits_for_its_turn() {
    let stage = stage(Limits {
        connections: 1,
        ..Limits::default()
    })
    .await;
    let mut served = TcpStream::connect(stage.address).await.unwrap();
    served.write_all(WHOLE).await.unwrap();
    assert!(first(&mut served).await.starts_with("HTTP/1.1 200 OK"));
    let mut waiting = TcpStream::connect(stage.address).await.unwrap();
    waiting.write_all(WHOLE).await.unwrap();
    // The one that has the place is answered again, and the other one is not.
    served.write_all(WHOLE).await.unwrap();
    assert!(first(&mut served).await.starts_with("HTTP/1.1 200 OK"));
    let mut bytes = [0; 1];
    assert!(waiting.try_read(&mut bytes).is_err(), "nobody reads what it sent");
    drop(served);
    assert!(first(&mut waiting).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_stop_ends_idle_connections() {
    let stage = stage(Limits::default()).await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(WHOLE).await.unwrap();
    first(&mut stream).await;
    stage.stop.cancel();
    assert_eq!(rest(&mut stream).await, "");
    tokio::time::timeout(PATIENCE, stage.served).await.unwrap().unwrap();
}
