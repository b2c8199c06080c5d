//! One request to the simulated vendor: logged, counted against the limits, harmed by faults, authenticated, routed.
//! What is read and how a page looks is in `reads`.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::control::Control;
use super::faults::FaultKind;
use super::limits::Thread;
use super::reads::{self, Twists};
use super::requests::Request;
use super::settings::Settings;
use crate::server::reset_connection;

/// Queries are small; more is somebody's mistake.
const REQUEST_BYTES_MAX: usize = 4 << 20;
/// Beyond about this length of a URL the vendor's IIS answers 404.
const URL_CHARACTERS_MAX: usize = 2_100;
/// Said in every answer, so that nobody takes this for the vendor.
const SIMULATED: &str = "Autotask REST API simulated by tidegate-examples; not the vendor";
const HUGE_CHUNK: Bytes = Bytes::from_static(&[b' '; 64 << 10]);

pub(super) async fn handle(State(control): State<Control>, request: HttpRequest) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, REQUEST_BYTES_MAX).await else {
        return message(StatusCode::PAYLOAD_TOO_LARGE, "Maximum request length exceeded.");
    };
    let logged = control.shared().log.arrived(Request {
        number: 0,
        at: control.now(),
        arrived: Instant::now(),
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: header_list(&parts.headers),
        body: String::from_utf8_lossy(&body).into_owned(),
        status: None,
    });
    control.call_hook(&logged);
    let call = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    let mut response = call.answer(&control, &logged.path).await;
    control.shared().log.answered(logged.number, response.status().as_u16());
    let date = control.now() + control.settings().date_skew;
    for (name, value) in [("date", http_date(date)), ("x-simulated", SIMULATED.to_owned())] {
        response
            .headers_mut()
            .insert(name, HeaderValue::try_from(value).expect("plain ASCII"));
    }
    response
}

/// A request taken apart.
pub(super) struct Call {
    pub(super) method: Method,
    path: String,
    pub(super) query: String,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Where a path leads, seen from the vendor's root. Entity names are as the client wrote them.
struct Located {
    /// Lower case.
    segments: Vec<String>,
    /// Whether this host and path serve the zone of the tenant.
    in_zone: bool,
}

impl Call {
    async fn answer(&self, control: &Control, path_and_query: &str) -> Response {
        let settings = control.settings();
        if path_and_query.len() > URL_CHARACTERS_MAX {
            return html(StatusCode::NOT_FOUND, "404 - File or directory not found.");
        }
        let located = self.locate(control, &settings);
        let segments: Vec<&str> = located.segments.iter().map(String::as_str).collect();
        let segments = match &segments[..] {
            ["atservicesrest", "versioninformation"] => return versions(),
            ["atservicesrest", "v1.0", rest @ ..] => rest,
            _ => return no_resource(&self.path),
        };
        // Held to the end of the call: latency and slowness are what makes calls meet.
        let _thread = match self.start_thread(control, &settings, segments) {
            Ok(thread) => thread,
            Err(refused) => return *refused,
        };
        pause(settings.latency).await;
        let faults = control.shared().faults.take(path_and_query);
        if let Some(broken) = break_instead(&faults).await {
            return broken;
        }
        let response = match segments {
            ["zoneinformation"] => self.zone(control, &settings),
            _ => match self.admit(control, &settings, located.in_zone).await {
                Ok(()) => self.route(control, &settings, segments, &Twists::from(&faults[..])),
                Err(refused) => *refused,
            },
        };
        break_afterwards(response, &faults).await
    }

    /// Strips the zone's path, if there is one.
    fn locate(&self, control: &Control, settings: &Settings) -> Located {
        let path = self.path.to_ascii_lowercase();
        let path = path.trim_matches('/');
        let zone = control.shared().zone_path.as_deref();
        let inside = zone
            .and_then(|zone| path.strip_prefix(zone))
            .and_then(|rest| rest.strip_prefix('/'));
        Located {
            segments: inside.unwrap_or(path).split('/').map(str::to_owned).collect(),
            in_zone: (zone.is_none() || inside.is_some()) && !settings.wrong_zone,
        }
    }

