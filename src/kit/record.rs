//! `tidegate element record`: a run against the real vendor as a case, without its secrets.
//! Must not write a file with a secret in it, nor one that does not replay as it ran.

use std::fs;
use std::path::PathBuf;

use anyhow::{anyhow, bail, ensure};
use tidegate_contract::case::files::CaseFile;
use tidegate_contract::case::{Case, Exchange, Failure, Found, MadeBy};
use tidegate_contract::run::{Request, Response, Run};
use tidegate_contract::{expect, replay};

use super::args::Record;
use super::live::End;
use super::run::Trial;
use super::scrub::Scrubber;
use super::show::{self, Depth};
use super::{Kit, Verdict, screen};

/// Headers of an answer that are left out of cases: one differs with every recording, the other is a secret.
const HEADERS_LEFT_OUT: [&str; 2] = ["date", "set-cookie"];

impl Kit {
    pub(super) fn record(&mut self, arguments: &Record) -> anyhow::Result<Verdict> {
        let path = target(arguments)?;
        let trial = self.trial(&arguments.ask, Depth::Clipped)?;
        let verdict = self.show_end_of(&trial)?;
        if let End::Refused(_) | End::Stalled = trial.ran.end {
            bail!("nothing was recorded: the gateway would have ended this run");
        }
        let scrubber = Scrubber::new(&trial.asked.secrets).map_err(|error| anyhow!(error))?;
        let case = case(&trial, &arguments.name, &scrubber)?;
        check_replay(&trial, &case, &scrubber)?;
        check_secrets(&case, &scrubber)?;
        let requests = case.exchanges.iter().flatten().count();
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        CaseFile {
            path: path.clone(),
            case,
        }
        .save()
        .map_err(|error| anyhow!(error))?;
        writeln!(
            self.out,
            "wrote {}: {}, without {}. Look at it before you commit it: the records are your account's.",
            path.display(),
            screen::count(requests, "request"),
            screen::count(trial.asked.secrets.len(), "secret"),
        )?;
        Ok(verdict)
    }
}

/// Where the case is to be written: looked at before the vendor is asked.
fn target(arguments: &Record) -> anyhow::Result<PathBuf> {
    let name = &arguments.name;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    ensure!(
        !name.is_empty() && name.chars().all(good),
        "--name {name:?}: expected letters, digits, `-` and `_`, for it names a file"
    );
    let project = PathBuf::from(&arguments.ask.element.element);
    let directory = match &arguments.cases {
        Some(directory) => directory.clone(),
        None if project.is_dir() => project.join(tidegate_toolchain::project::CASES),
        None => bail!(
            "{} is no project's directory: say where to write, with --cases DIR",
            project.display()
        ),
    };
    let path = directory.join(format!("{name}.json"));
    ensure!(
        arguments.overwrite || !path.exists(),
        "{} is there already: choose another --name, or say --overwrite",
        path.display()
    );
    Ok(path)
}

fn case(trial: &Trial, name: &str, scrubber: &Scrubber) -> anyhow::Result<Case> {
    let element = trial.subject.examined.element();
    let failure = match &trial.ran.end {
        End::Failed(failure) => Some(Failure {
            code: failure.code().into(),
            message: failure.to_string(),
        }),
        _ => None,
    };
    let exchanges = trial.ran.exchanges.iter();
    let mut case = Case::new(name, scrubbed_run(&trial.asked.run, scrubber)?);
    case.source = Some(format!(
        "recorded {} from the vendor: {}",
        trial.asked.run.now,
        show::operation(&trial.asked.run.operation)
    ));
    case.made_by = Some(MadeBy {
        element: element.manifest.key.clone(),
        version: element.manifest.version.clone(),
        digest: trial.subject.digest.to_string(),
    });
    case.exchanges = exchanges
        .map(|step| step.iter().map(|exchange| scrubbed(exchange, scrubber)).collect())
        .collect();
    case.cut = matches!(trial.ran.end, End::Cut);
    case.failure = failure;
    if case.failure.is_none() {
        let replayed = replay(&trial.subject.examined, &case);
        case.expect = replayed.snapshot().cloned();
    }
    Ok(case)
}

fn scrubbed(exchange: &Exchange, scrubber: &Scrubber) -> Exchange {
    let Exchange { request, response } = exchange;
    let text = |(name, value): &(String, String)| (name.clone(), scrubber.scrub_text(value));
    let kept = response
        .headers
        .iter()
        .filter(|(name, _)| !HEADERS_LEFT_OUT.contains(&name.as_str()));
    Exchange {
        request: Request {
            url: scrubber.scrub_text(&request.url),
            headers: request.headers.iter().map(text).collect(),
            body: request.body.as_deref().map(|body| scrubber.scrub(body)),
            ..request.clone()
        },
        response: Response {
            id: response.id,
            status: response.status,
            headers: kept.map(text).collect(),
            body: scrubber.scrub(&response.body).into(),
        },
    }
}

/// A configuration may repeat a secret under another key.
fn scrubbed_run(run: &Run, scrubber: &Scrubber) -> anyhow::Result<Run> {
    let text = scrubber.scrub_text(&serde_json::to_string(run)?);
    Ok(serde_json::from_str(&text)?)
}

/// The case must give what the run gave, secrets apart.
fn check_replay(trial: &Trial, case: &Case, scrubber: &Scrubber) -> anyhow::Result<()> {
    let replayed = replay(&trial.subject.examined, case);
    if let (End::Failed(_), Some(_)) = (&trial.ran.end, &replayed.failure) {
        return Ok(());
    }
    let why = match replayed.snapshot() {
        None => {
            let mismatches = replayed.mismatches.iter().map(ToString::to_string);
            let failure = replayed.failure.iter().map(ToString::to_string);
            mismatches.chain(failure).collect::<Vec<_>>().join("\n")
        }
        Some(found) => {
            let ran: Found = serde_json::from_str(&scrubber.scrub_text(&serde_json::to_string(&trial.ran.found)?))?;
            expect::compare(&ran, found).to_string()
        }
    };
    ensure!(
        why.is_empty(),
        "nothing was written: the recorded case does not replay as it ran. Does the element read the header `date`, or does a \
         record hold a secret of the configuration?\n{why}"
    );
    Ok(())
}

fn check_secrets(case: &Case, scrubber: &Scrubber) -> anyhow::Result<()> {
    let exchanges = case.exchanges.iter().flatten();
    let bodies = exchanges.flat_map(|exchange| [exchange.request.body.as_deref(), Some(&exchange.response.body[..])]);
    let text = case.to_text();
    let left = bodies
        .flatten()
        .chain([text.as_bytes()])
        .find_map(|bytes| scrubber.left_in(bytes));
    if let Some(name) = left {
        bail!(
            "nothing was written: the value of {name} is still somewhere in the case, in a form that could not be taken out"
        );
    }
    // What looks like a secret, whoever's it is.
    Case::parse(text.as_bytes()).map_err(|error| anyhow!("nothing was written: {error}"))?;
    Ok(())
}
