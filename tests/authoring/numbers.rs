//! The limits on the page are those of the program: each constant is read in the source, and beside its name on the page.
//! Must not run anything.

use crate::GUIDE;

macro_rules! source {
    ($path:literal) => {
        include_str!(concat!("../../", $path))
    };
}

const LIMITS: &str = source!("src/element_host/limits.rs");
const RUNNER: &str = source!("src/service/runner.rs");
const TRUST: &str = source!("src/engine/trust.rs");
const EGRESS: &str = source!("src/engine/egress.rs");
const SECTION: &str = source!("plugins/contract/src/section.rs");
const FAILURES: &str = source!("src/service/elements/failures.rs");

/// Source, name of the constant, its value there, the same on the page.
const TABLE: &[(&str, &str, &str, &str)] = &[
    (LIMITS, "DEADLINE", "Duration::from_millis(250)", "250 ms"),
    (LIMITS, "INTERPRETED_DEADLINE", "Duration::from_secs(2)", "2 s"),
    (LIMITS, "MEMORY_BYTES", "64 * MIB", "64 MiB"),
    (LIMITS, "INTERPRETED_MEMORY_BYTES", "256 * MIB", "256 MiB"),
    (LIMITS, "OUTPUT_BYTES", "32 * MIB", "32 MiB"),
    (LIMITS, "STATE_BYTES", "64 * KIB", "64 KiB"),
    (LIMITS, "MEMO_BYTES", "4 * KIB", "4 KiB"),
    (LIMITS, "REQUESTS_PER_STEP", "16", "16"),
    (LIMITS, "LOG_LINES", "100", "100 lines"),
    (LIMITS, "LOG_BYTES", "16 * KIB", "16 KiB"),
    (LIMITS, "ID_BYTES", "KIB", "1 KiB"),
    (LIMITS, "COMPONENT_BYTES_MAX", "64 * MIB", "64 MiB"),
    (SECTION, "CASES_MAX", "200", "200"),
    (SECTION, "CASES_BYTES_MAX", "8 * 1024 * 1024", "8 MiB"),
    (EGRESS, "BODY_BYTES_MAX", "8 * 1024 * 1024", "8 MiB"),
    (RUNNER, "STEPS_PER_RUN_MAX", "10_000", "10,000"),
    (RUNNER, "WAIT_MS_MAX", "60_000", "60 s"),
    (FAILURES, "FAILURES_MAX", "5", "5"),
    (TRUST, "PROBATION_POLLS", "20", "20 polls"),
    (TRUST, "PROBATION_MAX", "Duration::from_hours(24)", "24 h"),
    (TRUST, "PROBATION_FAILURES_MIN", "3", "3,"),
    (TRUST, "PROBATION_RATIO", "3.0", "three times"),
    (TRUST, "STORM_SHARE", "0.1", "10 %"),
    (TRUST, "STORM_RECORDS_MIN", "10", "ten records"),
    (TRUST, "BREACHES_MAX", "5", "5"),
    (TRUST, "QUARANTINE_MIN", "Duration::from_mins(1)", "1 min"),
    (TRUST, "QUARANTINE_MAX", "Duration::from_hours(1)", "1 h"),
];

#[test]
fn every_limit_on_the_page_is_the_programs() {
    let (_, section) = GUIDE.split_once("\n## Limits\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    for (source, name, value, shown) in TABLE {
        let declared = source
            .lines()
            .find_map(|line| line.split_once(&format!("const {name}: ")));
        let (_, declaration) = declared.unwrap_or_else(|| panic!("{name} is not where the page's readers look for it"));
        let found = declaration.split_once(" = ").unwrap().1.split(';').next().unwrap();
        assert_eq!(found, *value, "{name} changed: change the page and this table");
        let row = section.lines().find(|line| line.contains(&format!("`{name}`")));
        let row = row.unwrap_or_else(|| panic!("{name} is not in the table of limits"));
        assert!(row.contains(shown), "{name} is {shown}, and the page says: {row}");
    }
    let named = section.split('`').skip(1).step_by(2);
    for name in named.filter(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')) {
        assert!(TABLE.iter().any(|row| row.1 == name), "nothing checks {name}");
    }
}
