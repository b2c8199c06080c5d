//! A whole pull of 100,000 companies: the gateway's own binary, from the POST that creates the instance to its first poll's
//! end without the wait between, against a native loop that reads the same pages into typed structs and keeps digests in memory.
//! Must not spare the gateway anything: an empty store each time, the released binary, another process's vendor.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod process;
mod report;
mod turns;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidegate::clock::SystemClock;
use tidegate::domain::time::Timestamp;
use tidegate::ports::Clock;
use tidegate_examples::autotask::Credentials;
use tidegate_examples::gateway::{Gateway, GatewayOptions};
use xxhash_rust::xxh3::xxh3_128;

use report::Target;

/// With the tenant's own company, which the simulator always has.
const RECORDS: usize = 100_000;
const PAGE_RECORDS: usize = 500;
/// With one pull each, they stay under the first of the vendor's hourly thresholds.
const PASSES: usize = 7;
/// From one look at the poll to the next: small beside a pull, and cheap.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
const PULL_MAX: Duration = Duration::from_secs(60);
const START_MAX: Duration = Duration::from_secs(30);

const WALL: Target = Target { floor: 2.5, goal: 1.3 };
const PEAK_MIB: Target = Target {
    floor: 64.0,
    goal: 40.0,
};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads can be started");
    let vendor = Vendor::start();
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory can be written to");
    report::print_head("pull: 100,000 companies in pages of 500");
    let folder = |name: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(&path).expect("the target directory can be written to");
        path
    };
    let (fresh, known, eventful) = (folder("fresh"), folder("known"), folder("eventful"));
    let run = |side: usize| {
        runtime.block_on(vendor.forget_calls());
        runtime.block_on(async {
            match side {
                0 => through_gateway(&vendor, &known, &["data/store"], FirstSight::Baseline).await,
                1 => natively(&vendor, Depth::Compare).await,
                2 => natively(&vendor, Depth::Discard).await,
                3 => through_gateway(&vendor, &fresh, &["data"], FirstSight::Baseline).await,
                _ => through_gateway(&vendor, &eventful, &["data/store"], FirstSight::Snapshot).await,
            }
        })
    };
    // The first start compiles the element, the second finds it compiled.
    run(0);
    run(4);
    let [gateway, native, discard, first_start, eventful]: [Vec<Pull>; 5] = turns::in_turn(PASSES, run);
    let ms = |pulls: &[Pull], what: fn(&Pull) -> f64| report::median(pulls.iter().map(|pull| what(pull) * 1e3));
    println!(
        "{:<42} {:>8} {:>11} {:>8} {:>9}",
        "who", "wall ms", "records/s", "CPU ms", "peak MiB"
    );
    for (name, pulls) in [
        ("gateway", &gateway),
        ("gateway, on its first start", &first_start),
        ("gateway, each record an event on the disk", &eventful),
        ("native typed loop, compares in memory", &native),
        ("fetch and discard", &discard),
    ] {
        let wall = ms(pulls, |pull| pull.wall);
        let peak = pulls.iter().map(|pull| pull.peak_mib).max().unwrap_or_default();
        println!(
            "{name:<42} {wall:>8.0} {:>11.0} {:>8.0} {:>9}",
            RECORDS as f64 / wall * 1e3,
            ms(pulls, |pull| pull.cpu),
            if peak == 0 { String::new() } else { peak.to_string() }
        );
    }
    println!(
        "of the gateway's wall time, {:.0} ms is the poll; the rest is creating the instance, with its check, and looking\n",
        ms(&gateway, |pull| pull.told)
    );
    for (name, ours) in [
        ("gateway ÷ native typed loop, wall", &gateway),
        ("the same where each record is an event, synced", &eventful),
    ] {
        let pairs = ours.iter().zip(&native);
        report::print_ratio(name, pairs.map(|(ours, base)| ours.wall / base.wall), WALL);
    }
    for (name, pulls) in [
        ("gateway's peak memory, MiB", &gateway),
        ("the same on its first start, which compiles, MiB", &first_start),
        ("the same where each record is an event, MiB", &eventful),
    ] {
        report::print_ratio(name, pulls.iter().map(|pull| pull.peak_mib as f64), PEAK_MIB);
    }
}

