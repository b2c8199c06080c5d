//! A SIMULATED HubSpot CRM API v3, for demos and tests: it imitates what HubSpot documents of searches, lists, records, the
//! token endpoint and limits. It is not the vendor, was never compared with a live account, and keeps its rows in memory.
//!
//! Reading order: [`Simulator`] starts it, [`Control`] moves it; `api` answers the vendor's paths, `search` understands
//! what is searched for, `tokens` hands out and checks credentials, `store` holds the rows.

mod api;
mod control;
mod search;
mod store;
mod tokens;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

pub use self::control::{Asked, Control, Limit};
pub use self::tokens::{Client, HUB_ID, PRIVATE_APP_TOKEN};
use crate::clock::{Clock, system_clock};
use crate::server::Server;

/// HubSpot's own number: <https://developers.hubspot.com/docs/api-reference/search/guide>, section Limits.
const RESULTS_MAX: usize = 10_000;

/// What a simulator is started with.
pub struct SimulatorOptions {
    /// Dates of created, changed and archived rows, and the life of tokens.
    pub clock: Clock,
    /// A search gives no more than so many of its results, however it is paged.
    pub results_max: usize,
    /// How long an access token is good, as it is told.
    pub token_seconds: i64,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            clock: system_clock(),
            results_max: RESULTS_MAX,
            token_seconds: 1_800,
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
    /// Starts an account without rows on any free port of this machine.
    ///
    /// # Errors
    /// When no address can be listened on.
    pub async fn start(options: SimulatorOptions) -> io::Result<Self> {
        let control = Control::new(options);
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::start(listen, api::router(control.clone())).await?;
        Ok(Self { server, control })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end: what `crm.hubspot.url` is set to.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The handle that creates, changes and refuses things. Clones act on the same simulator.
    pub fn control(&self) -> Control {
        self.control.clone()
    }
}
