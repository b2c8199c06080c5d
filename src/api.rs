//! The REST edge: HTTP in, use cases, JSON out. The only module with axum. Decides nothing.
//!
//! Every route stands at the root and under `/elements/api-v2`, where Cloud Elements had it.

mod account;
mod audit;
mod auth;
mod elements;
mod endpoint;
mod error;
mod events;
mod failures;
mod filters;
mod health;
mod hub;
mod instances;
mod notifications;
mod page;
mod polls;
mod redeliver;
mod request;
mod secrets;
mod serve;
mod visit;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post, put};
use ipnet::IpNet;

pub use serve::{BODY_MAX, CONNECTIONS_MAX, HEADERS_MAX, Limits, serve};

use crate::engine::lockout::Lockout;
use crate::service::Gateway;
use crate::service::account::Account;

/// Largest body of a request.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What every handler can reach.
#[derive(Clone)]
pub(crate) struct Api {
    gateway: Arc<Gateway>,
    account: Arc<Account>,
    lockout: Arc<Mutex<Lockout>>,
    /// Who is believed about where a request comes from.
    trusted_proxies: Arc<[IpNet]>,
}

/// All routes.
pub fn router(gateway: Arc<Gateway>, account: Arc<Account>, trusted_proxies: Vec<IpNet>) -> Router {
    let api = Api {
        gateway,
        account,
        lockout: Arc::default(),
        trusted_proxies: trusted_proxies.into(),
    };
    let routes = Router::new()
        .route("/health", get(health::health))
        .route("/elements", get(elements::list))
        .route("/elements/{key}", get(elements::one))
        .route("/elements/{key}/metadata", get(elements::metadata))
        .route(
            "/elements/{key}/component",
            put(elements::load)
                .delete(elements::unload)
                .layer(DefaultBodyLimit::max(elements::COMPONENT_BYTES_MAX)),
        )
        .route("/elements/{key}/versions", get(elements::versions))
        .route("/elements/{key}/rollback", post(elements::roll_back))
        .route(
            "/elements/{key}/instances",
            get(instances::list_of_element).post(instances::create_of_element),
        )
        .route(
            "/instances",
            get(instances::list)
                .post(instances::create)
                .patch(instances::patch_own)
                .put(instances::put_own),
        )
        .route(
            "/instances/enabled",
            put(instances::enable_own).delete(instances::disable_own),
        )
        .route(
            "/instances/{id}",
            get(instances::one)
                .patch(instances::patch)
                .put(instances::put)
                .delete(instances::remove),
        )
        .route(
            "/instances/{id}/enabled",
            put(instances::enable).delete(instances::disable),
        )
        .route("/instances/{id}/polls", get(polls::list).merge(post(polls::poll_now)))
        .route("/instances/{id}/events", get(events::list))
        .route("/instances/{id}/failures", get(failures::list))
        .route("/instances/{id}/failures/{name}", get(failures::one))
        .route("/hubs/{hub}/{*path}", get(hub::read))
        .route("/instances/{id}/token", post(secrets::rotate_token))
        .route("/account/secrets", post(secrets::rotate_account))
        .route("/audit", get(audit::list))
        .merge(deliveries());
    Router::new()
        .merge(routes.clone())
        .nest("/elements/api-v2", routes)
        .fallback(error::no_route)
        .method_not_allowed_fallback(error::no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(api.clone(), visit::attend))
        .with_state(api)
}

/// What became of notifications, and how to have them delivered again.
fn deliveries() -> Router<Api> {
    Router::new()
        .route("/instances/events", get(events::list_own))
        .route("/instances/events/{event}", get(events::one_own))
        .route("/instances/{id}/events/{event}", get(events::one))
        .route("/instances/{id}/events/{event}/attempts", get(events::attempts))
        .route("/instances/{id}/redeliver", post(redeliver::of_instance))
        .route("/instances/{id}/test", post(endpoint::try_out))
        .route("/instances/{id}/endpoint", get(endpoint::show))
        .route(
            "/instances/{id}/endpoint/enabled",
            put(endpoint::enable).delete(endpoint::disable),
        )
        .route("/operator/events", get(events::list_operators))
        .route("/operator/events/{event}", get(events::one_operators))
        .route("/operator/events/{event}/attempts", get(events::attempts_operators))
        .route("/operator/redeliver", post(redeliver::of_operator))
        .route("/operator/test", post(endpoint::try_operators))
        .route("/operator/endpoint", get(endpoint::show_operators))
        .route(
            "/operator/endpoint/enabled",
            put(endpoint::enable_operators).delete(endpoint::disable_operators),
        )
        .route("/notifications/{event}", get(notifications::one))
        .route(
            "/notifications/{event}/subscriptions/deliveries",
            get(notifications::deliveries_of),
        )
        .route(
            "/notifications/{event}/subscriptions/{subscription}/deliveries",
            get(notifications::delivery_of),
        )
        .route("/notifications/subscriptions", get(notifications::subscriptions))
        .route(
            "/notifications/subscriptions/deliveries",
            get(notifications::deliveries).put(notifications::redeliver),
        )
        .route("/notifications/subscriptions/{id}", get(notifications::subscription_of))
        .route(
            "/accounts/settings",
            get(account::show).patch(account::change).post(account::change),
        )
        .route(
            "/accounts/{id}/settings",
            get(account::show_of).patch(account::change_of).post(account::change_of),
        )
}
