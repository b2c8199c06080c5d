//! A new connection to a server: resolved, judged, dialled, encrypted, introduced.
//! Never dials an address that was not judged, and never trusts what a server says of other servers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BufMut;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt;
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};
use watermelon_proto::error::ServerError;
use watermelon_proto::proto::{ClientOp, ServerOp, StreamDecoder};
use watermelon_proto::{Connect, NonStandardConnect, Subject};

use super::super::reason::Reason;
use super::super::resolve::Guard;
use super::ack::clip;
use super::link::{INBOX_ID, Link, Socket};
use super::message::Credentials;

/// Longest greeting of a server, in bytes. It lists every server of its cluster.
const INFO_BYTES_MAX: usize = 64 * 1024;

pub(super) struct Dialler {
    guard: Guard,
    /// None on a machine that knows no authorities.
    tls: Option<TlsConnector>,
    timeout: Duration,
}

/// What we need of a server's greeting. It comes before TLS, so nothing in it is to be trusted.
#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    tls_required: bool,
    #[serde(default)]
    tls_available: bool,
    #[serde(default)]
    headers: bool,
    #[serde(default)]
    max_payload: usize,
}

/// The machine's authorities, as for https.
pub(super) fn tls() -> Result<TlsConnector, String> {
    let config = ClientConfig::with_platform_verifier().map_err(|error| error.to_string())?;
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Dialler {
    pub(super) fn new(guard: Guard, tls: Option<TlsConnector>, timeout: Duration) -> Self {
        Self { guard, tls, timeout }
    }

    /// Ready to publish.
    pub(super) async fn dial(
        &self,
        url: &crate::engine::egress::NatsUrl,
        credentials: Option<&Credentials>,
    ) -> Result<Link, Reason> {
        self.guard.check_encryption(url.origin(), url.tls())?;
        let dialled = tokio::time::timeout(self.timeout, async {
            let addresses = self.addresses(url.origin(), url.port()).await?;
            let host = url.origin().host_str().unwrap_or_default();
            let mut socket = TcpStream::connect(&addresses[..])
                .await
                .map_err(|error| Reason::Connect(format!("{host}: {error}")))?;
            socket.set_nodelay(true).map_err(|error| lost(&error))?;
            let (info, rest) = greeting(&mut socket).await?;
            let encrypted = url.tls() || info.tls_required;
            if url.tls() && !info.tls_required && !info.tls_available {
                return Err(Reason::Tls(format!("{host} offers no TLS; nats:// would go without")));
            }
            let socket: Box<dyn Socket> = if encrypted {
                // What came in the clear must not be taken for what came encrypted.
                if !rest.is_empty() {
                    return Err(Reason::Tls(format!("{host} goes on in the clear after its greeting")));
                }
                Box::new(self.encrypt(url.origin(), socket).await?)
            } else {
                Box::new(socket)
            };
            let mut decoder = StreamDecoder::new();
            decoder.read_buf().put_slice(&rest);
            let link = Link::new(socket, decoder, info.max_payload);
            introduce(link, &info, encrypted, credentials).await
        });
        dialled.await.unwrap_or(Err(Reason::ConnectTimeout(self.timeout)))
    }

    /// Those addresses of the host that may be dialled.
    async fn addresses(&self, origin: &Url, port: u16) -> Result<Vec<SocketAddr>, Reason> {
        let literal = |address: IpAddr| vec![SocketAddr::new(address, port)];
        let (host, found) = match origin.host() {
            Some(Host::Ipv4(address)) => (address.to_string(), literal(address.into())),
            Some(Host::Ipv6(address)) => (address.to_string(), literal(address.into())),
            Some(Host::Domain(name)) => {
                let found = self.guard.look_up(name).await;
                let mut found = found.map_err(|error| Reason::Dns(format!("{name}: {error}")))?;
                found.iter_mut().for_each(|address| address.set_port(port));
                (name.to_owned(), found)
            }
            None => return Err(Reason::Url("there is no host".into())),
        };
        let allowed = self.guard.filter(&host, found)?;
        if allowed.is_empty() {
            return Err(Reason::Dns(format!("{host} has no address")));
        }
        Ok(allowed)
    }

    /// TLS for the host's name, whichever of its addresses was dialled.
    async fn encrypt(
        &self,
        origin: &Url,
        socket: TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Reason> {
        let host = origin.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let wrong = |error: &dyn std::fmt::Display| Reason::Tls(format!("{host}: {error}"));
        let tls = self.tls.as_ref().ok_or_else(|| {
            wrong(&"no certificates of authorities on this machine; install ca-certificates or set SSL_CERT_FILE")
        })?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| wrong(&error))?;
        tls.connect(name, socket).await.map_err(|error| wrong(&error))
    }
}

/// The first line, and what came with it.
async fn greeting(socket: &mut TcpStream) -> Result<(Info, Vec<u8>), Reason> {
    let mut bytes = Vec::with_capacity(4096);
    let end = loop {
        if let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") {
            break end;
        }
        if bytes.len() > INFO_BYTES_MAX {
            return Err(Reason::TooLong(INFO_BYTES_MAX));
        }
        if socket.read_buf(&mut bytes).await.map_err(|error| lost(&error))? == 0 {
            return Err(Reason::Reset("the connection was closed before any greeting".into()));
        }
    };
    let info = bytes[..end].strip_prefix(b"INFO ");
    let info = info.and_then(|json| serde_json::from_slice(json).ok());
    let info = info.ok_or_else(|| Reason::Reset("this is no NATS server: it greets with something else".into()))?;
    Ok((info, bytes.split_off(end + 2)))
}

