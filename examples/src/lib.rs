//! What Tidegate talks to while it is tried out and tested: SIMULATED APIs of Autotask, HubSpot, Zendesk and of a
//! vendor that does not exist, a callback receiver, the seed's bodies.
//! Nothing here is part of the gateway, and nothing here contacts a real vendor.

pub mod autotask;
pub mod clock;
pub mod gateway;
pub mod http;
pub mod hubspot;
pub mod nats;
pub mod notes;
pub mod receiver;
pub mod seed;
mod server;
pub mod zendesk;
