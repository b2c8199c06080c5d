//! What Tidegate talks to while it is tried out and tested: a SIMULATED Autotask and a SIMULATED HubSpot API, a
//! callback receiver, the seed's bodies.
//! Nothing here is part of the gateway, and nothing here contacts the real vendor.

pub mod autotask;
pub mod clock;
pub mod gateway;
pub mod http;
pub mod hubspot;
pub mod receiver;
pub mod seed;
mod server;
