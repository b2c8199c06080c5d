use std::path::Path;

use clap::Parser;

use super::*;

/// The flags of `run` and `record`, as the command line reads them.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    ask: Ask,
}

const NOW: Timestamp = Timestamp::from_ms(1_767_225_600_000);

fn manifest() -> Manifest {
    let document = json!({
        "key": "notes", "name": "Notes", "hub": "crm", "version": "1.0.0", "projection": 1, "overlapSeconds": 60,
        "properties": [
            {"key": "notes.token", "type": "password", "required": true, "secret": true},
            {"key": "notes.url", "type": "url", "default": "https://api.vendor.example"},
        ],
        "hostsFrom": ["notes.url"],
        "resources": [
            {"name": "tags"},
            {"name": "items", "updatedDateField": "changed", "defaultPoll": true},
            {"name": "*", "generic": true},
        ],
    });
    Manifest::parse(document.to_string().as_bytes()).unwrap().0
}

fn asked_with(configuration: &Value, flags: &[&str]) -> Result<Asked, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), configuration.to_string()).unwrap();
    asked_from(file.path(), flags)
}

fn asked_from(file: &Path, flags: &[&str]) -> Result<Asked, String> {
    let flags = ["x", "--config", file.to_str().unwrap()]
        .into_iter()
        .chain(flags.iter().copied());
    let ask = Flags::try_parse_from(flags).unwrap().ask;
    asked(&ask, &manifest(), NOW).map_err(|error| format!("{error:#}"))
}

fn list(asked: &Asked) -> &ListArgs {
    match &asked.run.operation {
        Operation::List(args) => args,
        other => panic!("{other:?}"),
    }
}

fn plain() -> Value {
    json!({"notes.token": "hunter2"})
}

#[test]
fn without_flags_it_is_the_first_poll_of_what_the_element_polls_by_itself() {
    let asked = asked_with(&plain(), &[]).unwrap();
    let args = list(&asked);
    assert_eq!((args.resource.as_str(), args.page_size), ("items", 200));
    assert_eq!(
        args.window,
        Some(Window {
            from: Timestamp::EPOCH,
            until: None
        })
    );
    let filter = json!({"op": ">=", "field": "changed", "value": "1970-01-01T00:00:00Z"});
    assert_eq!(args.filter, Some(filter));
    assert_eq!(args.dates.updated, ["changed"]);
    let expected = json!({"notes.url": "https://api.vendor.example", "$secrets": ["notes.token"]});
    assert_eq!(asked.run.configuration, expected);
    assert_eq!(asked.grants.origins, ["https://api.vendor.example"]);
    assert!(!format!("{:?}", asked.run).contains("hunter2"));
}

#[test]
fn flags_say_what_is_asked() {
    let flags = [
        "--resource",
        "tags",
        "--since",
        "2026-01-31",
        "--where",
        "a = 'b & 5% #' AND c > 1",
        "--page-size",
        "7",
    ];
    let asked = asked_with(&plain(), &flags).unwrap();
    let args = list(&asked);
    assert_eq!((args.resource.as_str(), args.page_size), ("tags", 7));
    assert_eq!(asked.from.to_string(), "2026-01-31T00:00:00.000Z");
    assert_eq!(args.filter.as_ref().unwrap()["terms"][0]["value"], "b & 5% #");
    let one = asked_with(&plain(), &["--operation", "get", "--id", "7", "--resource", "Anything"]).unwrap();
    assert!(matches!(&one.run.operation, Operation::Get(args) if args.id == "7" && args.resource == "Anything"));
    let check = asked_with(&plain(), &["--operation", "check"]).unwrap();
    assert_eq!(check.run.operation, Operation::Check);
}

#[test]
fn the_configuration_s_own_poller_is_the_one_that_runs() {
    let mut configuration = plain();
    configuration[POLLER_CONFIGURATION] =
        json!({"tags": {"url": "/hubs/crm/tags?where=x='y'&fields=a,b", "idField": "key"}});
    configuration["event.poller.first_sight"] = "since:2026-02-01T00:00:00Z".into();
    // A whole instance's body is read as well.
    let asked = asked_with(
        &json!({"name": "n", "configuration": configuration}),
        &["--resource", "tags"],
    )
    .unwrap();
    let args = list(&asked);
    assert_eq!(
        (args.id_field.as_str(), args.filter.as_ref().unwrap()["value"].as_str()),
        ("key", Some("y"))
    );
    assert_eq!(args.parameters, [("fields".to_owned(), "a,b".to_owned())]);
    assert_eq!(asked.from.to_string(), "2026-02-01T00:00:00.000Z");
}

#[test]
fn a_secret_that_is_not_the_element_s_is_scrubbed_and_not_handed_on() {
    let mut configuration = plain();
    configuration["event.notification.signature.key"] = "swordfish".into();
    let asked = asked_with(&configuration, &[]).unwrap();
    assert_eq!((asked.secrets.len(), asked.grants.secrets.len()), (2, 1));
}

#[test]
fn what_cannot_be_asked_is_said() {
    for (configuration, flags, words) in [
        (json!({}), &[][..], "notes.token: is missing"),
        (
            plain(),
            &["--since", "yesterday"],
            "--since: expected a date such as 2026-01-31",
        ),
        (plain(), &["--operation", "get"], "say which one, with --id"),
        (plain(), &["--id", "7"], "--id is for `--operation get`"),
        (plain(), &["--where", "a 7"], "event.poller.configuration.items.url"),
        (json!([1]), &[], "expected one JSON object"),
        (
            json!({"notes.token": "x", "notes.url": "ftp://x"}),
            &[],
            "notes.url: expected an http or https URL",
        ),
    ] {
        let error = asked_with(&configuration, flags).err().unwrap_or_default();
        assert!(error.contains(words), "{flags:?}: {error}");
    }
    let missing = asked_from(Path::new("/nowhere/my.json"), &[]).err().unwrap();
    assert!(missing.starts_with("reading /nowhere/my.json"), "{missing}");
}
