//! A SIMULATED Zendesk Support API v2, for tests: it imitates what is publicly documented of the vendor's behaviour.
//! It is not the vendor, was never compared with a live account, and keeps its rows in memory only.
//!
//! Reading order: [`Simulator`] starts it, [`Control`] moves it; `api` answers the vendor's paths with `pages` out of the
//! rows of `desk`, `search` understands what is searched for.

mod api;
mod control;
mod desk;
mod pages;
mod search;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;

pub use self::control::{Control, Error};
use crate::clock::{Clock, system_clock};
use crate::server::Server;

/// What a simulator is started with.
pub struct SimulatorOptions {
    /// Port 0 takes any free port.
    pub listen: SocketAddr,
    /// Dates of created and changed rows, and of the `Date` header.
    pub clock: Clock,
    pub email: String,
    /// The API token that goes with it.
    pub token: String,
    /// Exports leave out what changed so many seconds ago or later. The vendor does so for a minute.
    pub settling_seconds: i64,
    /// `users/me` answers wrong credentials as an anonymous user's, as documented; else with 401.
    pub greets_strangers: bool,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            clock: system_clock(),
            email: "jo@acme.example".to_owned(),
            token: "simulated-token".to_owned(),
            settling_seconds: 60,
            greets_strangers: true,
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
    /// Starts an account without rows.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(options: SimulatorOptions) -> io::Result<Self> {
        let listen = options.listen;
        let control = Control::new(options);
        let router = Router::new().fallback(api::handle).with_state(control.clone());
        let server = Server::start(listen, router).await?;
        Ok(Self { server, control })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end: what `zendesk.url` is set to.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The handle that creates, changes and refuses things. Clones act on the same simulator.
    pub fn control(&self) -> Control {
        self.control.clone()
    }
}
