//! A SIMULATED Acme Notes, for the guide, demos and tests. The vendor does not exist: examples/elements/README.md says what its
//! API is, and this is the only thing that answers it. Notes are kept in memory only.
//!
//! Reading order: [`Simulator`] starts it, [`Control`] moves it (over HTTP: `control_api`); `api` answers the vendor's paths
//! with pages out of `book`.

mod api;
mod book;
mod control;
mod control_api;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

pub use self::control::{Control, Error};
use crate::clock::{Clock, system_clock};
use crate::server::Server;

/// The token that is taken where nobody says another.
pub const TOKEN: &str = "simulated-token";

/// What a simulator is started with.
pub struct SimulatorOptions {
    /// Port 0 takes any free port.
    pub listen: SocketAddr,
    /// Dates of created and changed notes, and of the `Date` header.
    pub clock: Clock,
    pub token: String,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            clock: system_clock(),
            token: TOKEN.to_owned(),
        }
    }
}

/// A running simulator. Dropping it closes its port and connections.
#[derive(Debug)]
pub struct Simulator {
    server: Server,
    control: Control,
}

impl Simulator {
    /// Starts an account without notes.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(options: SimulatorOptions) -> io::Result<Self> {
        let listen = options.listen;
        let control = Control::new(options);
        let router = control_api::router(control.clone()).fallback_service(api::router(control.clone()));
        let server = Server::start(listen, router).await?;
        Ok(Self { server, control })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end: what `notes.url` is set to.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The handle that creates, changes and refuses things. Clones act on the same simulator.
    pub fn control(&self) -> Control {
        self.control.clone()
    }
}
