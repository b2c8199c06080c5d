//! An element that keeps the contract, and for each rule one that breaks it.
//! Must not test a rule's inner functions: their own files do.

mod acme;

use self::acme::{Acme, Flaw, cases, dated_manifest, filter};
use super::*;
use crate::call::CallError;
use crate::replay::replay;
use crate::run::Operation;

fn checked(flaw: Flaw) -> Report {
    let acme = Acme::with(flaw);
    let (manifest, _) = Manifest::parse(dated_manifest().to_string().as_bytes()).unwrap();
    check(&acme, &manifest, &cases(&acme))
}

fn broken(report: &Report) -> Vec<Rule> {
    let broken = report
        .rules
        .iter()
        .filter(|ruled| matches!(ruled.verdict, Verdict::Broken(_)));
    broken.map(|ruled| ruled.rule).collect()
}

#[test]
fn an_element_that_keeps_the_contract_holds_every_rule() {
    let report = checked(Flaw::None);
    let held = report
        .rules
        .iter()
        .filter(|ruled| matches!(ruled.verdict, Verdict::Held));
    assert_eq!(held.count(), 9, "{report}");
    assert!(!report.is_broken());
}

#[test]
fn every_flaw_breaks_its_rule_and_no_other() {
    for (flaw, rule, words) in [
        (Flaw::CountsCalls, Rule::SameBytes, "state[1]: found "),
        (
            Flaw::ManifestVaries,
            Rule::SameBytes,
            "found other bytes when asked again",
        ),
        (
            Flaw::KeepsAGuestsCalls,
            Rule::FreshGuest,
            "in a guest that made the calls before too (round 1): state[1]: found 1; expected 0",
        ),
        (Flaw::LosesWithSmallPages, Rule::PageSize, "record `2` is new"),
        (
            Flaw::TrapsAtHtml,
            Rule::NoTrap,
            "replaced by a page for people (HTML): the element trapped: unreachable",
        ),
        (
            Flaw::TrapsAtText,
            Rule::NoTrap,
            "the element trapped: unwrap on a None (and ",
        ),
        (
            Flaw::TakesNothingForTheEnd,
            Rule::NoLoss,
            "found that the run is done; expected a fault",
        ),
        (
            Flaw::TakesRefusalsForTheEnd,
            Rule::NoLoss,
            "with status 0: found that the run is done",
        ),
        (
            Flaw::TakesAStrangeCursorForTheEnd,
            Rule::NoLoss,
            "with `next` 770071 in place of \"http://x\": found that the run is done, where the true answer leads on",
        ),
        (
            Flaw::LeavesRecordsOut,
            Rule::NoLoss,
            "found fewer records than in the true answer, and no problem told",
        ),
        (
            Flaw::GoesInCircles,
            Rule::Progress,
            "found the state and the requests of a step before",
        ),
        (
            Flaw::FollowsAnyAddress,
            Rule::Requests,
            "GET https://evil.example/: url: found https://evil.example",
        ),
        (
            Flaw::WritesASecret,
            Rule::Requests,
            "header `Authorization`: found a value of the element's own",
        ),
        (Flaw::RepeatsIds, Rule::Records, "comes twice in a step"),
        (
            Flaw::IsNotCanonical,
            Rule::Records,
            "is not canonical JSON: found `changed` after `id`",
        ),
        (
            Flaw::HasNoDates,
            Rule::Records,
            "updatedDateField: found `changed` in none of 6 records",
        ),
    ] {
        let report = checked(flaw);
        let mut rules = vec![rule];
        if flaw == Flaw::CountsCalls {
            // A kept guest counts for itself.
            rules.push(Rule::FreshGuest);
        }
        assert_eq!(broken(&report), rules, "{flaw:?}:\n{report}");
        assert!(report.to_string().contains(words), "{flaw:?}:\n{report}");
    }
}

#[test]
fn what_a_filter_leaves_out_is_not_lost_but_a_page_still_is() {
    for (flaw, words) in [
        (Flaw::None, None),
        (
            Flaw::TakesAStrangeCursorForTheEnd,
            Some("found that the run is done, where the true answer leads on"),
        ),
    ] {
        let acme = Acme::with(flaw);
        let (manifest, _) = Manifest::parse(dated_manifest().to_string().as_bytes()).unwrap();
        let mut cases = cases(&acme);
        for case in &mut cases {
            if let Operation::List(list) = &mut case.run.operation {
                list.filter = Some(filter());
            }
        }
        let report = check(&acme, &manifest, &cases);
        assert_eq!(
            broken(&report),
            words.map_or(vec![], |_| vec![Rule::NoLoss]),
            "{report}"
        );
        assert!(report.to_string().contains(words.unwrap_or_default()), "{report}");
    }
}

