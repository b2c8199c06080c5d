//! `/simulator/…`: the control handle for people with curl.
//! No part of the vendor's API, without authentication: listen on a loopback address.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::control::{Control, Error};

const HELP: &str = "\
This is a SIMULATED Acme Notes: made-up notes, in memory. The vendor does not exist.

vendor's API        /v1/notes, /v1/notes/{id}, /v1/me      Authorization: Bearer TOKEN
create a note       POST   /simulator/notes                body: fields, e.g. {\"title\":\"Milk\"}
change a note       PATCH  /simulator/notes/{id}           body: fields
delete a note       DELETE /simulator/notes/{id}
made-up notes       POST   /simulator/seed?count=25
refuse (429)        POST   /simulator/refusals?count=2&seconds=1
what was asked      GET    /simulator/requests
";

pub(super) fn router(control: Control) -> Router {
    Router::new()
        .route("/", get(help))
        .route("/simulator", get(help))
        .route("/simulator/notes", post(create))
        .route("/simulator/notes/{id}", patch(update).delete(delete))
        .route("/simulator/seed", post(seed))
        .route("/simulator/refusals", post(refuse))
        .route("/simulator/requests", get(requests))
        .with_state(control)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoSuchNote(_) => StatusCode::NOT_FOUND,
            Self::NotAnObject => StatusCode::BAD_REQUEST,
        };
        (status, Json(json!({"simulator": self.to_string()}))).into_response()
    }
}

async fn help() -> &'static str {
    HELP
}

async fn create(State(control): State<Control>, fields: String) -> Result<Json<Value>, Error> {
    control.create(parsed(&fields)?).map(|id| Json(json!({"id": id})))
}

async fn update(State(control): State<Control>, Path(id): Path<u64>, fields: String) -> Result<Json<Value>, Error> {
    control.update(id, parsed(&fields)?).map(|()| Json(json!({"id": id})))
}

async fn delete(State(control): State<Control>, Path(id): Path<u64>) -> Result<Json<Value>, Error> {
    control.delete(id).map(|()| Json(json!({"id": id})))
}

/// Whatever content type curl says.
fn parsed(fields: &str) -> Result<Value, Error> {
    serde_json::from_str(fields).map_err(|_| Error::NotAnObject)
}

#[derive(Deserialize)]
struct Seed {
    count: u32,
}

async fn seed(State(control): State<Control>, Query(Seed { count }): Query<Seed>) -> Json<Value> {
    control.seed(count);
    Json(json!({"seeded": count}))
}

#[derive(Deserialize)]
struct Refusals {
    count: u32,
    seconds: u32,
}

async fn refuse(State(control): State<Control>, Query(refusals): Query<Refusals>) -> Json<Value> {
    control.refuse(refusals.count, refusals.seconds);
    Json(json!({"refused": refusals.count}))
}

async fn requests(State(control): State<Control>) -> Json<Vec<String>> {
    Json(control.requests())
}
