//! The commands of `tidegate element`, as the command line takes them. Says what each does; does none of it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

pub const AFTER_HELP: &str = "From nothing to a component:\n  \
    tidegate element new my-crm                begins a project in ./my-crm\n  \
    tidegate element build my-crm              makes my-crm/build/my-crm.wasm of it\n  \
    tidegate element check my-crm              does it keep the contract?\n  \
    tidegate element test my-crm               do its recorded cases come out as they did?\n\n\
    Where a command takes an ELEMENT, that is a project's directory (what is not built, or older than its sources, is built \
    first), a component (FILE.wasm), or the key of an element that is part of this program.\n\n\
    Exit codes, of all commands: 0 all is well; 1 it is not (a check failed, a case came out otherwise, there are \
    differences); 2 the question could not be answered, or was not understood.";

#[derive(Subcommand, Debug)]
pub enum Command {
    New(New),
    Build(Build),
    Check(Check),
    Test(Test),
    Replay(Replay),
    Diff(Diff),
    Bench(Bench),
    Doc(Doc),
    Run(Run),
    Record(Record),
}

/// Begin an element: a project that builds and passes at once
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  tidegate element new my-crm --lang rust\n\n\
    The directory my-crm then holds a small, complete element of a made-up vendor with recorded cases, and a README that says \
    what to change first. It needs nothing of this repository: for Rust, the SDK's sources lie in its vendor/ directory.")]
pub struct New {
    /// The element's key, or a path that ends in it: small letters, digits, `-` and `_`
    pub name: PathBuf,
    /// The language to write it in
    #[arg(long, value_name = "LANGUAGE", default_value = "rust")]
    pub lang: Lang,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    Rust,
    Js,
    Python,
}

