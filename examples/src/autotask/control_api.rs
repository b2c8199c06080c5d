//! `/simulator/…`: the control handle for people with curl and for processes of their own.
//! No part of the vendor's API, without authentication: listen on a loopback address.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::control::{Control, Error};
use super::faults::Fault;
use super::requests::Request;

const HELP: &str = "\
This is a SIMULATED Autotask REST API: made-up data, in memory. It is not the vendor.

vendor's API        /atservicesrest/v1.0/...
create a row        POST   /simulator/{Entity}             body: fields, e.g. {\"companyName\":\"New Ltd\"}
read a row          GET    /simulator/{Entity}/{id}
change a row        PATCH  /simulator/{Entity}/{id}        body: fields
delete a row        DELETE /simulator/{Entity}/{id}
move activity date  POST   /simulator/{Entity}/{id}/touch
all ids             GET    /simulator/{Entity}
made-up rows        POST   /simulator/{Entity}/seed?count=100
misbehave           POST   /simulator/faults               body: {\"kind\":{\"status\":{\"code\":503,\"body\":\"\"}},\"on\":\"query\",\"times\":2}
                    GET, DELETE /simulator/faults
hourly calls        PUT    /simulator/usage?count=7600
what was asked      GET    /simulator/requests             secrets are masked
";

/// Headers whose value this face does not show.
const SECRET_HEADERS: [&str; 2] = ["secret", "apiintegrationcode"];

pub(super) fn router(control: Control) -> Router<Control> {
    Router::new()
        .route("/", get(help))
        .route("/simulator", get(help))
        .route("/simulator/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/simulator/requests", get(requests))
        .route("/simulator/usage", axum::routing::put(set_usage))
        .route("/simulator/{entity}", get(ids).post(create))
        .route("/simulator/{entity}/seed", post(seed))
        .route("/simulator/{entity}/{id}", get(record).patch(update).delete(delete))
        .route("/simulator/{entity}/{id}/touch", post(touch))
        .with_state::<Control>(control)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match self {
            Self::UnknownEntity(_) | Self::NoSuchRow { .. } => StatusCode::NOT_FOUND,
            Self::IdTaken { .. } => StatusCode::CONFLICT,
            Self::UnknownField { .. } | Self::WrongType { .. } | Self::NotAnObject => StatusCode::BAD_REQUEST,
        };
        (status, Json(json!({"simulator": self.to_string()}))).into_response()
    }
}

#[derive(Deserialize)]
struct Count {
    count: u32,
}

async fn help() -> &'static str {
    HELP
}

async fn ids(State(control): State<Control>, Path(entity): Path<String>) -> Result<Json<Value>, Error> {
    control.entity(&entity)?;
    Ok(Json(json!({"ids": control.ids(&entity)})))
}

async fn create(
    State(control): State<Control>,
    Path(entity): Path<String>,
    Json(fields): Json<Value>,
) -> Result<Json<Value>, Error> {
    control.create(&entity, fields).map(|id| Json(json!({"id": id})))
}

async fn seed(
    State(control): State<Control>,
    Path(entity): Path<String>,
    Query(Count { count }): Query<Count>,
) -> Result<Json<Value>, Error> {
    control
        .seed(&entity, count as usize)
        .map(|ids| Json(json!({"seeded": ids.len()})))
}

async fn record(State(control): State<Control>, Path((entity, id)): Path<(String, i64)>) -> Result<Json<Value>, Error> {
    control.entity(&entity)?;
    control
        .record(&entity, id)
        .map(Json)
        .ok_or(Error::NoSuchRow { entity, id })
}

async fn update(
    State(control): State<Control>,
    Path((entity, id)): Path<(String, i64)>,
    Json(fields): Json<Value>,
) -> Result<Json<Value>, Error> {
    control.update(&entity, id, fields).map(|()| Json(json!({"id": id})))
}

async fn delete(State(control): State<Control>, Path((entity, id)): Path<(String, i64)>) -> Result<Json<Value>, Error> {
    control.delete(&entity, id).map(|()| Json(json!({"id": id})))
}

async fn touch(State(control): State<Control>, Path((entity, id)): Path<(String, i64)>) -> Result<Json<Value>, Error> {
    control.touch(&entity, id).map(|()| Json(json!({"id": id})))
}

async fn faults(State(control): State<Control>) -> Json<Vec<Fault>> {
    Json(control.faults())
}

async fn add_fault(State(control): State<Control>, Json(fault): Json<Fault>) -> Json<Vec<Fault>> {
    control.set_fault(fault);
    Json(control.faults())
}

async fn clear_faults(State(control): State<Control>) -> StatusCode {
    control.clear_faults();
    StatusCode::NO_CONTENT
}

async fn set_usage(State(control): State<Control>, Query(Count { count }): Query<Count>) -> StatusCode {
    control.set_usage(u64::from(count));
    StatusCode::NO_CONTENT
}

async fn requests(State(control): State<Control>) -> Json<Vec<Request>> {
    let mut requests = control.requests();
    for (name, value) in requests.iter_mut().flat_map(|request| &mut request.headers) {
        if SECRET_HEADERS.contains(&name.as_str()) {
            "***".clone_into(value);
        }
    }
    Json(requests)
}
