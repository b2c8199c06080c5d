//! Where an export begins, goes on and ends.

use serde_json::json;
use tidegate_sdk::Configuration;
use tidegate_sdk::json::scan_page;

use super::*;

const ASKED: Asked<'_> = Asked {
    what: "tickets",
    host: "acme.zendesk.com",
};
/// 2020-02-03T19:37:30Z
const NOW_MS: i64 = 1_580_758_650_000;

fn resource(name: &str) -> &'static Resource {
    Resource::of(name).unwrap()
}

fn onward(position: &Position, name: &str, envelope: serde_json::Value) -> Result<Onward, Fault> {
    let text = envelope.to_string();
    let page = scan_page(text.as_bytes(), name, |_| Ok::<_, tidegate_sdk::json::Error>(())).unwrap();
    position.onward(resource(name), &page, ASKED)
}

fn cursor(token: &str) -> At {
    At::Cursor(token.into())
}

#[test]
fn a_run_begins_where_the_last_one_ended_else_at_its_window() {
    let first = |name: &str, kept, from_ms| Position::first(resource(name), kept, from_ms, NOW_MS);
    assert_eq!(
        first("tickets", Some(cursor("x")), 5_000),
        Position::Cursor(Cursor::at("x"))
    );
    assert_eq!(
        first("tickets", None, 1_332_034_771_999),
        Position::Start(1_332_034_771)
    );
    assert_eq!(
        first("organizations", Some(At::StartTime(7)), 5_000),
        Position::Start(7)
    );
    assert_eq!(
        first("users", Some(At::StartTime(7)), 5_000),
        Position::Start(7),
        "of an account that had none"
    );
    assert_eq!(
        first("organizations", Some(cursor("x")), 5_000),
        Position::Start(5),
        "of no use here"
    );
}

#[test]
fn a_start_lies_at_least_a_minute_back_and_not_before_1970() {
    for (from_ms, start) in [
        (NOW_MS, NOW_MS / 1_000 - 120),
        (NOW_MS + 86_400_000, NOW_MS / 1_000 - 120),
        (-1, 0),
        (i64::MIN, 0),
    ] {
        assert_eq!(
            Position::first(resource("users"), None, from_ms, NOW_MS),
            Position::Start(start)
        );
    }
    let kept = Some(At::StartTime(NOW_MS / 1_000 - 30));
    let position = Position::first(resource("organizations"), kept, 0, NOW_MS);
    assert_eq!(position, Position::Start(NOW_MS / 1_000 - 120));
}

#[test]
fn a_request_says_where_and_how_many() {
    let configuration = json!({"zendesk.url": "https://acme.zendesk.com", "zendesk.email": "a@b.example", "$secrets": ["zendesk.token"]});
    let settings = Settings::read(&Configuration::from_json(configuration.to_string().as_bytes()).unwrap()).unwrap();
    let url = |position: Position, name: &str, size| position.request(resource(name), size, &settings).url;
    assert_eq!(
        url(Position::Start(1_332_034_771), "tickets", 250),
        "https://acme.zendesk.com/api/v2/incremental/tickets/cursor.json?start_time=1332034771&per_page=250"
    );
    assert_eq!(
        url(
            Position::Cursor(Cursor::at("MTU4MDc1Mzc5OC4wfHw0MzJ8==")),
            "users",
            5_000
        ),
        "https://acme.zendesk.com/api/v2/incremental/users/cursor.json?cursor=MTU4MDc1Mzc5OC4wfHw0MzJ8%3D%3D&per_page=1000"
    );
    assert_eq!(
        url(Position::Start(0), "organizations", 0),
        "https://acme.zendesk.com/api/v2/incremental/organizations.json?start_time=0&per_page=1000"
    );
    let request = Position::Start(0).request(resource("users"), 1, &settings);
    assert_eq!((request.cost, request.lane.as_str()), (1, LANE));
}

#[test]
fn a_cursor_leads_from_page_to_page_until_the_end_of_the_stream() {
    let first = Position::Start(0);
    let page = json!({"tickets": [], "after_cursor": "a", "end_of_stream": false});
    let way = onward(&first, "tickets", page).unwrap();
    assert_eq!(way.reached, cursor("a"));
    let second = way.next.unwrap();
    let last = onward(
        &second,
        "tickets",
        json!({"tickets": [], "after_cursor": "b", "end_of_stream": true}),
    )
    .unwrap();
    assert_eq!(
        last,
        Onward {
            next: None,
            reached: cursor("b")
        }
    );
    // A page with nothing new may say nothing of what follows, or name itself.
    for after in [json!(null), json!("a")] {
        let same = onward(
            &second,
            "tickets",
            json!({"tickets": [], "after_cursor": after, "end_of_stream": true}),
        );
        assert_eq!(
            same.unwrap(),
            Onward {
                next: None,
                reached: cursor("a")
            }
        );
    }
    let nothing = onward(
        &first,
        "tickets",
        json!({"tickets": [], "after_cursor": null, "end_of_stream": true}),
    );
    assert_eq!(
        nothing.unwrap(),
        Onward {
            next: None,
            reached: At::StartTime(0)
        },
        "the next run starts there again, whatever its window"
    );
}

#[test]
fn a_page_that_does_not_lead_on_is_a_fault() {
    let at = Position::Cursor(Cursor::at("a"));
    for (page, code) in [
        (json!({"tickets": []}), "page-unusable"),
        (json!({"tickets": [], "end_of_stream": "no"}), "page-unusable"),
        (json!({"tickets": [], "end_of_stream": false}), "page-unusable"),
        (
            json!({"tickets": [], "end_of_stream": false, "after_cursor": ""}),
            "page-unusable",
        ),
        (
            json!({"tickets": [], "end_of_stream": false, "after_cursor": "a"}),
            "no-progress",
        ),
    ] {
        assert_eq!(onward(&at, "tickets", page.clone()).unwrap_err().code, code, "{page}");
    }
    let at = Position::Start(100);
    for (page, code) in [
        (json!({"organizations": [], "end_of_stream": false}), "page-unusable"),
        (
            json!({"organizations": [], "end_of_stream": false, "end_time": "soon"}),
            "page-unusable",
        ),
        (
            json!({"organizations": [], "end_of_stream": false, "end_time": 100}),
            "no-progress",
        ),
        (
            json!({"organizations": [], "end_of_stream": false, "end_time": 99}),
            "no-progress",
        ),
    ] {
        assert_eq!(
            onward(&at, "organizations", page.clone()).unwrap_err().code,
            code,
            "{page}"
        );
    }
}

#[test]
fn time_leads_on_second_by_second_and_never_back() {
    let at = Position::Start(100);
    let page = |end_time: serde_json::Value, ends: bool| {
        onward(
            &at,
            "organizations",
            json!({"organizations": [], "end_time": end_time, "end_of_stream": ends}),
        )
        .unwrap()
    };
    let reached = At::StartTime;
    assert_eq!(
        page(json!(200), false),
        Onward {
            next: Some(Position::Start(200)),
            reached: reached(200)
        }
    );
    assert_eq!(
        page(json!(200), true),
        Onward {
            next: None,
            reached: reached(200)
        }
    );
    assert_eq!(
        page(json!(null), true),
        Onward {
            next: None,
            reached: reached(100)
        }
    );
    assert_eq!(
        page(json!(50), true),
        Onward {
            next: None,
            reached: reached(100)
        }
    );
}
