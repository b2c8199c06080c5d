//! Tests of `step` by tables of cases. Must not reach beyond the module's own functions.

use super::*;

#[test]
fn records_come_back_as_they_were_pushed() {
    let mut step = Step::<()>::done();
    step.push_record("7", br#"{"id":7}"#, Moment::AtMs(5), Moment::Text("yesterday".into()));
    step.push_tombstone("8", Moment::None);
    let found: Vec<_> = step
        .records
        .iter()
        .map(|record| (record.id, record.body, record.deleted))
        .collect();
    assert_eq!(found, [("7", r#"{"id":7}"#, false), ("8", "", true)]);
    assert_eq!(
        step.records.iter().next().map(|record| record.updated.clone()),
        Some(Moment::Text("yesterday".into()))
    );
    assert_eq!(step.next, Next::Done);
}

#[test]
fn what_comes_next_carries_the_state() {
    let step = Step::done().then_send(vec![Request::get("https://a.example")], 3);
    assert!(matches!(step.next, Next::Send(requests, 3) if requests.len() == 1));
    assert_eq!(Step::done().then_wait(50, 4).next, Next::WaitMs(50, 4));
}
