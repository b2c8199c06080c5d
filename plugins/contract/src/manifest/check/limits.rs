//! The limits of a manifest: what the vendor allows an account and its lanes, and the size of pages.
//! Must not know how requests are held back: the gateway's `engine/pace.rs` does.

use super::{check_at_least_one, check_that};
use crate::manifest::{LaneLimits, Manifest};

/// Lanes with a budget of their own; vendors have a handful.
const LANES_MAX: usize = 64;

/// Longest name of a lane, in bytes: the gateway refuses requests in longer ones.
const LANE_BYTES_MAX: usize = 256;

pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    let limits = &manifest.limits;
    check_at_least_one("limits.requests", limits.requests)?;
    check_at_least_one("limits.perSeconds", limits.per_seconds)?;
    check_at_least_one("limits.concurrencyPerLane", limits.concurrency_per_lane)?;
    let is_share = limits.share > 0.0 && limits.share <= 1.0;
    check_that(
        is_share,
        "limits.share",
        &limits.share.to_string(),
        "more than 0 and at most 1",
    )?;
    let count = limits.lanes.len();
    check_that(
        count <= LANES_MAX,
        "limits.lanes",
        &format!("{count} lanes"),
        &format!("at most {LANES_MAX}"),
    )?;
    for (name, lane) in &limits.lanes {
        check_lane(name, lane)?;
    }
    check_page_size(manifest)
}

fn check_lane(name: &str, lane: &LaneLimits) -> Result<(), String> {
    check_that(
        (1..=LANE_BYTES_MAX).contains(&name.len()),
        "limits.lanes",
        name,
        &format!("names of 1 to {LANE_BYTES_MAX} bytes"),
    )?;
    // Absent reads as zero: a lane without a budget has no reason to stand there.
    for (key, number) in [("requests", lane.requests), ("perSeconds", lane.per_seconds)] {
        let found = if number == 0 { "none or 0" } else { "" };
        check_that(number >= 1, &format!("limits.lanes.{name}.{key}"), found, "at least 1")?;
    }
    let concurrency = lane.concurrency.unwrap_or(1);
    check_at_least_one(&format!("limits.lanes.{name}.concurrency"), concurrency)
}

fn check_page_size(manifest: &Manifest) -> Result<(), String> {
    let page_size = manifest.page_size;
    check_at_least_one("pageSize.default", page_size.default)?;
    let fits = page_size.default <= page_size.max;
    check_that(
        fits,
        "pageSize.default",
        &page_size.default.to_string(),
        &format!("at most `max`, {}", page_size.max),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::{minimal, refusal};
    use super::*;

    #[test]
    fn a_share_is_more_than_nothing_and_no_more_than_all() {
        for share in [0.0, -0.5, 1.01] {
            let said = refusal(json!({ "limits": { "share": share } }));
            assert_eq!(
                said,
                format!("limits.share: found `{share}`; expected more than 0 and at most 1")
            );
        }
    }

    #[test]
    fn a_page_is_no_larger_than_the_largest() {
        let said = refusal(json!({ "pageSize": { "default": 500, "max": 200 } }));
        assert_eq!(said, "pageSize.default: found `500`; expected at most `max`, 200");
    }

    #[test]
    fn a_lane_may_have_a_budget_and_places_of_its_own() {
        let mut document = minimal();
        document["limits"] = json!({"concurrencyPerLane": 3, "lanes": {
            "search": {"requests": 5, "perSeconds": 1, "concurrency": 1},
            "exports": {"requests": 10, "perSeconds": 60},
        }});
        let (manifest, _) = Manifest::parse(document.to_string().as_bytes()).unwrap();
        let limits = &manifest.limits;
        assert_eq!(
            (limits.lanes["search"].requests, limits.lanes["exports"].per_seconds),
            (5, 60)
        );
        assert_eq!(
            ["search", "exports", "other"].map(|lane| limits.concurrency(lane)),
            [1, 3, 3]
        );
    }

    #[test]
    fn a_lane_that_makes_no_sense_is_refused_by_its_name() {
        let lane = |name: &str, lane: Value| refusal(json!({ "limits": { "lanes": { name: lane } } }));
        let budget = json!({"requests": 1, "perSeconds": 1});
        for (lane, said) in [
            (
                json!({"perSeconds": 1}),
                "limits.lanes.x.requests: found `none or 0`; expected at least 1",
            ),
            (
                json!({"requests": 5, "perSeconds": 0}),
                "limits.lanes.x.perSeconds: found `none or 0`; expected at least 1",
            ),
            (
                json!({"requests": 1, "perSeconds": 1, "concurrency": 0}),
                "limits.lanes.x.concurrency: found `0`; expected at least 1",
            ),
        ] {
            assert_eq!(refusal(json!({ "limits": { "lanes": { "x": lane } } })), said);
        }
        assert_eq!(
            lane("", budget.clone()),
            "limits.lanes: found ``; expected names of 1 to 256 bytes"
        );
        assert!(lane(&"x".repeat(LANE_BYTES_MAX + 1), budget.clone()).ends_with("expected names of 1 to 256 bytes"));
        let lanes: serde_json::Map<_, _> = (0..=LANES_MAX).map(|lane| (lane.to_string(), budget.clone())).collect();
        let said = refusal(json!({ "limits": { "lanes": lanes } }));
        assert_eq!(said, "limits.lanes: found `65 lanes`; expected at most 64");
    }
}
