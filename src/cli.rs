//! The command line. Parses and hands on; prints what is meant for people.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::ServeFlags;
use crate::kit;

/// Turns any vendor's API into a stream of created, updated and deleted events.
#[derive(Parser, Debug)]
#[command(
    name = "tidegate",
    version,
    after_help = "First steps:\n  \
        tidegate serve                    starts the gateway on 127.0.0.1:8080 with its memory in ./data\n  \
        curl http://127.0.0.1:8080/health says whether it is up\n  \
        cat data/user.secret data/organization.secret   are what the Authorization header wants: keep them, delete the files\n  \
        tidegate element new my-crm       begins an element, the adapter for a vendor's API\n\n\
        README.md goes on from there: creating an instance, receiving events, writing an element."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the gateway until it is told to stop (SIGTERM or Ctrl-C)
    #[command(
        after_help = "The account's secrets are read from TIDEGATE_USER_SECRET and TIDEGATE_ORGANIZATION_SECRET; where \
        these are not set, they are made on the first start. The data directory keeps their hashes, and a plain copy of each, \
        readable by its owner alone, until you delete it.\n\n\
        Settings of an element for all its instances stand in the file, e.g.\n  \
        [elements.autotaskcrm]\n  \
        \"crm.autotask.integration.code\" = \"...\""
    )]
    Serve(Box<ServeFlags>),
    /// Write an element: begin, build, check, test, record, compare
    #[command(subcommand, after_help = kit::args::AFTER_HELP)]
    Element(Box<kit::args::Command>),
}

/// Where the authoring kit keeps compiled components: in the user's cache directory, if there is one.
#[must_use]
pub fn kit_cache_dir() -> Option<PathBuf> {
    let directory = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let caches = directory("XDG_CACHE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(directory("HOME")?.join(".cache")))?;
    Some(caches.join("tidegate").join("compiled"))
}
