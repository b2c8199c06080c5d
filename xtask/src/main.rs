//! `cargo xtask TASK`: the tasks that people and CI run, in one place and the same for both.
//! Must not hold what another crate needs: building elements is `tidegate-toolchain`'s.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks on its standard streams"
)]

mod steps;
mod tasks;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::tasks::{TASKS, Task};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", help());
        return Ok(());
    };
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        print!("{}", help());
        return Ok(());
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        bail!("there is no task `{name}`\n\n{}", help());
    };
    if rest.iter().any(|argument| argument == "--help" || argument == "-h") && !task.forwards {
        println!("{}", describe(task));
        return Ok(());
    }
    if let (false, Some(surplus)) = (task.forwards, rest.first()) {
        bail!("`cargo xtask {name}` takes no arguments, but was given `{surplus}`");
    }
    (task.run)(rest)
}

fn help() -> String {
    let tasks: String = TASKS.iter().map(|task| describe(task) + "\n").collect();
    format!(
        "Tasks of this repository. New here? `cargo xtask demo` shows the gateway at work; before you send a change,\n\
         `cargo xtask test` runs everything that CI runs.\n\n{tasks}\
         \x20 help       This list.\n\n\
         Each task stops at the first thing that fails and says what to do about it. Everything is built in target/,\n\
         or where CARGO_TARGET_DIR says.\n"
    )
}

fn describe(task: &Task) -> String {
    format!("  {:<10} {}", task.name, task.about.replace('\n', "\n             "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        run(&arguments).expect_err("should be refused").to_string()
    }

    #[test]
    fn an_unknown_task_gets_the_list() {
        let text = complaint(&["tset"]);
        assert!(text.contains("no task `tset`"), "{text}");
        for task in TASKS {
            assert!(text.contains(task.name), "{} is missing in {text}", task.name);
        }
    }

    #[test]
    fn a_surplus_argument_is_not_ignored() {
        assert!(complaint(&["elements", "--release"]).contains("was given `--release`"));
    }
}