/// Compile a project to a component that carries its cases
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  tidegate element build my-crm\n\n\
    The language is known by what lies in the directory: Cargo.toml, package.json, pyproject.toml or requirements.txt. The \
    component is build/<key>.wasm; every cases/*.json goes into it, and the gateway replays them before it loads the file.")]
pub struct Build {
    /// The project's directory
    #[arg(default_value = ".", value_name = "DIR")]
    pub directory: PathBuf,
    #[command(flatten)]
    pub compile: Compile,
}

/// How a project is compiled.
#[derive(Args, Clone, Debug, Default)]
pub struct Compile {
    /// Rust: where cargo keeps what it compiled [default: $CARGO_TARGET_DIR, or target in the project]
    #[arg(long, value_name = "DIR")]
    pub target_dir: Option<PathBuf>,
    /// Rust: leave the names of functions out: a smaller file, and traps that show offsets
    #[arg(long)]
    pub strip_names: bool,
}

/// See whether an element keeps the contract, whatever a vendor sends
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  tidegate element check my-crm\n  tidegate element check build/my-crm.wasm --json\n\n\
    Looks at imports and exports, at the manifest, and, with the element's cases as material, at the contract: same inputs \
    give the same bytes, page size changes no result, any response gives a fault and never a trap, requests stay within the \
    manifest, a walk moves on."
)]
pub struct Check {
    #[command(flatten)]
    pub element: Element,
    /// Write what broke a rule as cases, for `replay`
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// For programs: one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Replay the recorded cases of an element
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  tidegate element test my-crm\n  tidegate element test my-crm --update\n\n\
    Each request must be the recorded one, whole; a page that is missing or never asked for is a failure; what comes of the \
    run must be what the case expects. --update writes what came as what is expected: look at the difference before you \
    commit it."
)]
pub struct Test {
    #[command(flatten)]
    pub element: Element,
    /// Only cases whose file or name has this text in it
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// Write what came of each case into its file
    #[arg(long)]
    pub update: bool,
    /// For programs: one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Run one file again: a case, or what the gateway kept of a step that failed
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  tidegate element replay cases/contacts.json\n  \
    tidegate element replay failed.json --component build/my-crm.wasm\n\n\
    Shows each step with its requests, records and log lines, and how it ended: a trap with its backtrace. Without \
    --component it takes the project that the file lies in, else the built-in element that the file names.")]
pub struct Replay {
    /// A case, or the kept inputs of a failing step
    #[arg(value_name = "FILE.json")]
    pub file: PathBuf,
    /// The ELEMENT to run it on
    #[arg(long, value_name = "ELEMENT")]
    pub component: Option<String>,
    #[command(flatten)]
    pub compile: Compile,
    /// Show bodies of requests and records whole
    #[arg(long)]
    pub full: bool,
}

/// Show what a new version would find in the recorded pages of an old one
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  tidegate element diff old.wasm build/my-crm.wasm --cases cases\n\n\
    Replays the same cases on both and compares: records that are new, gone or changed, and requests that are not asked or \
    asked otherwise. Exit code 0: no difference; 1: there are some."
)]
pub struct Diff {
    /// The ELEMENT as it is
    #[arg(value_name = "OLD")]
    pub old: String,
    /// The ELEMENT as it would be
    #[arg(value_name = "NEW")]
    pub new: String,
    /// The cases to replay [default: those of NEW, else of OLD]
    #[arg(long, value_name = "DIR")]
    pub cases: Option<PathBuf>,
    /// For programs: one JSON document on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub compile: Compile,
}

/// Measure what an element costs per record and per call
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  tidegate element bench my-crm\n\n\
    Replays the cases again and again in the gateway's own sandbox and gives the median of several rounds. Small cases \
    measure the call, large ones the records: have one with a full page.")]
pub struct Bench {
    #[command(flatten)]
    pub element: Element,
    /// Only cases whose file or name has this text in it
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// Rounds per case; the median is shown
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub rounds: u32,
    /// For programs: one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Write an element's reference page out of its manifest
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  tidegate element doc my-crm > docs/my-crm.md\n\n\
    Markdown: configuration, resources, limits, and the body that creates an instance.")]
pub struct Doc {
    #[command(flatten)]
    pub element: Element,
}

/// Read from the real vendor, and store nothing
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  tidegate element run my-crm --live --config my.json --resource contacts --since 2026-01-31\n\n\
    my.json is an instance's `configuration`: {\"my-crm.token\": \"…\"}. Shows each request as it is sent, secrets as \
    placeholders, the records, the events that a first poll with first_sight=since would make of them, and what a thousand \
    records cost."
)]
pub struct Run {
    /// Say that requests may be sent to the vendor
    #[arg(long)]
    pub live: bool,
    #[command(flatten)]
    pub ask: Ask,
    /// Show records whole
    #[arg(long)]
    pub full: bool,
}

/// Record a case from the real vendor, without its secrets
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  tidegate element record my-crm --config my.json --resource contacts --max-pages 2 --name contacts\n\n\
    Runs like `run --live`, then writes cases/contacts.json in the project. Every secret of the configuration is taken out of \
    what came; if one is still found anywhere, or the case does not replay as it ran, nothing is written. Look at the file \
    before you commit it: the records are your account's."
)]
pub struct Record {
    #[command(flatten)]
    pub ask: Ask,
    /// The case's name: cases/NAME.json
    #[arg(long, value_name = "CASE")]
    pub name: String,
    /// Where to write [default: cases in the project]
    #[arg(long, value_name = "DIR")]
    pub cases: Option<PathBuf>,
    /// Replace a case that is there
    #[arg(long)]
    pub overwrite: bool,
}

/// What to ask the vendor.
#[derive(Args, Debug)]
pub struct Ask {
    #[command(flatten)]
    pub element: Element,
    /// JSON file with the instance's configuration
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The resource to read [default: the first that the element polls by itself]
    #[arg(long, value_name = "NAME")]
    pub resource: Option<String>,
    /// What to do: read a list, try the credentials, read one record, or enumerate ids
    #[arg(long, value_name = "OPERATION", default_value = "list")]
    pub operation: AskFor,
    /// The record's id, for `--operation get`
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Only what changed since: a date, or a date and time (UTC)
    #[arg(long, value_name = "DATE")]
    pub since: Option<String>,
    /// A where clause, as the hub takes it: name = 'Acme'
    #[arg(long = "where", value_name = "CLAUSE")]
    pub filter: Option<String>,
    /// Records per page [default: the manifest's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub page_size: Option<u32>,
    /// Stop after so many steps that sent requests
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_pages: u32,
    /// Let the vendor be on a private or loopback address
    #[arg(long)]
    pub allow_private_networks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AskFor {
    List,
    Check,
    Get,
    Sweep,
}

/// Which element, and which cases with it.
#[derive(Args, Clone, Debug)]
pub struct Element {
    /// A project's directory, a component, or the key of a built-in element
    #[arg(default_value = ".", value_name = "ELEMENT")]
    pub element: String,
    #[command(flatten)]
    pub compile: Compile,
}
