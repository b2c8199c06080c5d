//! The REST edge: HTTP in, use cases, JSON out. The only module with axum. Decides nothing.
//!
//! Every route stands at the root and under `/elements/api-v2`, where Cloud Elements had it.

mod auth;
mod elements;
mod error;
mod events;
mod failures;
mod health;
mod hub;
mod instances;
mod page;
mod polls;
mod request;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post, put};
use tokio::net::TcpListener;

pub use auth::Account;

use crate::service::Gateway;

/// Largest body of a request.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What every handler can reach.
#[derive(Clone)]
pub(crate) struct Api {
    gateway: Arc<Gateway>,
    account: Arc<Account>,
}

/// Serves until `stopped`, then lets the requests under way finish.
///
/// # Errors
/// The listener's.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(stopped).await
}

/// All routes.
pub fn router(gateway: Arc<Gateway>, account: Account) -> Router {
    let api = Api {
        gateway,
        account: Arc::new(account),
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
        .route("/hubs/{hub}/{*path}", get(hub::read));
    Router::new()
        .merge(routes.clone())
        .nest("/elements/api-v2", routes)
        .fallback(error::no_route)
        .method_not_allowed_fallback(error::no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(request::with_id))
        .with_state(api)
}
