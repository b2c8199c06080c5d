//! The checker is checked: trees that break each rule, and trees that do not.
//! Must not read the repository.

use std::collections::BTreeMap;

use crate::files::{self, Sources};
use crate::{LAYERS, has_word, rules};

/// A file, its text, and what the finding must say.
const FORBIDDEN: &str = r#"
    src/domain/id.rs     use crate::engine::plan::Plan;              => `domain` may use no other module, not `engine`
    src/engine.rs        fn f(x: crate::ports::Store) {}             => `engine` may use only domain, not `ports`
    src/service/poll.rs  use crate::store::sled::Store;              => only domain, engine, ports, not `store`
    src/store/sled.rs    use crate::{domain::Id, service::poll};     => not `service` (`crate::service::poll`)
    src/store.rs         use crate::{domain::Id, outbound as out};   => `store` may use only
    src/api/hub.rs       use crate::outbound::Client;                => `api` may use only
    src/api.rs           use crate::config::Config;                  => not `config`
    src/cli.rs           fn f() { crate::element_host::load() }      => not `element_host`
    src/telemetry.rs     use crate::service;                         => not `service`
    src/service/poll.rs  use super::super::clock::SystemClock;       => not `clock` (`crate::clock::SystemClock`)
    src/service.rs       use super::store::Store;                    => not `store`
    src/service.rs       mod tests { use super::super::store::X; }   => not `store`
    src/service.rs       #[cfg(unix)] mod x { use crate::store::X; } => not `store`
    src/service.rs       #[cfg(test)] mod x; mod y { use crate::store::X; }       => not `store`
    src/service.rs       use tidegate::store::Store;                 => not `store`
    src/service.rs       fn f() { select! { x = crate::store::get() => {} } }     => not `store`
    src/service.rs       macro_rules! m { () => { $crate::store::get() } }        => not `store`
    src/service.rs       pub(in crate::store) fn f() {}              => not `store`

    src/service.rs       use crate::*;                               => names everything
    src/service.rs       use super::*;                               => names everything
    src/service.rs       use crate::{ports, *};                      => names everything
    src/service.rs       use crate::Store;                           => `crate::Store` is not in a module of the table
    src/attic.rs         const X: u8 = 1;                            => `attic` is in no layer

    src/app.rs           use axum::Router;                           => only `api` may use the crate `axum`
    src/main.rs          use axum;                                   => only `api` may use
    src/store.rs         fn f(e: sled::Error) {}                     => only `store::sled` may use the crate `sled`
    src/store.rs         mod sled; use ::sled::Db;                   => only `store::sled` may use
    src/store/sledge.rs  use sled::Db;                               => only `store::sled` may use
    src/service.rs       extern crate reqwest;                       => only `outbound` may use the crate `reqwest`
    src/service.rs       impl ::reqwest::X for Y {}                  => only `outbound` may use
    src/api.rs           #[wasmtime::main] fn f() {}                 => only `element_host` may use
    src/service.rs       use {std::fmt, sled::Db};                   => only `store::sled` may use

    src/engine/dates.rs  use std::time::{Duration, SystemTime};      => `engine` may not use `std::time::SystemTime`
    src/engine.rs        use std::time; fn f() { time::SystemTime::now(); }       => time is an argument
    src/domain.rs        fn f() { chrono::Utc::now(); }              => time is an argument
    src/service.rs       use std::time::Instant;                     => time is an argument
    src/domain.rs        use tokio::sync::Mutex;                     => plain, synchronous code
    src/engine.rs        async fn f() {}                             => plain, synchronous code
    src/engine.rs        fn f() { g().await }                        => plain, synchronous code
    src/domain.rs        use std::{env, fmt};                        => `domain` may not use `std::env`
    src/store.rs         fn f() { std::env::temp_dir(); }            => `store` may not use `std::env::temp_dir`
    src/engine.rs        use std::fs::File;                          => belong to the adapters
    src/service.rs       use tokio::net::TcpListener;                => belong to the adapters
    src/engine.rs        fn f() { "                                  => cannot be read as Rust
"#;

const ALLOWED: &str = r#"
    src/engine/plan.rs   use crate::domain::{id::EventId, record::{self, Record}}; use super::compare::Page;
    src/engine.rs        #[cfg(test)] mod tests { use crate::store::Store; fn f() { std::env::temp_dir(); } }
    src/engine/plan.rs   /* crate::service */ const X: &str = "crate::store::x"; // use crate::store::Y;
    src/engine.rs        use std::net::IpAddr; fn f() { env!("X"); }
    src/service/poll.rs  use crate::ports::Store; use tokio::time::Instant; use super::task; use self::inner::X;
    src/service.rs       mod tests { use super::*; use super::super::ports; }
    src/service.rs       pub async fn f(self) {} pub(crate) mod inner { pub(super) fn f() {} }
    src/store.rs         mod sled; pub use self::sled::Store; fn f() { sled::open(); }
    src/store/sled/x.rs  use sled::IVec; use std::fs; use std::time::Instant;
    src/outbound.rs      fn f(store: X) { let sled = axum; Vec::<u8>::sled(); <T as U>::axum(); }
    src/api/hub.rs       use axum::{Router, routing::get}; use crate::service::hub;
    src/app.rs           use crate::{api, store::sled::Store, clock::SystemClock, config::Config, element_host, outbound};
    src/main.rs          use tidegate::app::App; fn main() { std::env::vars(); }
    src/lib.rs           pub mod domain; pub mod store; pub use app::App;
"#;

fn tree<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Sources {
    let files = files.into_iter().map(|(file, text)| (file.to_owned(), text.to_owned()));
    Sources {
        prefix: String::new(),
        files: files.collect(),
    }
}

fn rows(table: &str) -> impl Iterator<Item = (&str, &str)> {
    let rows = table.lines().map(str::trim).filter(|row| !row.is_empty());
    rows.map(|row| row.split_once(' ').expect("a file, then its text"))
}

#[test]
fn a_forbidden_path_is_found_however_it_is_written() {
    for (file, row) in rows(FORBIDDEN) {
        let (text, expected) = row.rsplit_once("=> ").expect("a text, then what is expected");
        let found = rules::violations(&tree([(file, text)]));
        assert!(
            found.iter().any(|line| line.contains(expected)),
            "{file}: {text}\nexpected {expected}\nfound {found:?}"
        );
    }
}

#[test]
fn what_the_table_allows_passes() {
    for (file, text) in rows(ALLOWED) {
        assert_eq!(rules::violations(&tree([(file, text)])), [""; 0], "{file}: {text}");
    }
}

#[test]
fn a_file_of_tests_may_use_what_it_likes() {
    let parent = (
        "src/engine.rs",
        "//! Decisions.\n#[cfg(test)]\n#[rustfmt::skip]\npub(crate) mod tests;",
    );
    let file = "use crate::store::Store;";
    let sources = tree([
        parent,
        ("src/engine/tests.rs", file),
        ("src/engine/tests/case.rs", file),
    ]);
    assert_eq!(rules::violations(&sources), [""; 0]);
    assert!(
        !files::violations(&sources)
            .iter()
            .any(|line| line.contains("engine/tests.rs"))
    );
}

#[test]
fn a_finding_names_file_and_line() {
    let found = rules::violations(&tree([(
        "src/api.rs",
        "//! Routes.\nuse crate::{\n    domain,\n    store,\n};",
    )]));
    assert_eq!(
        found,
        ["src/api.rs:4: `api` may use only domain, engine, ports, service, not `store` (`crate::store`)"]
    );
}

#[test]
fn files_out_of_order_are_found() {
    let found = files::violations(&tree([
        ("src/lib.rs", "//! Root.\nmod store;\nmod tests { mod inner; }"),
        ("src/main.rs", "//! Entry.\nmod extra;"),
        ("src/bin/tool.rs", "//! Entry."),
        ("src/extra.rs", "//! Declared by main."),
        ("src/store.rs", "//! Declared by the root.\n#[cfg(test)]\nmod contract;"),
        ("src/store/contract.rs", "//! Declared by its parent."),
        ("src/tests/inner.rs", "//! Declared in an inline module."),
        ("src/orphan.rs", "//! Declared by nobody."),
        ("src/store/orphan.rs", "//! Declared by nobody."),
        ("src/bare/mod.rs", "fn f() {}"),
    ]));
    let expected = [
        "src/bare/mod.rs:1: starts without",
        "src/bare/mod.rs:1: is named mod.rs",
        "src/bare/mod.rs:1: no module declares",
        "src/orphan.rs:1: no module declares",
        "src/store/orphan.rs:1: no module declares",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "expected {expected}, found {found}");
    }
}

#[test]
fn a_layer_uses_only_lower_ones() {
    let mut lower: BTreeMap<&str, &str> = BTreeMap::new();
    for (modules, uses) in LAYERS {
        for used in uses.split(' ').filter(|used| !["", "*"].contains(used)) {
            assert!(
                lower.contains_key(used),
                "{modules} uses {used}, which is in no lower layer"
            );
        }
        for module in modules.split(' ') {
            assert!(!has_word(uses, module), "{module} need not be told that it uses itself");
            assert_eq!(lower.insert(module, modules), None, "{module} is in two layers");
        }
    }
}
