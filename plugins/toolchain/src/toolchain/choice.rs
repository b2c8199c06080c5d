//! Which Rust compiles elements on this machine, by what the machine has and allows.
//! Must not install anything, and `choose` must not look: it is given what was seen.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::{TARGET, output, succeeds};

/// rustup's 1.95 compiler does not compile Debian's newer library source, so compiler, cargo and source come together.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Way {
    /// The Rust that `rustc` names has the target's standard library.
    Installed,
    /// Debian's compiler builds the standard library as well, from Debian's source of it.
    Debian,
}

/// What the choice depends on.
pub(super) struct Machine {
    has_target: bool,
    has_rustup: bool,
    /// `RUSTUP_AUTO_INSTALL=0`: nothing may be downloaded through rustup.
    rustup_forbidden: bool,
    debian: Option<Debian>,
    is_root: bool,
}

struct Debian {
    missing_packages: Vec<&'static str>,
    /// rustup as Debian's package, which Debian's compiler conflicts with; rustup in `~/.cargo/bin` does no harm.
    packages_rustup: bool,
}

impl Machine {
    pub(super) fn look(has_target: bool) -> Self {
        Self {
            has_target,
            has_rustup: succeeds("rustup", &["--version"]),
            rustup_forbidden: std::env::var_os("RUSTUP_AUTO_INSTALL").is_some_and(|value| value == "0"),
            // dpkg is asked only where the answer matters.
            debian: (!has_target && Path::new("/usr/bin/dpkg-query").exists()).then(Debian::look),
            is_root: output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0"),
        }
    }
}

impl Debian {
    fn look() -> Self {
        let is_installed = |package: &str| {
            let status = output(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]));
            status.is_ok_and(|status| status.trim() == "installed")
        };
        Self {
            missing_packages: DEBIAN_PACKAGES
                .into_iter()
                .filter(|package| !is_installed(package))
                .collect(),
            packages_rustup: is_installed("rustup"),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Use(Way),
    AddTarget,
    InstallPackages(Vec<&'static str>),
}

impl Plan {
    pub(super) fn way(&self) -> Way {
        match self {
            Self::Use(way) => *way,
            Self::AddTarget => Way::Installed,
            Self::InstallPackages(_) => Way::Debian,
        }
    }
}

/// An error is one line that says what to install.
pub(super) fn choose(machine: &Machine) -> Result<Plan> {
    if machine.has_target {
        return Ok(Plan::Use(Way::Installed));
    }
    if machine.has_rustup && !machine.rustup_forbidden {
        return Ok(Plan::AddTarget);
    }
    let Some(debian) = &machine.debian else {
        if machine.has_rustup {
            bail!(
                "this Rust has no {TARGET}, and RUSTUP_AUTO_INSTALL=0 forbids fetching it: \
                 unset that variable, or run `rustup target add {TARGET}` yourself"
            );
        }
        bail!("this Rust has no {TARGET}: install your system's package of it, or Rust from https://rustup.rs");
    };
    if debian.missing_packages.is_empty() {
        return Ok(Plan::Use(Way::Debian));
    }
    let packages = debian.missing_packages.join(" ");
    if debian.packages_rustup {
        bail!(
            "building elements needs Debian's {packages}, which conflict with Debian's package `rustup`: \
             remove that package and install rustup from https://rustup.rs, which gets along with them"
        );
    }
    if !machine.is_root {
        bail!("building elements needs packages: run `apt-get install --no-install-recommends {packages}` as root");
    }
    Ok(Plan::InstallPackages(debian.missing_packages.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine like the one that CI runs on, before anything is installed.
    fn bare_debian() -> Machine {
        Machine {
            has_target: false,
            has_rustup: true,
            rustup_forbidden: true,
            debian: Some(Debian {
                missing_packages: DEBIAN_PACKAGES.to_vec(),
                packages_rustup: false,
            }),
            is_root: true,
        }
    }

    fn refusal(machine: &Machine) -> String {
        let text = choose(machine).expect_err("should be refused").to_string();
        assert!(!text.contains('\n'), "one line: {text}");
        text
    }

    #[test]
    fn takes_the_target_that_is_there() {
        assert_eq!(
            choose(&Machine {
                has_target: true,
                ..bare_debian()
            })
            .unwrap(),
            Plan::Use(Way::Installed)
        );
    }

    #[test]
    fn asks_rustup_where_it_may_download() {
        assert_eq!(
            choose(&Machine {
                rustup_forbidden: false,
                ..bare_debian()
            })
            .unwrap(),
            Plan::AddTarget
        );
    }

    #[test]
    fn installs_only_the_packages_that_are_missing() {
        let debian = Debian {
            missing_packages: vec!["rust-web-src"],
            packages_rustup: false,
        };
        let machine = Machine {
            debian: Some(debian),
            ..bare_debian()
        };
        assert_eq!(choose(&machine).unwrap(), Plan::InstallPackages(vec!["rust-web-src"]));
    }

    #[test]
    fn installs_nothing_when_the_packages_are_there() {
        let debian = Debian {
            missing_packages: vec![],
            packages_rustup: false,
        };
        let machine = Machine {
            debian: Some(debian),
            is_root: false,
            ..bare_debian()
        };
        assert_eq!(choose(&machine).unwrap(), Plan::Use(Way::Debian));
    }

    #[test]
    fn tells_someone_who_is_not_root_what_to_install() {
        let text = refusal(&Machine {
            is_root: false,
            ..bare_debian()
        });
        assert!(
            text.contains("apt-get install --no-install-recommends rustc-web cargo-web rust-web-src"),
            "{text}"
        );
    }

    #[test]
    fn refuses_beside_debians_own_rustup() {
        let debian = Debian {
            missing_packages: DEBIAN_PACKAGES.to_vec(),
            packages_rustup: true,
        };
        let text = refusal(&Machine {
            debian: Some(debian),
            ..bare_debian()
        });
        assert!(text.contains("conflict with Debian's package `rustup`"), "{text}");
    }

    #[test]
    fn says_what_to_do_on_other_systems() {
        let forbidden = refusal(&Machine {
            debian: None,
            ..bare_debian()
        });
        assert!(forbidden.contains("rustup target add"), "{forbidden}");
        let without = refusal(&Machine {
            debian: None,
            has_rustup: false,
            ..bare_debian()
        });
        assert!(without.contains("https://rustup.rs"), "{without}");
    }
}
