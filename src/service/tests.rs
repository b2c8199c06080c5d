//! The services as a whole: over the real store, with a scripted element, vendor and callback, on a clock that the test
//! moves. Nothing here sleeps or knows how a service does its work.

mod access;
mod courier;
mod deliveries;
mod elements;
mod endpoints;
mod first_sight;
mod formats;
mod harness;
mod instances;
mod polls;
mod pressure;
mod redeliver;
mod scheduler;
mod signatures;