#[test]
fn a_walk_that_never_comes_back_is_stopped_too() {
    let report = checked(Flaw::WalksForEver);
    let said = report.rule(Rule::Progress).unwrap().to_string();
    assert!(
        said.contains("found no end within 1000 steps") || said.contains("goes in circles"),
        "{said}"
    );
}

#[test]
fn a_breach_comes_with_a_case_that_shows_it() {
    let report = checked(Flaw::TrapsAtHtml);
    let Verdict::Broken(breaches) = &report.rule(Rule::NoTrap).unwrap().verdict else {
        panic!("{report}")
    };
    let shown = breaches[0].reproduce.as_deref().unwrap();
    assert_eq!(shown.failure.as_ref().unwrap().code, "trap");
    // By way of its file.
    let shown = Case::parse(shown.to_text().as_bytes()).unwrap();
    let replayed = replay(&Acme::with(Flaw::TrapsAtHtml), &shown);
    assert_eq!(replayed.failure, Some(CallError::Trap("unreachable".into())));
    assert!(replay(&Acme::with(Flaw::None), &shown).failure.is_none());
}

#[test]
fn what_no_case_shows_is_not_proven() {
    let (manifest, _) = Manifest::parse(dated_manifest().to_string().as_bytes()).unwrap();
    let report = check(&Acme::with(Flaw::None), &manifest, &[]);
    let unproven = report
        .rules
        .iter()
        .filter(|ruled| matches!(ruled.verdict, Verdict::NotProven(_)));
    let unproven: Vec<_> = unproven.map(|ruled| ruled.rule).collect();
    assert_eq!(
        unproven,
        [
            Rule::Cases,
            Rule::PageSize,
            Rule::NoTrap,
            Rule::NoLoss,
            Rule::Progress,
            Rule::Requests,
            Rule::Records
        ]
    );
    assert!(
        report
            .to_string()
            .contains("not proven  the page size changes no result (0 pairs): no case has `sameRecordsAs`")
    );
}

#[test]
fn a_case_that_does_not_run_as_written_is_a_breach() {
    let acme = Acme::with(Flaw::None);
    let (manifest, _) = Manifest::parse(dated_manifest().to_string().as_bytes()).unwrap();
    let mut cases = cases(&acme);
    cases[0].exchanges[1][0].request.cost = 7;
    cases[0].run.operation = Operation::List(crate::run::ListArgs {
        resource: "dragons".into(),
        ..crate::testing::list()
    });
    let report = check(&acme, &manifest, &cases);
    assert_eq!(broken(&report), [Rule::Cases, Rule::PageSize, Rule::Records]);
    let text = report.to_string();
    assert!(
        text.contains("case `two pages`: step 2: GET https://acme.example/contacts?after=http://x is not what"),
        "{text}"
    );
    assert!(
        text.contains("resource: found `dragons`; expected one of the manifest's: contacts"),
        "{text}"
    );
}

#[test]
fn pairs_must_be_pairs() {
    let acme = Acme::with(Flaw::None);
    let (manifest, _) = Manifest::parse(dated_manifest().to_string().as_bytes()).unwrap();
    let mut cases = cases(&acme);
    cases[0].same_records_as = Some("nobody".into());
    if let Operation::List(list) = &mut cases[1].run.operation {
        list.page_size = 2;
    }
    let said = check(&acme, &manifest, &cases)
        .rule(Rule::PageSize)
        .unwrap()
        .to_string();
    assert!(said.contains("found no case of this name"), "{said}");
    assert!(
        said.contains("pageSize: found 2 in both; expected sizes that differ"),
        "{said}"
    );
}

#[test]
fn a_report_holds_no_more_breaches_than_anybody_reads() {
    let breach = |index: usize| Breach {
        place: index.to_string(),
        words: "x".into(),
        reproduce: None,
    };
    let ruled = Ruled::of(Rule::Cases, "many".into(), (0..25).map(breach).collect());
    let Verdict::Broken(breaches) = &ruled.verdict else {
        panic!()
    };
    assert_eq!(breaches.len(), BREACHES_MAX);
    assert_eq!(breaches[BREACHES_MAX - 1].words, "x (and 5 more)");
}

#[test]
fn a_check_is_short_enough_for_a_component() {
    let report = checked(Flaw::None);
    let tried = &report.rule(Rule::NoTrap).unwrap().tried;
    let calls: usize = tried.split(' ').nth(2).unwrap().parse().unwrap();
    assert!((200..5_000).contains(&calls), "{tried}");
}
