//! What every command has: help that teaches, words where it can't do what was asked, exit codes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::{assert_has, element, element_with, scene};

const COMMANDS: [&str; 10] = [
    "new", "build", "check", "test", "replay", "diff", "bench", "doc", "run", "record",
];

#[test]
fn the_help_of_every_command_teaches_with_an_example() {
    let scene = scene("help");
    let all = element(&scene, &["--help"]).with(0);
    assert_has(&all, &["Exit codes, of all commands: 0 all is well; 1 it is not"]);
    for command in COMMANDS {
        assert_has(&all, &[&format!("  {command} ")]);
        let help = element(&scene, &[command, "--help"]).with(0);
        assert_has(&help, &["Example", &format!("tidegate element {command} ")]);
    }
}

#[test]
fn what_cannot_be_done_is_said_with_what_to_do_next() {
    let scene = scene("refusals");
    fs::write(scene.join("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    fs::create_dir(scene.join("empty")).unwrap();
    fs::create_dir(scene.join("keyless")).unwrap();
    fs::write(scene.join("keyless/package.json"), "{}").unwrap();
    fs::write(
        scene.join("bad.json"),
        r#"{"format": 1, "name": "x", "run": {"operation": "chek", "nowMs": 0}}"#,
    )
    .unwrap();
    fs::write(
        scene.join("good.json"),
        r#"{"format": 1, "name": "x", "run": {"operation": "check", "nowMs": 0}}"#,
    )
    .unwrap();
    fs::write(scene.join("config.json"), r#"{"crm.autotask.password": hunter2}"#).unwrap();
    let table: &[(&[&str], &str)] = &[
        (&["new", "My CRM"], "such as my-crm"),
        (&["build", "empty"], "it has none of Cargo.toml, package.json"),
        (&["build", "keyless"], "manifest.json"),
        (&["test", "nowhere"], "nor a built-in element (autotaskcrm"),
        (&["test", "empty"], "`tidegate element new NAME` makes one"),
        (&["replay", "missing.json"], "missing.json"),
        (&["replay", "bad.json"], "run.operation: unknown variant `chek`"),
        (
            &["replay", "good.json"],
            "say which component to run it on, with --component",
        ),
        (&["diff", "autotaskcrm", "module.wasm"], "expected a component"),
        (
            &["run", "autotaskcrm", "--config", "config.json"],
            "say --live if that is meant",
        ),
        (
            &["run", "autotaskcrm", "--live", "--config", "config.json"],
            "line 1, column 27",
        ),
        (
            &["record", "autotaskcrm", "--config", "config.json", "--name", "x"],
            "say where to write, with --cases DIR",
        ),
        (
            &["record", "autotaskcrm", "--config", "config.json", "--name", "../x"],
            "it names a file",
        ),
    ];
    for (arguments, words) in table {
        let ran = element(&scene, arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}{}", ran.out, ran.err);
        assert_has(&ran.err, &[words]);
        assert!(!ran.err.contains("hunter2"), "{}", ran.err);
    }
    assert_has(
        &element(&scene, &["check", "module.wasm"]).with(1),
        &["BROKEN", "core module"],
    );
    assert_eq!(
        element(&scene, &["check", "module.wasm", "--json"]).json(1)["good"],
        false
    );
}

#[test]
fn the_reference_page_of_an_element_has_its_keys_and_a_body_to_start_from() {
    let page = element(&scene("doc"), &["doc", "autotaskcrm"]).with(0);
    assert_has(
        &page,
        &[
            "# Autotask CRM\n",
            "| `crm.autotask.password` | password | required, secret |",
            "| `accounts` | `id` | `createDate` | `lastActivityDate` |",
            "`https://*.autotask.net`, the origin of `crm.autotask.server.url`",
            "\"crm.autotask.password\": \"<PASSWORD>\"",
        ],
    );
}

/// The tools of other languages are not here: what the kit asks of them is.
#[test]
fn other_languages_are_built_by_their_own_scripts() {
    let scene = scene("languages");
    let tools = scene.join("tools");
    fs::create_dir(&tools).unwrap();
    let component = env!("CARGO_TARGET_TMPDIR").to_owned() + "/../elements/autotaskcrm.wasm";
    for (tool, made) in [("npm", "js"), ("python3", "py")] {
        let script = format!(
            "#!/bin/sh\necho \"$PWD {tool} $*\" >> {0}/asked\necho chatter\n\
             if [ \"$1\" = ci ]; then mkdir node_modules; else mkdir -p build; cp {component} build/{made}.wasm; fi\n",
            scene.display()
        );
        fs::write(tools.join(tool), script).unwrap();
        fs::set_permissions(tools.join(tool), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", tools.display());
    let environment = [("PATH", path.as_str())];
    for (key, lang) in [("js", "js"), ("py", "python")] {
        element(&scene, &["new", key, "--lang", lang]).with(0);
        let ran = element_with(&scene, &["build", key], &environment);
        assert_has(&ran.err, &["chatter"]);
        let out = ran.with(0);
        assert_has(&out, &[&format!("{key}/build/{key}.wasm\n"), "cases\n"]);
        assert!(!out.contains("chatter"), "the answer is ours alone: {out}");
        element_with(&scene, &["build", key], &environment).with(0);
    }
    let asked = fs::read_to_string(scene.join("asked"))
        .unwrap()
        .replace(scene.to_str().unwrap(), "");
    let expected = "/js npm ci --no-audit --no-fund\n/js npm run build --silent\n/js npm run build --silent\n\
                    /py python3 build.py\n/py python3 build.py\n";
    assert_eq!(asked, expected);
}
