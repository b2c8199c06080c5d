//! A day's worth of events through everything that goes wrong on the way, to a receiver that a published Standard Webhooks
//! library guards: every event arrives, no sequence is left out, and what arrives twice is the very same.
//! Must not know how the gateway delivers.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tidegate_examples::receiver::{Received, Reply};

use crate::support::{SOON, Stage};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// A poll every five minutes that finds ten changes, for a day.
const EVENTS: usize = 288 * 10;
/// Polls that they are spread over here, where a poll comes every second or two.
const ROUNDS: usize = 24;
/// Companies that change in turn, so that many events are of one record.
const COMPANIES: usize = 60;
/// The gateway is killed after these rounds, with POSTs on their way.
const KILLED_AFTER: [usize; 3] = [5, 11, 17];

/// Dice that give the same throws for the same seed: a multiplier of Knuth's.
struct Dice(u64);

impl Dice {
    fn percent(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % 100
    }
}

/// About a seventh of the answers are no delivery, of each kind that there is.
fn faults(seed: u64) -> Vec<Reply> {
    let mut dice = Dice(seed);
    let mut replies: Vec<Reply> = (0..EVENTS + EVENTS / 4)
        .map(|_| match dice.percent() {
            0..6 => Reply::status(500),
            6..8 => Reply::status(404),
            8..10 => Reply::status(503),
            10 => Reply::status_with(302, "Location", "/elsewhere"),
            _ => Reply::status(204),
        })
        .collect();
    // Each of these pauses the whole endpoint, so that they are few.
    let rare = [
        Reply::Reset,
        Reply::Hang,
        Reply::status_with(429, "Retry-After", "1"),
        Reply::status_with(503, "Retry-After", "1"),
        Reply::Reset,
    ];
    let apart = replies.len() / (rare.len() + 1);
    for (place, reply) in rare.into_iter().enumerate() {
        replies[(place + 1) * apart] = reply;
    }
    replies
}

/// What the consumer's library says of a POST.
pub(crate) fn is_accepted(webhook: &Webhook, post: &Received) -> bool {
    let mut headers = HeaderMap::new();
    for (name, value) in &post.headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            return false;
        };
        headers.append(name, value);
    }
    webhook.verify(&post.body, &headers).is_ok()
}

fn id_of(post: &Received) -> &str {
    let id = post.headers.iter().find(|(name, _)| name == "webhook-id");
    id.map_or("", |(_, id)| id.as_str())
}

fn is_taken(post: &Received) -> bool {
    post.answered.is_some_and(|status| (200..300).contains(&status))
}

#[tokio::test]
async fn a_days_events_arrive_through_faults_without_a_gap_and_duplicates_are_the_same() {
    let mut stage = Stage::new().await;
    stage.receiver.set_key(None);
    let companies = stage.vendor().seed_companies(COMPANIES);
    let body = stage.body(json!({
        "event.notification.format": "standard",
        "event.notification.signature.key": SECRET,
        "event.notification.timeout": 1,
        "event.notification.retry.schedule": vec![0.2; 30],
    }));
    let made = stage.create_and_baseline(&body.to_string()).await;
    stage.receiver.script(faults(20_261_124));
    let mut changes = 0;
    for round in 0..ROUNDS {
        let share = EVENTS * (round + 1) / ROUNDS;
        while changes < share {
            // Each company once a round at most, since a poll sees the last of a record's states alone.
            let mut batch = 0;
            while changes < share && batch < COMPANIES {
                let change = json!({"phone": format!("{changes}")});
                stage
                    .vendor()
                    .update("Companies", companies[changes % COMPANIES], change)
                    .unwrap();
                changes += 1;
                batch += 1;
            }
            stage.next_good_poll(made.id).await;
        }
        if KILLED_AFTER.contains(&round) {
            let options = stage.end_gateway(true).await;
            stage.start_gateway(options).await;
        }
    }
    let webhook = Webhook::new(SECRET).unwrap();
    let sequence_of = |post: &Received| {
        let body: Value = serde_json::from_slice(&post.body).unwrap();
        body["data"]["sequence"].as_u64().unwrap()
    };
    let delivered = stage
        .receiver
        .wait_until(4 * SOON, |received| {
            // Counting is cheap; reading every body at every arrival is not.
            let taken: Vec<&Received> = received.iter().filter(|post| is_taken(post)).collect();
            taken.len() >= EVENTS && taken.into_iter().map(sequence_of).collect::<BTreeSet<_>>().len() == EVENTS
        })
        .await;
    let posts = delivered.unwrap_or_else(|| panic!("events are missing\n{}", stage.gateway.log_tail()));
    let mut first: BTreeMap<u64, &Received> = BTreeMap::new();
    let mut newest_of_record: BTreeMap<String, u64> = BTreeMap::new();
    let mut duplicates = 0;
    for post in &posts {
        assert!(is_accepted(&webhook, post), "{:?}", post.headers);
        let body: Value = serde_json::from_slice(&post.body).unwrap();
        let sequence = sequence_of(post);
        match first.get(&sequence) {
            Some(first) => {
                assert_eq!((id_of(first), &first.body), (id_of(post), &post.body), "{sequence}");
                duplicates += 1;
            }
            None => {
                first.insert(sequence, post);
            }
        }
        // A later event of a record is not even tried before the earlier one was taken.
        let record = body["data"]["objectId"].as_str().unwrap().to_owned();
        let newest = newest_of_record.entry(record).or_insert(sequence);
        assert!(*newest <= sequence, "{sequence} came after {newest} of the same record");
        *newest = sequence;
    }
    let sequences: Vec<u64> = first.into_keys().collect();
    assert_eq!(
        sequences,
        (1..=EVENTS as u64).collect::<Vec<_>>(),
        "no gap, nothing invented"
    );
    assert!(
        duplicates > EVENTS / 20,
        "the faults were not met: {duplicates} duplicates"
    );
}
