//! `tidegate element bench`: what calls and records cost in the gateway's own sandbox.
//! Must not judge: a figure is good or bad beside another one.

use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;
use tidegate_contract::{Call, Case, Subject as _, replay};

use super::args::Bench;
use super::subject::{Named, Subject};
use super::watch::thread_time;
use super::{Kit, Verdict, screen};

/// A round repeats the case until it has computed so long: shorter ones measure the clock.
const ROUND: Duration = Duration::from_millis(40);
/// Repetitions of a case in one round, at most.
const REPETITIONS_MAX: u32 = 100_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    name: String,
    calls: usize,
    records: usize,
    requests: usize,
    /// Of the answers' bodies.
    bytes_received: usize,
    /// The median of the rounds: of the whole run.
    nanoseconds: f64,
    /// The slowest and the fastest round as a ratio: beyond 1.2 the machine was busy with something else.
    spread: f64,
    peak_memory_bytes: usize,
}

impl Report {
    fn per(&self, count: usize) -> Option<f64> {
        (count > 0).then(|| self.nanoseconds / count as f64)
    }
}

#[derive(Serialize)]
struct Summary<'a> {
    element: &'a str,
    version: &'a str,
    rounds: u32,
    cases: &'a [Report],
}

impl Kit {
    pub(super) fn bench(&mut self, arguments: &Bench) -> anyhow::Result<Verdict> {
        let subject = self.subject(&arguments.element)?;
        let wanted = |named: &&Named| arguments.only.as_deref().is_none_or(|text| named.is_called(text));
        let cases: Vec<&Named> = subject.cases.iter().filter(wanted).collect();
        ensure!(
            !cases.is_empty(),
            "{} has no such case to measure with: record one with `tidegate element record`",
            subject.shown
        );
        let what = format!("measuring {}", screen::count(cases.len(), "case"));
        let mut reports = Vec::new();
        screen::during(&what, || {
            for named in cases {
                match measure(&subject, named, arguments.rounds) {
                    Ok(report) => reports.push(report),
                    Err(why) => screen::note(&format!("{} is left out: {why}", named.name)),
                }
            }
        });
        self.log.take();
        ensure!(
            !reports.is_empty(),
            "no case could be measured: `tidegate element test` says why"
        );
        let manifest = &subject.examined.element().manifest;
        if arguments.json {
            self.json(&Summary {
                element: &manifest.key,
                version: &manifest.version,
                rounds: arguments.rounds,
                cases: &reports,
            })?;
        } else {
            let head = format!("{} {} ({})", manifest.key, manifest.version, subject.shown);
            let rounds = screen::count(arguments.rounds as usize, "round");
            write!(self.out, "{head}, median of {rounds}\n\n{}", table(&reports))?;
            write!(self.out, "\n{}", conclusion(&reports))?;
        }
        Ok(Verdict::Good)
    }
}

/// The calls of the run, one after the other, again and again.
fn measure(subject: &Subject, named: &Named, rounds: u32) -> Result<Report, String> {
    let case = &named.case;
    let replayed = replay(&subject.examined, case);
    if let Some(failure) = &replayed.failure {
        return Err(failure.to_string());
    }
    if let Some(mismatch) = replayed.mismatches.first() {
        return Err(mismatch.to_string());
    }
    let calls: Vec<Call> = replayed.calls.into_iter().map(|called| called.call).collect();
    let mut peak = 0;
    for call in &calls {
        let memory = subject.examined.memory_of(&case.run, call);
        peak = peak.max(memory.map_err(|error| error.to_string())?);
    }
    let once = round(subject, case, &calls, 1);
    let repetitions = u32::try_from(ROUND.as_nanos() / once.as_nanos().max(1)).unwrap_or(REPETITIONS_MAX);
    let repetitions = repetitions.clamp(1, REPETITIONS_MAX);
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| round(subject, case, &calls, repetitions).as_secs_f64() * 1e9 / f64::from(repetitions))
        .collect();
    times.sort_by(f64::total_cmp);
    let exchanges = || case.exchanges.iter().flatten();
    Ok(Report {
        name: named.name.clone(),
        calls: calls.len(),
        records: replayed.found.records.len() + replayed.found.ids.len(),
        requests: exchanges().count(),
        bytes_received: exchanges().map(|exchange| exchange.response.body.len()).sum(),
        nanoseconds: times[times.len() / 2],
        spread: times[times.len() - 1] / times[0],
        peak_memory_bytes: peak,
    })
}

/// Computing of this thread, the sandbox's part included.
fn round(subject: &Subject, case: &Case, calls: &[Call], repetitions: u32) -> Duration {
    let started = thread_time();
    for _ in 0..repetitions {
        for call in calls {
            // What it gives was seen in the replay.
            let _ = subject.examined.call(&case.run, call);
        }
    }
    thread_time().saturating_sub(started)
}

fn table(reports: &[Report]) -> String {
    let mut table = screen::Table::new(&[
        "case",
        "calls",
        "records",
        "per call",
        "per record",
        "records/s",
        "received/s",
        "peak memory",
        "spread",
    ]);
    let nanoseconds = |value: Option<f64>| {
        value.map_or_else(
            || "-".into(),
            |value| screen::duration(Duration::from_secs_f64(value / 1e9)),
        )
    };
    for report in reports {
        let per_record = report.per(report.records);
        let received = report.bytes_received as f64 / report.nanoseconds * 1e9;
        table.row(vec![
            report.name.clone(),
            report.calls.to_string(),
            report.records.to_string(),
            nanoseconds(report.per(report.calls)),
            nanoseconds(per_record),
            per_record.map_or_else(|| "-".into(), |value| format!("{:.0}", 1e9 / value)),
            screen::bytes(received as u64),
            screen::bytes(report.peak_memory_bytes as u64),
            format!("{:.2}", report.spread),
        ]);
    }
    table.lines("  ")
}

/// A thousand records of the case that has the most.
fn conclusion(reports: &[Report]) -> String {
    let most = reports.iter().max_by_key(|report| report.records);
    let Some(report) = most.filter(|report| report.records > 0) else {
        return "no case gives records: what a record costs is not known\n".into();
    };
    let per_thousand = |total: f64| total * 1_000.0 / report.records as f64;
    format!(
        "a thousand records cost {:.2} ms of computing and {:.1} requests, by the case {} ({})\n",
        per_thousand(report.nanoseconds / 1e6),
        per_thousand(report.requests as f64),
        report.name,
        screen::count(report.records, "record")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_without_records_has_no_cost_per_record() {
        let report = |name: &str, records: usize| Report {
            name: name.into(),
            calls: 2,
            records,
            requests: 1,
            bytes_received: 1_000,
            nanoseconds: 1e6,
            spread: 1.01,
            peak_memory_bytes: 1_114_112,
        };
        let reports = [report("check", 0), report("contacts", 500)];
        let expected = "  case      calls  records  per call  per record  records/s  received/s  peak memory  spread\n\
                        \x20 check         2        0    500 µs           -          -      1.0 MB       1.1 MB    1.01\n\
                        \x20 contacts      2      500    500 µs     2.00 µs     500000      1.0 MB       1.1 MB    1.01\n";
        assert_eq!(table(&reports), expected);
        assert_eq!(
            conclusion(&reports),
            "a thousand records cost 2.00 ms of computing and 2.0 requests, by the case contacts (500 records)\n"
        );
        assert!(conclusion(&reports[..1]).contains("not known"));
    }
}
