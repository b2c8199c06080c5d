//! The architecture as a table, and a test that reads the imports under `src/` and fails on an arrow that points up.
//! Must not know what the code does: it reads words, and nothing here runs the gateway.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read the repository fails, wherever it notices"
)]

// Beside this file they would each be a test program of their own.
#[path = "layers/files.rs"]
mod files;
#[path = "layers/outline.rs"]
mod outline;
#[path = "layers/rules.rs"]
mod rules;
#[path = "layers/self_test.rs"]
mod self_test;

use std::path::Path;

use crate::files::Sources;

/// The layers, lowest first: modules, and what they may use. Imports point down only, and not even down to what is left
/// out. Modules of one layer do not use each other.
const LAYERS: &[(&str, &str)] = &[
    // Nouns: no I/O, no async, no clock.
    ("domain", ""),
    // Decisions: the same input gives the same output.
    ("engine", "domain"),
    // The traits through which everything else is reached.
    ("ports", "domain engine"),
    // Use cases: they never see an adapter, only ports.
    ("service", "domain engine ports"),
    // Adapters: they know neither the services nor each other.
    ("store outbound element_host clock vault", "domain engine ports"),
    // What a process needs around the gateway, for the composition root and the command line only.
    ("config", "domain"),
    ("telemetry shutdown", "domain config"),
    // The authoring kit: what the host does with an element, at an author's desk.
    ("kit", "domain engine ports element_host outbound clock config"),
    // Edges.
    ("api", "domain engine ports service"),
    ("cli", "domain engine ports service config telemetry shutdown kit"),
    // The composition root: the only place that names concrete adapters. `lib` is src/lib.rs itself.
    ("app main lib", EVERYTHING),
];

/// Crates that one module has to itself, so that what it wraps can be changed in one place.
const OWNERS: &[(&str, &str)] = &[
    ("axum", "api"),
    ("hyper", "api"),
    ("reqwest", "outbound"),
    ("sled", "store::sled"),
    ("wasmtime", "element_host"),
    ("watermelon_proto", "outbound::nats"),
];

/// What some modules must not touch. A path is banned when these names follow each other in it.
const BANS: &[Ban] = &[
    Ban {
        modules: Modules::Only("domain engine"),
        paths: "tokio tokio_util futures_util getrandom async await std::process std::io::stdin",
        why: "nouns and decisions are plain, synchronous code: the caller waits, asks and passes in what came",
    },
    Ban {
        modules: Modules::Only("domain engine ports service"),
        paths: "SystemTime std::time::Instant Instant::now Utc::now Local::now",
        why: "time is an argument (or `ports::Clock` in a service), so that a test can move it",
    },
    Ban {
        modules: Modules::Only("domain engine ports service"),
        paths: "std::fs std::thread tokio::fs tokio::net TcpListener TcpStream UdpSocket ToSocketAddrs UnixStream",
        why: "files, sockets and threads belong to the adapters",
    },
    Ban {
        modules: Modules::AllBut("config cli main"),
        paths: "std::env",
        why: "`main` hands the environment to `config`, and everybody else gets values",
    },
];

/// Besides every crate of `plugins/`: crates whose files must have a header and a parent.
const TIDY_CRATES: &[&str] = &["", "examples", "xtask"];

struct Ban {
    modules: Modules,
    paths: &'static str,
    why: &'static str,
}

enum Modules {
    Only(&'static str),
    AllBut(&'static str),
}

const EVERYTHING: &str = "*";
const CRATE_NAME: &str = "tidegate";

/// A list in the tables above is words with spaces between them.
fn has_word(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

#[test]
fn imports_point_down_only() {
    report(&rules::violations(&Sources::read(repository(), "")));
}

#[test]
fn every_file_has_a_header_and_a_parent() {
    let plugins = repository().join("plugins").read_dir().unwrap();
    let plugins = plugins.map(|entry| format!("plugins/{}", entry.unwrap().file_name().to_str().unwrap()));
    let crates = TIDY_CRATES.iter().map(ToString::to_string).chain(plugins);
    let crates = crates.filter(|name| repository().join(name).join("src").is_dir());
    let violations: Vec<String> = crates
        .flat_map(|name| files::violations(&Sources::read(repository(), &name)))
        .collect();
    report(&violations);
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn report(violations: &[String]) {
    assert!(
        violations.is_empty(),
        "{} broken rules (the tables in tests/layers.rs say what may use what):\n\n{}\n",
        violations.len(),
        violations.join("\n")
    );
}