/// One pull; times in seconds.
struct Pull {
    wall: f64,
    cpu: f64,
    /// As the gateway reports it.
    told: f64,
    /// Of a process of its own.
    peak_mib: u64,
}

/// The simulated vendor, in a process of its own, which is killed at the end.
struct Vendor {
    child: Child,
    /// It goes on speaking, and would end if nobody could hear it.
    _output: BufReader<ChildStdout>,
    url: String,
    client: reqwest::Client,
}

impl Vendor {
    fn start() -> Self {
        let program = sibling("autotask-simulator");
        let mut child = Command::new(&program)
            .args(["--listen", "127.0.0.1:0", "--contacts", "0", "--companies"])
            .arg((RECORDS - 1).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; `cargo xtask bench pull` builds it", program.display());
            });
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        output.read_line(&mut line).expect("the simulator greets");
        let url = line
            .split([' ', ','])
            .find(|word| word.starts_with("http://"))
            .unwrap_or_else(|| panic!("the simulator should say where it listens, not {line:?}"));
        Self {
            child,
            _output: output,
            url: url.to_owned(),
            client: tidegate_examples::http::client(),
        }
    }

    /// What was asked so far must not slow down what comes: the vendor answers later and later as its budget is used up.
    async fn forget_calls(&self) {
        let url = format!("{}/simulator/usage?count=0", self.url);
        let answer = self.client.put(url).send().await.expect("the simulator answers");
        assert!(answer.status().is_success());
    }

    async fn page(&self, after: i64) -> bytes::Bytes {
        let Credentials {
            user_name,
            secret,
            integration_code,
        } = Credentials::default();
        let query = json!({"MaxRecords": PAGE_RECORDS, "filter": [
            {"op": "gte", "field": "lastActivityDate", "value": "1970-01-01T00:00:00Z"},
            {"op": "gt", "field": "id", "value": after},
        ]});
        let answer = self
            .client
            .post(format!("{}/atservicesrest/v1.0/Companies/query", self.url))
            .header("content-type", "application/json")
            .header("UserName", user_name)
            .header("Secret", secret)
            .header("ApiIntegrationCode", integration_code)
            .body(query.to_string())
            .send()
            .await
            .expect("the simulator answers");
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.bytes().await.expect("the simulator finishes its answers")
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        // It may have ended by itself; nothing depends on it any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that cargo built beside the gateway.
fn sibling(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_tidegate"))
        .with_file_name(name)
        .with_extension(std::env::consts::EXE_EXTENSION)
}

/// Pulls into `directory`, from which the parts in `forgotten` are removed first.
async fn through_gateway(vendor: &Vendor, directory: &Path, forgotten: &[&str], first_sight: FirstSight) -> Pull {
    for part in forgotten {
        let part = directory.join(part);
        if part.exists() {
            std::fs::remove_dir_all(&part).expect("what the gateway wrote can be removed");
        }
    }
    let mut gateway = Gateway::start(GatewayOptions {
        min_refresh_interval: "60s".into(),
        ..GatewayOptions::new(env!("CARGO_BIN_EXE_tidegate"), directory)
    })
    .expect("the gateway can be run");
    gateway.wait_until_ready(START_MAX).await.expect("the gateway starts");
    let process = gateway.pid().expect("it runs");
    let cpu = process::cpu_seconds(process);
    let started = Instant::now();
    let made = gateway.expect(
        Method::POST,
        "/instances",
        Some(instance(vendor, first_sight).to_string()),
    );
    let id = made.await.expect("the instance is created")["id"].clone();
    let creating = started.elapsed().as_secs_f64();
    let last = first_poll(&gateway, &id).await;
    let polling = SystemClock.now().since(started_at(&last));
    assert_eq!(last["outcome"], "succeeded", "{last}");
    assert_eq!(last["records"], RECORDS, "{last}");
    let events = if first_sight == FirstSight::Snapshot {
        RECORDS
    } else {
        0
    };
    assert_eq!(last["events"], events, "{last}");
    let pull = Pull {
        // Between the two the gateway waits on purpose, up to a second, so that an instance's polls do not start at once.
        wall: creating + polling.as_secs_f64(),
        cpu: process::cpu_seconds(process) - cpu,
        told: last["tookMs"].as_f64().expect("a number") / 1e3,
        peak_mib: process::peak_mib(process),
    };
    gateway.stop(START_MAX).await.expect("the gateway stops");
    pull
}

fn started_at(poll: &Value) -> Timestamp {
    let started = poll["started"].as_str().and_then(|text| text.parse().ok());
    let started: DateTime<Utc> = started.expect("the gateway writes times in ISO 8601");
    Timestamp::from_ms(started.timestamp_millis())
}

/// Waits for the first poll's report.
async fn first_poll(gateway: &Gateway, id: &Value) -> Value {
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    let path = format!("/instances/{id}/polls");
    let deadline = Instant::now() + PULL_MAX;
    while Instant::now() < deadline {
        looks.tick().await;
        let polls = gateway
            .expect(Method::GET, &path, None)
            .await
            .expect("polls can be listed");
        if polls[0]["last"].is_object() {
            return polls[0]["last"].clone();
        }
    }
    panic!("no poll ended in {PULL_MAX:?}:\n{}", gateway.log_tail());
}

/// What becomes of the records of a first poll.
#[derive(Clone, Copy, PartialEq)]
enum FirstSight {
    /// Remembered.
    Baseline,
    /// Events, page by page on the disk before the next page is taken in; kept, not posted.
    Snapshot,
}

fn instance(vendor: &Vendor, first_sight: FirstSight) -> Value {
    let Credentials {
        user_name,
        secret,
        integration_code,
    } = Credentials::default();
    json!({
        "element": {"key": "autotaskcrm"},
        "name": "bench",
        "configuration": {
            "crm.autotask.username": user_name,
            "crm.autotask.password": secret,
            "crm.autotask.integration.code": integration_code,
            "crm.autotask.server.url": vendor.url,
            "event.notification.enabled": true,
            "event.poller.refresh_interval": "60",
            "event.poller.first_sight": if first_sight == FirstSight::Snapshot { "snapshot" } else { "baseline" },
            "event.poller.configuration": {"accounts": {
                "url": "/hubs/crm/accounts?where=lastActivityDate>='${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'",
            }},
        },
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Depth {
    /// The pages' bytes and the last id alone: what the vendor and the wire take.
    Discard,
    /// Reads, drops nulls, writes sorted, compares digests.
    Compare,
}

async fn natively(vendor: &Vendor, depth: Depth) -> Pull {
    let (cpu, started) = (process::cpu_seconds("self"), Instant::now());
    let mut known: HashMap<i64, u128> = HashMap::new();
    let mut out = Vec::new();
    let (mut after, mut records, mut changed) = (-1, 0, 0);
    loop {
        let bytes = vendor.page(after).await;
        let more = if depth == Depth::Discard {
            let (count, last, more) = skim(&bytes);
            records += count;
            after = last;
            more
        } else {
            let page: Page<'_> = serde_json::from_slice(&bytes).expect("the simulator sends JSON");
            for company in &page.items {
                out.clear();
                serde_json::to_writer(&mut out, company).expect("a Vec takes every byte");
                let digest = xxh3_128(&out);
                changed += usize::from(known.insert(company.id, digest) != Some(digest));
                after = company.id;
            }
            records += page.items.len();
            page.page_details.next_page_url.is_some()
        };
        if !more {
            break;
        }
    }
    let wall = started.elapsed().as_secs_f64();
    assert_eq!(records, RECORDS);
    assert_eq!(changed, if depth == Depth::Compare { RECORDS } else { 0 });
    Pull {
        wall,
        cpu: process::cpu_seconds("self") - cpu,
        told: wall,
        peak_mib: 0,
    }
}

/// How many records a page says it has, the last one's id, and whether another page follows; without reading it.
fn skim(page: &[u8]) -> (usize, i64, bool) {
    let after_last = |marker: &[u8]| {
        let place = page.windows(marker.len()).rposition(|window| window == marker);
        &page[place.expect("the simulator's pages have it") + marker.len()..]
    };
    let number = |bytes: &[u8]| {
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0_i64, |number, digit| number * 10 + i64::from(digit - b'0'))
    };
    let records = number(after_last(b"\"count\":"));
    (
        usize::try_from(records).expect("a page does not count that far"),
        number(after_last(b"{\"id\":")),
        !after_last(b"\"nextPageUrl\":").starts_with(b"null"),
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Page<'a> {
    items: Vec<Company<'a>>,
    page_details: PageDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageDetails {
    next_page_url: Option<String>,
}

/// Text that is borrowed unless it has escapes; serde itself would copy what lies in an `Option`.
#[derive(Serialize)]
#[serde(transparent)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Text<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Either)
    }
}

#[derive(Deserialize, Serialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct UserDefined<'a> {
    name: Text<'a>,
    value: Option<Text<'a>>,
}

macro_rules! company {
    ($($field:ident: $type:ty,)*) => {
        /// As the vendor names them, in the order in which they are written.
        #[derive(Deserialize, Serialize)]
        #[serde(bound(deserialize = "'de: 'a"))]
        #[expect(non_snake_case, reason = "the vendor's names")]
        struct Company<'a> {
            id: i64,
            $(
                #[serde(skip_serializing_if = "Option::is_none")]
                $field: Option<$type>,
            )*
        }
    };
}

company! {
    additionalAddressInformation: Text<'a>,
    address1: Text<'a>,
    address2: Text<'a>,
    alternatePhone1: Text<'a>,
    alternatePhone2: Text<'a>,
    apiVendorID: i64,
    assetValue: f64,
    billToAdditionalAddressInformation: Text<'a>,
    billToAddressToUse: i64,
    billToAttention: Text<'a>,
    billToCity: Text<'a>,
    billToCompanyLocationID: i64,
    billToCountryID: i64,
    billToState: Text<'a>,
    billToZipCode: Text<'a>,
    billingAddress1: Text<'a>,
    billingAddress2: Text<'a>,
    city: Text<'a>,
    classification: i64,
    companyCategoryID: i64,
    companyName: Text<'a>,
    companyNumber: Text<'a>,
    companyType: i64,
    competitorID: i64,
    countryID: i64,
    createDate: Text<'a>,
    createdByResourceID: i64,
    currencyID: i64,
    fax: Text<'a>,
    impersonatorCreatorResourceID: i64,
    invoiceEmailMessageID: i64,
    invoiceMethod: i64,
    invoiceNonContractItemsToParentCompany: bool,
    invoiceTemplateID: i64,
    isActive: bool,
    isClientPortalActive: bool,
    isEnabledForComanaged: bool,
    isTaskFireActive: bool,
    isTaxExempt: bool,
    lastActivityDate: Text<'a>,
    lastTrackedModifiedDateTime: Text<'a>,
    marketSegmentID: i64,
    ownerResourceID: i64,
    parentCompanyID: i64,
    phone: Text<'a>,
    postalCode: Text<'a>,
    purchaseOrderTemplateID: i64,
    quoteEmailMessageID: i64,
    quoteTemplateID: i64,
    sicCode: Text<'a>,
    state: Text<'a>,
    stockMarket: Text<'a>,
    stockSymbol: Text<'a>,
    surveyCompanyRating: f64,
    taxID: Text<'a>,
    taxRegionID: i64,
    territoryID: i64,
    userDefinedFields: Vec<UserDefined<'a>>,
    webAddress: Text<'a>,
}
