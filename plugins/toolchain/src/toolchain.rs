//! Finds, or installs, a Rust that compiles to `wasm32-unknown-unknown`.
//! Must not download through rustup where `RUSTUP_AUTO_INSTALL=0` forbids it, and must not guess: it works or says why.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use self::choice::{Machine, Plan, Way};
use crate::environment::forget_outer_build;

mod choice;

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Another of our processes may be installing; apt gives up at once unless it is told to wait.
const APT_LOCK_SECONDS: &str = "DPkg::Lock::Timeout=600";

/// A Rust that is known to compile elements.
pub(crate) struct Toolchain {
    way: Way,
    /// rustc's own helper programs, `wasm-component-ld` and the `rust-lld` that it calls.
    helpers: PathBuf,
}

impl Toolchain {
    /// Looks at the machine and installs what is missing and allowed. `lock` is a file that keeps two processes from
    /// installing at the same time; `log` is told of everything that takes longer than a moment.
    pub(crate) fn ensure(root: &Path, lock: &Path, log: &mut dyn FnMut(&str)) -> Result<Self> {
        let _held = hold(lock)?;
        let rustc = Rustc::ask(root)?;
        let helpers = rustc.helpers()?;
        let plan = choice::choose(&Machine::look(rustc.has_target()))?;
        match &plan {
            Plan::Use(_) => {}
            Plan::AddTarget => add_target(root, &rustc, log)?,
            Plan::InstallPackages(packages) => install_packages(packages, log)?,
        }
        Ok(Self {
            way: plan.way(),
            helpers,
        })
    }

    /// A cargo command that builds for [`TARGET`]; the caller adds what to build.
    pub(crate) fn cargo(&self, subcommand: &str) -> Result<Command> {
        let mut command = match self.way {
            Way::Installed => Command::new("cargo"),
            Way::Debian => Command::new("/usr/bin/cargo"),
        };
        forget_outer_build(&mut command);
        command.args([subcommand, "--target", TARGET]);
        // This linker gives a component at once. It finds `rust-lld` on the path.
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", self.helpers.join(LINKER));
        command.env("PATH", path_with(&self.helpers)?);
        if self.way == Way::Debian {
            // Stable Rust builds its own standard library only for those who say that they know what they do.
            command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
            command
                .env("RUSTC", "/usr/bin/rustc")
                .env("RUSTDOC", "/usr/bin/rustdoc");
            command.env_remove("RUSTUP_TOOLCHAIN");
        }
        Ok(command)
    }
}

const LINKER: &str = if cfg!(windows) {
    "wasm-component-ld.exe"
} else {
    "wasm-component-ld"
};

fn hold(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    file.lock().with_context(|| format!("locking {}", path.display()))?;
    Ok(file)
}

fn path_with(first: &Path) -> Result<OsString> {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(first.to_owned()).chain(std::env::split_paths(&rest));
    std::env::join_paths(all).context("adding rustc's helper programs to PATH")
}

/// The compiler that the repository's `rust-toolchain.toml`, or the caller, selects.
struct Rustc {
    host: String,
    sysroot: PathBuf,
}

impl Rustc {
    fn ask(root: &Path) -> Result<Self> {
        let version = output(Command::new("rustc").arg("-vV").current_dir(root))?;
        let host = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("rustc -vV names no host")?;
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(root))?;
        Ok(Self {
            host: host.to_owned(),
            sysroot: sysroot.trim().into(),
        })
    }

    fn rustlib(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib")
    }

    fn has_target(&self) -> bool {
        self.rustlib().join(TARGET).join("lib").is_dir()
    }

    fn helpers(&self) -> Result<PathBuf> {
        let helpers = self.rustlib().join(&self.host).join("bin");
        ensure!(
            helpers.join(LINKER).is_file(),
            "building elements needs `{LINKER}`, which rustup's Rust brings and the one in {} lacks: \
             install Rust with rustup (https://rustup.rs)",
            self.sysroot.display()
        );
        Ok(helpers)
    }
}

fn add_target(root: &Path, rustc: &Rustc, log: &mut dyn FnMut(&str)) -> Result<()> {
    log(&format!(
        "adding {TARGET} to this Rust with `rustup target add {TARGET}`"
    ));
    // In the repository's directory, so that rustup picks the toolchain that rust-toolchain.toml names.
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .current_dir(root)
        .stdout(Stdio::null())
        .status();
    ensure!(
        added.context("running rustup")?.success() && rustc.has_target(),
        "rustup could not add {TARGET} to the Rust in {}: see its message above. On Debian without access to rustup's \
         server, RUSTUP_AUTO_INSTALL=0 makes this build use Debian's packages",
        rustc.sysroot.display()
    );
    Ok(())
}

fn install_packages(packages: &[&str], log: &mut dyn FnMut(&str)) -> Result<()> {
    log("this Rust cannot compile to WebAssembly and rustup may not fetch the target: installing Debian's packages");
    log("apt-get update");
    if !apt_get(&["update", "-qq"])? {
        log("apt-get update failed; trying with the lists that are there");
    }
    log(&format!("apt-get install {} (about 100 MB)", packages.join(" ")));
    let mut arguments = vec!["install", "-qq", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    ensure!(
        apt_get(&arguments)?,
        "apt-get could not install {}: see its message above. They are in Debian 12 and later with its security updates",
        packages.join(" ")
    );
    Ok(())
}

/// Whether apt-get succeeded. What it prints on its standard output is kept from ours: build scripts speak there.
fn apt_get(arguments: &[&str]) -> Result<bool> {
    let mut command = Command::new("apt-get");
    command
        .args(["-o", APT_LOCK_SECONDS])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    Ok(status.context("running apt-get")?.success())
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("running {program}: is it installed?"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{program} failed ({}): {}",
        output.status,
        complaint.trim()
    );
    String::from_utf8(output.stdout).with_context(|| format!("reading what {program} printed"))
}