/// Says who we are and where answers go, and waits until the server agrees.
async fn introduce(
    mut link: Link,
    info: &Info,
    encrypted: bool,
    credentials: Option<&Credentials>,
) -> Result<Link, Reason> {
    if !info.headers {
        return Err(Reason::Refused(
            "the server takes no headers; it needs NATS 2.2 or later".into(),
        ));
    }
    let connect = Connect {
        verbose: false,
        pedantic: false,
        require_tls: encrypted,
        auth_token: None,
        username: credentials.map(|it| it.user.expose().to_owned()),
        password: credentials.map(|it| it.password.expose().to_owned()),
        client_name: Some("tidegate".into()),
        client_lang: "rust",
        client_version: env!("CARGO_PKG_VERSION"),
        // Servers tell such a client nothing of their cluster, of which we would believe nothing.
        protocol: 0,
        echo: false,
        signature: None,
        jwt: None,
        supports_no_responders: true,
        supports_headers: true,
        nkey: None,
        non_standard: NonStandardConnect::default(),
    };
    let inbox = link.inbox().parse::<Subject>();
    let inbox = inbox.map_err(|error| Reason::Reset(format!("{}: {error}", link.inbox())))?;
    link.enqueue(&ClientOp::Connect {
        connect: Box::new(connect),
    });
    link.enqueue(&ClientOp::Subscribe {
        id: INBOX_ID.into(),
        subject: inbox,
        queue_group: None,
    });
    link.enqueue(&ClientOp::Ping);
    link.flush().await?;
    loop {
        match link.read().await? {
            ServerOp::Pong => return Ok(link),
            ServerOp::Error { error } => return Err(refusal(&error, credentials.is_some())),
            ServerOp::Ping => link.enqueue(&ClientOp::Pong),
            _ => {}
        }
    }
}

/// Why the server won't have us.
fn refusal(error: &ServerError, with_credentials: bool) -> Reason {
    let words = clip(&error.to_string());
    let advice = match error {
        ServerError::AuthorizationViolation | ServerError::AuthorizationTimeout if with_credentials => {
            "; it does not know this event.notification.basic.username with this password"
        }
        ServerError::AuthorizationViolation | ServerError::AuthorizationTimeout => {
            "; set event.notification.basic.username and event.notification.basic.password"
        }
        _ => "",
    };
    Reason::Refused(format!("the server says: {words}{advice}"))
}

fn lost(error: &std::io::Error) -> Reason {
    Reason::Reset(error.to_string())
}
