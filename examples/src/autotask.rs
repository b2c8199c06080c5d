//! A SIMULATED Autotask REST API v1.0, for demos and tests: it imitates what is publicly known of the vendor's behaviour.
//! It is not the vendor, was never compared with a live tenant, and keeps its rows in memory only.
//!
//! Reading order: [`Simulator`] starts it, [`Control`] moves it, [`Fault`] makes it misbehave; `api` answers the vendor's
//! paths with `reads`; `query` and `filter` understand what is asked, `store` holds the rows.

mod api;
mod cell;
mod control;
mod control_api;
mod faults;
mod filter;
mod generate;
mod limits;
mod query;
mod reads;
mod requests;
mod schema;
mod settings;
mod store;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use chrono::{DateTime, Utc};

pub use self::control::{Control, Error};
pub use self::faults::{Fault, FaultKind};
pub use self::requests::Request;
pub use self::settings::{Credentials, GetAfterPost, Settings};
use crate::clock::{Clock, system_clock};
use crate::server::Server;

/// 2026-01-01T00:00:00Z.
const HISTORY_END_SECONDS: i64 = 1_767_225_600;

/// What a simulator is started with.
pub struct SimulatorOptions {
    /// Port 0 takes any free port.
    pub listen: SocketAddr,
    /// Dates of created and changed rows, and of the `Date` header.
    pub clock: Clock,
    /// Seeded rows are a function of this.
    pub seed: u64,
    /// Seeded rows were last changed before this.
    pub history_end: DateTime<Utc>,
    /// A path such as `zone7` that the zone's url carries: data calls outside it answer 401, as from a wrong zone.
    pub zone_path: Option<String>,
    /// Dates without `Z`, as the vendor wrote them in 2020.
    pub naive_dates: bool,
    /// What may be changed later through [`Control::configure`].
    pub settings: Settings,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            clock: system_clock(),
            seed: 1,
            history_end: DateTime::from_timestamp(HISTORY_END_SECONDS, 0).unwrap_or_default(),
            zone_path: None,
            naive_dates: false,
            settings: Settings::default(),
        }
    }
}

/// A running simulator. Dropping it closes its port and connections; its rows live on in its [`Control`].
#[derive(Debug)]
pub struct Simulator {
    server: Server,
    control: Control,
}

impl Simulator {
    /// Starts a tenant with its own company (id 0) and no other rows.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(options: SimulatorOptions) -> io::Result<Self> {
        let listen = options.listen;
        Self::resume(Control::new(options), listen).await
    }

    /// Serves the rows of an earlier simulator again: the vendor comes back after an outage.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn resume(control: Control, listen: SocketAddr) -> io::Result<Self> {
        let router = control_api::router(control.clone())
            .fallback(api::handle)
            .with_state(control.clone());
        let server = Server::start(listen, router).await?;
        control.set_address(server.address());
        Ok(Self { server, control })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end: what `crm.autotask.server.url` is set to.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The handle that creates, changes and breaks things. Clones act on the same simulator.
    pub fn control(&self) -> Control {
        self.control.clone()
    }
}
