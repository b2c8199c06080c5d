//! A reader at a terminal: a directory, a shell whose variables stay set, and programs that are left running.
//! Must not outlive its programs: they end with it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::compare;
use crate::language::Language;
use crate::page::Output;

/// The ports that the page uses: gateway, simulated vendor, receiver.
const PORTS: [u16; 3] = [8080, 8097, 8098];
/// Exported variables of the shell, kept between two blocks.
const VARIABLES: &str = ".variables";

pub(crate) struct Reader {
    directory: PathBuf,
    /// Of the page, and what they are here.
    addresses: Vec<(String, String)>,
    terminals: BTreeMap<String, Terminal>,
}

struct Terminal {
    program: Child,
    log: PathBuf,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Reader {
    /// At the same path in every run: cargo knows packages by their paths.
    pub(crate) fn new(language: Language) -> Self {
        for program in ["notes-simulator", "receiver"] {
            let path = programs().join(program);
            assert!(
                path.is_file(),
                "{} is built by `cargo test --workspace`",
                path.display()
            );
        }
        let directory = tmp().join(language.name());
        if directory.exists() {
            fs::remove_dir_all(&directory).unwrap();
        }
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(VARIABLES), "").unwrap();
        Self {
            directory,
            addresses: free_addresses(),
            terminals: BTreeMap::new(),
        }
    }

    /// Runs the commands, and gives what they wrote to their standard output.
    pub(crate) fn run(&self, commands: &str, succeeds: bool) -> Result<String, String> {
        let strict = if succeeds { "set -euo pipefail" } else { "set -u" };
        let keep = if succeeds {
            format!("export -p > {VARIABLES}")
        } else {
            String::new()
        };
        let commands = self.here(commands);
        let script = format!(". ./{VARIABLES}\nset -a\n{strict}\n{commands}{keep}\n");
        let output = self.bash(&script).stdin(Stdio::null()).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if output.status.success() == succeeds {
            return Ok(out);
        }
        Err(format!("ended with {}\n{commands}---\n{out}{err}", output.status))
    }

    /// Leaves a program running.
    pub(crate) fn open(&mut self, name: &str, command: &str) -> Result<(), String> {
        let log = self.directory.join(format!(".terminal-{name}"));
        let file = File::create(&log).map_err(|error| error.to_string())?;
        let script = format!(". ./{VARIABLES}\nexec {}", self.here(command));
        let mut bash = self.bash(&script);
        bash.stdin(Stdio::null())
            .stdout(file.try_clone().map_err(|error| error.to_string())?)
            .stderr(file);
        let program = bash.spawn().map_err(|error| error.to_string())?;
        self.terminals.insert(name.to_owned(), Terminal { program, log });
        Ok(())
    }

    pub(crate) fn compare(&self, expected: Output<'_>, found: &str) -> Result<(), String> {
        let text = &self.here(expected.text);
        compare::all(Output { text, ..expected }, found)
    }

    pub(crate) fn compare_terminal(&self, name: &str, expected: Output<'_>) -> Result<(), String> {
        let terminal = self.terminals.get(name).ok_or("there is no such terminal")?;
        let found = fs::read_to_string(&terminal.log).map_err(|error| error.to_string())?;
        let text = &self.here(expected.text);
        compare::part(Output { text, ..expected }, &found)
    }

    /// Makes a change as people do who read it: by the lines around it, which must be there once.
    pub(crate) fn change(&self, diff: &str) -> Result<(), String> {
        let mut file = None;
        for part in diff
            .split_inclusive('\n')
            .collect::<Vec<_>>()
            .split(|line| line.starts_with("@@"))
        {
            let target = part.iter().find_map(|line| line.strip_prefix("+++ "));
            match (&file, target) {
                (None, Some(_)) => file = target.map(|name| self.directory.join(name.trim())),
                (Some(file), None) => change(file, part)?,
                _ => return Err("expected one file, named by `--- FILE` and `+++ FILE`, and then `@@`".into()),
            }
        }
        Ok(())
    }

    /// The lines, between what is left out, stand in the file in this order.
    pub(crate) fn find(&self, file: &str, excerpt: &str) -> Result<(), String> {
        let plain = |text: &str| -> Vec<String> { text.lines().map(|line| line.trim().to_owned()).collect() };
        let path = self.directory.join(file);
        let text = fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
        let text = plain(&text).join("\n") + "\n";
        let mut rest = text.as_str();
        for part in plain(excerpt).split(|line| line == "…") {
            let part = part.join("\n") + "\n";
            let (_, after) = rest
                .split_once(part.as_str())
                .ok_or_else(|| format!("{file} does not have, or not here:\n{part}"))?;
            rest = after;
        }
        Ok(())
    }

    fn bash(&self, script: &str) -> Command {
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(programs()).chain(std::env::split_paths(&others))).unwrap();
        let mut bash = Command::new("bash");
        bash.args(["-c", script])
            .current_dir(&self.directory)
            .env("PATH", path)
            // The SDK is compiled there already, for the gateway's own elements.
            .env(
                "CARGO_TARGET_DIR",
                Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap(),
            )
            .env("XDG_CACHE_HOME", tmp().join("cache"))
            .env("npm_config_prefer_offline", "true")
            .env("NO_COLOR", "1")
            .env_remove("TIDEGATE_USER_SECRET")
            .env_remove("TIDEGATE_ORGANIZATION_SECRET");
        bash
    }

    /// With the addresses that are free here.
    fn here(&self, text: &str) -> String {
        let replace = |text: String, (page, here): &(String, String)| text.replace(page, here);
        self.addresses.iter().fold(text.to_owned(), replace)
    }
}

fn change(file: &Path, lines: &[&str]) -> Result<(), String> {
    let side = |other: char| -> String {
        let kept = lines.iter().filter(|line| !line.starts_with(other));
        kept.map(|line| if *line == "\n" { line } else { &line[1..] }).collect()
    };
    let (old, new) = (side('+'), side('-'));
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    match text.matches(&old).count() {
        1 => fs::write(file, text.replace(&old, &new)).map_err(|error| error.to_string()),
        count => Err(format!(
            "{} has {count} times, and should have once:\n{old}",
            file.display()
        )),
    }
}

/// Free at this moment; all are held until all are known.
fn free_addresses() -> Vec<(String, String)> {
    let listeners = PORTS.map(|port| (port, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()));
    let addresses = listeners.iter().map(|(port, listener)| {
        let here = listener.local_addr().unwrap();
        (format!("127.0.0.1:{port}"), here.to_string())
    });
    addresses.collect()
}

fn programs() -> PathBuf {
    let gateway = Path::new(env!("CARGO_BIN_EXE_tidegate"));
    gateway.parent().unwrap().to_owned()
}

fn tmp() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("authoring")
}
