//! The tasks themselves: which commands each one runs.
//! Must not build elements in another way than the gateway's build script does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use tidegate_toolchain::Detail;
use tidegate_toolchain::elements::{self, Build};

use crate::steps::{Step, announce};

pub(crate) struct Task {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Whether it hands its arguments to what it runs.
    pub(crate) forwards: bool,
    pub(crate) run: fn(&[String]) -> Result<()>,
}

pub(crate) const TASKS: &[Task] = &[
    Task {
        name: "demo",
        about: "Builds the gateway, then runs it against a simulated vendor and prints each event as it arrives.\n\
                The first build takes some minutes. Ctrl-C ends it. Further arguments are the demo's: `cargo xtask demo --help`.",
        forwards: true,
        run: demo,
    },
    Task {
        name: "test",
        about: "Formatting, lints, elements, doc tests and all tests, as CI runs them.",
        forwards: false,
        run: |_| test(),
    },
    Task {
        name: "elements",
        about: "Compiles every element under plugins/ to target/elements/<key>.wasm, and what tests load: those of\n\
                tests/guests and examples/elements that are in Rust. Fetches the compiler's WebAssembly target if it is\n\
                missing. A gateway that runs with --elements-dir target/elements takes them from there.",
        forwards: false,
        run: |_| {
            build_elements()
                .and_then(|()| build_test_guests())
                .and_then(|()| build_examples())
        },
    },
    Task {
        name: "bench",
        about: "The benchmarks, or those named: `cargo xtask bench normalise`. docs/performance.md says what they measure\n\
                and what to expect.",
        forwards: true,
        run: bench,
    },
];

fn demo(arguments: &[String]) -> Result<()> {
    let mut build = cargo(&["build", "--locked"]);
    build.args([
        "--package",
        "tidegate",
        "--bin",
        "tidegate",
        "--package",
        "tidegate-examples",
        "--bin",
        "demo",
    ]);
    Step {
        headline: "building the gateway and the demo (some minutes the first time)",
        advice: "The compiler's messages above say why.",
        command: build,
    }
    .run()?;
    let programs = target_dir().join("debug");
    let mut command = Command::new(programs.join(program("demo")));
    command
        .arg("--gateway")
        .arg(programs.join(program("tidegate")))
        .args(arguments);
    become_program(command)
}

fn test() -> Result<()> {
    let step = |headline, advice, arguments: &[&str]| {
        Step {
            headline,
            advice,
            command: cargo(arguments),
        }
        .run()
    };
    step(
        "formatting",
        "Run `cargo fmt --all` and look at what it changed.",
        &["fmt", "--all", "--check"],
    )?;
    step(
        "lints",
        "Each message above names its lint; an exception is `#[expect(lint, reason = \"…\")]`.",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    build_elements()?;
    build_test_guests()?;
    build_examples()?;
    step(
        "doc tests",
        "The examples in the documentation must run; the messages above name the line.",
        &["test", "--doc", "--workspace", "--locked"],
    )?;
    // The tests come last, so that the runner's summary is what a reader of the log sees first.
    let runner: &[&str] = if has_nextest() {
        &["nextest", "run"]
    } else {
        &["test", "--lib", "--bins", "--tests", "--examples"]
    };
    step(
        "tests",
        "Run one alone with `cargo test --workspace NAME`, to see all that it prints.",
        &[runner, &["--workspace", "--locked"]].concat(),
    )?;
    eprintln!("\neverything passed");
    Ok(())
}

fn build_elements() -> Result<()> {
    build_folder("elements", elements::PLUGINS, "elements")
}

/// What only the gateway's tests load.
fn build_test_guests() -> Result<()> {
    build_folder("guests of the tests", elements::TEST_GUESTS, "elements-test")
}

/// What tests/languages.rs loads, beside the examples in other languages.
fn build_examples() -> Result<()> {
    build_folder("examples of elements", elements::EXAMPLES, "elements-examples")
}

fn build_folder(headline: &str, folder: &str, out_dir: &str) -> Result<()> {
    let target_dir = target_dir();
    let built = announce(headline, || {
        elements::build(Build {
            root: root(),
            folder,
            out_dir: &target_dir.join(out_dir),
            target_dir: &target_dir,
            detail: Detail::Everything,
            log: &mut |line| eprintln!("    {line}"),
        })
    })?;
    for element in built {
        let path = element
            .component
            .strip_prefix(root())
            .unwrap_or(&element.component)
            .display();
        let state = if element.changed { "new" } else { "unchanged" };
        println!("{path}  {} kB, {state}", element.bytes.div_ceil(1000));
    }
    Ok(())
}

fn bench(names: &[String]) -> Result<()> {
    // Cargo builds the gateway's own programs with its benchmarks; the simulated vendor is another package's.
    let mut vendor = cargo(&["build", "--release", "--locked"]);
    vendor.args(["--package", "tidegate-examples", "--bin", "autotask-simulator"]);
    Step {
        headline: "building the simulated vendor",
        advice: "The compiler's messages above say why.",
        command: vendor,
    }
    .run()?;
    let mut command = cargo(&["bench", "--locked", "--package", "tidegate"]);
    // A pattern of cargo's, which leaves out the library: its tests would be compiled, and none be run.
    let all = ["*".to_owned()];
    for name in if names.is_empty() { &all } else { names } {
        command.args(["--bench", name]);
    }
    Step {
        headline: "benchmarks (a release build first: some minutes)",
        advice: "The messages above say why. The benchmarks are named in Cargo.toml.",
        command,
    }
    .run()
}

/// The cargo that runs us, in the repository's directory.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

fn has_nextest() -> bool {
    let status = cargo(&["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate lies in the repository's directory")
}

/// A relative `CARGO_TARGET_DIR` is meant from where the commands run, which is the repository's directory.
fn target_dir() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

fn program(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// Puts the program in our place, so that Ctrl-C and other signals reach it and nobody else waits.
#[cfg(unix)]
fn become_program(mut command: Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(error).with_context(|| format!("running {}", command.get_program().display()))
}

#[cfg(not(unix))]
fn become_program(mut command: Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("running {}", command.get_program().display()))?;
    std::process::exit(status.code().unwrap_or(1));
}