    fn start_thread(
        &self,
        control: &Control,
        settings: &Settings,
        segments: &[&str],
    ) -> Result<Option<Thread>, Box<Response>> {
        let Some(endpoint) = segments.first().filter(|endpoint| **endpoint != "zoneinformation") else {
            return Ok(None);
        };
        match control
            .shared()
            .threads
            .start(self.header("apiintegrationcode"), endpoint, settings.threads_max)
        {
            Some(thread) => Ok(Some(thread)),
            None => {
                let text = format!(
                    "The API thread threshold of {} threads has been exceeded for this tracking identifier. (Itgenatr005)",
                    settings.threads_max
                );
                Err(Box::new(too_many(&text, settings.retry_after.as_deref())))
            }
        }
    }

    /// Credentials and the hourly limit.
    async fn admit(&self, control: &Control, settings: &Settings, in_zone: bool) -> Result<(), Box<Response>> {
        let unauthorized = || Box::new(empty(StatusCode::UNAUTHORIZED));
        if !in_zone {
            return Err(unauthorized());
        }
        let user = self.header("username");
        let Some(known) = settings
            .credentials
            .iter()
            .find(|known| known.user_name.eq_ignore_ascii_case(user))
        else {
            return Err(Box::new(if user.is_empty() {
                empty(StatusCode::UNAUTHORIZED)
            } else {
                unknown_user()
            }));
        };
        if known.integration_code != self.header("apiintegrationcode") {
            return Err(if settings.bad_code_is_unauthorized {
                unauthorized()
            } else {
                Box::new(errors("IntegrationCode is invalid."))
            });
        }
        if known.secret != self.header("secret") {
            return Err(unauthorized());
        }
        let calls = control.shared().usage.count(control.now().timestamp_millis());
        if calls > settings.hourly_max {
            return Err(Box::new(too_many(
                "The hourly request threshold has been exceeded.",
                settings.retry_after.as_deref(),
            )));
        }
        if settings.usage_latency {
            pause(usage_latency(calls, settings.hourly_max)).await;
        }
        Ok(())
    }

    fn route(&self, control: &Control, settings: &Settings, segments: &[&str], twists: &Twists) -> Response {
        match segments {
            ["version"] => json_response(&json!({
                "majorVersion": 2026, "minorVersion": 1, "build": "simulated", "customerType": "Simulated"
            })),
            ["thresholdinformation"] => json_response(&json!({
                "externalRequestThreshold": settings.hourly_max,
                "requestThresholdTimeframe": 60,
                // Counted in `admit`: reading must not count twice.
                "currentTimeframeRequestCount": control.shared().usage.current(),
            })),
            [entity, "query"] => reads::query(control, self, entity, twists),
            [entity, "query", "next"] => reads::next_page(control, settings, self, entity, twists),
            [entity, "query", "count"] => reads::count(control, self, entity, twists),
            [entity, "entityinformation"] => reads::entity_information(control, entity),
            [entity, "entityinformation", "fields"] => reads::fields(control, entity),
            [entity, "entityinformation", "userdefinedfields"] => reads::user_defined_fields(control, entity),
            [entity] if control.entity(entity).is_ok() => method_not_supported(&self.method),
            [entity, id] => reads::by_id(control, entity, id, twists),
            [parent, id, child] => reads::children(control, (parent, id, child), None, twists),
            [parent, id, child, child_id] => reads::children(control, (parent, id, child), Some(child_id), twists),
            _ => no_resource(&self.path),
        }
    }

    fn zone(&self, control: &Control, settings: &Settings) -> Response {
        let user = self.parameter("user").unwrap_or_default();
        if !settings
            .credentials
            .iter()
            .any(|known| known.user_name.eq_ignore_ascii_case(&user))
        {
            return unknown_user();
        }
        let url = settings
            .zone_url
            .clone()
            .unwrap_or_else(|| format!("{}/atservicesrest/", control.own_zone()));
        json_response(&json!({"zoneName": "Simulated Zone", "url": url, "webUrl": control.own_zone(), "ci": 30049}))
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The decoded query parameter of this name, in any case.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }
}

/// A sleep of nothing still waits for the next tick of the timer, which is longer than a page takes.
async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

fn usage_latency(calls: u64, hourly_max: u64) -> Duration {
    match calls * 4 / hourly_max.max(1) {
        0 | 1 => Duration::ZERO,
        2 => Duration::from_millis(500),
        _ => Duration::from_secs(1),
    }
}

/// The faults that replace the answer, and the delays before it.
async fn break_instead(faults: &[FaultKind]) -> Option<Response> {
    for fault in faults {
        match fault {
            FaultKind::Slow { millis } => tokio::time::sleep(Duration::from_millis(*millis)).await,
            FaultKind::Hang => std::future::pending().await,
            FaultKind::Reset => return Some(reset_connection()),
            FaultKind::Status { code, body } => {
                let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                return Some(json_bytes(status, body.clone().into_bytes()));
            }
            FaultKind::EmptyBody => return Some(empty(StatusCode::OK)),
            FaultKind::NotJson => return Some(html(StatusCode::OK, "We are down for maintenance.")),
            FaultKind::Huge { bytes } => return Some(huge(*bytes)),
            FaultKind::RateLimited { retry_after } => {
                return Some(too_many(
                    "The request threshold has been exceeded.",
                    retry_after.as_deref(),
                ));
            }
            _ => {}
        }
    }
    None
}

/// The faults that spoil a finished answer.
async fn break_afterwards(response: Response, faults: &[FaultKind]) -> Response {
    let truncate = faults.contains(&FaultKind::TruncatedBody);
    let cut = faults.contains(&FaultKind::CutConnection);
    if !truncate && !cut {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = body.slice(..body.len() / 2);
    if truncate {
        return Response::from_parts(parts, Body::from(half));
    }
    parts
        .headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    let first_half = stream::once(async { Ok(half) });
    let broken = stream::once(async {
        // Without a pause the error would overtake the half that waits in the server's buffer.
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    Response::from_parts(parts, Body::from_stream(first_half.chain(broken)))
}

fn huge(bytes: u64) -> Response {
    let chunks = usize::try_from(bytes / HUGE_CHUNK.len() as u64 + 1).unwrap_or(usize::MAX);
    let padding = std::iter::repeat_n(HUGE_CHUNK, chunks);
    let page = std::iter::once(Bytes::from_static(b"{\"items\":["))
        .chain(padding)
        .chain(std::iter::once(Bytes::from_static(
            b"],\"pageDetails\":{\"count\":0,\"requestCount\":500,\"prevPageUrl\":null,\"nextPageUrl\":null}}",
        )));
    let mut response = Response::new(Body::from_stream(stream::iter(page.map(Ok::<_, std::io::Error>))));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

fn header_list(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

pub(super) fn json_bytes(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

pub(super) fn json_response(value: &Value) -> Response {
    json_bytes(StatusCode::OK, value.to_string().into_bytes())
}

/// Many of the vendor's client errors are a 500.
pub(super) fn errors(text: &str) -> Response {
    json_bytes(
        StatusCode::INTERNAL_SERVER_ERROR,
        json!({"errors": [text]}).to_string().into_bytes(),
    )
}

fn message(status: StatusCode, text: &str) -> Response {
    json_bytes(status, json!({"Message": text}).to_string().into_bytes())
}

pub(super) fn method_not_supported(method: &Method) -> Response {
    let text = format!("The requested resource does not support http method '{method}'.");
    message(StatusCode::METHOD_NOT_ALLOWED, &text)
}

pub(super) fn no_resource(path: &str) -> Response {
    message(
        StatusCode::NOT_FOUND,
        &format!("No HTTP resource was found that matches the request URI '{path}'."),
    )
}

fn unknown_user() -> Response {
    errors("Zone information could not be determined")
}

fn too_many(text: &str, retry_after: Option<&str>) -> Response {
    let mut response = json_bytes(
        StatusCode::TOO_MANY_REQUESTS,
        json!({"errors": [text]}).to_string().into_bytes(),
    );
    if let Some(value) = retry_after.and_then(|value| HeaderValue::from_str(value).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn html(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::from(format!(
        "<!DOCTYPE html><html><body><h2>{text}</h2></body></html>"
    )));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

fn versions() -> Response {
    json_response(&json!({"apiVersions": ["V1.0", "V2.0"]}))
}
