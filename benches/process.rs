//! What Linux tells of a process.
//! Must not be relied on elsewhere: there the figures are zero.

/// The most memory that a process had at once, in MiB; `of` is a process id or `self`.
pub(crate) fn peak_mib(of: impl std::fmt::Display) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{of}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0).div_ceil(1024)
}

/// CPU seconds of a process so far, of all its threads, in steps of 10 ms.
pub(crate) fn cpu_seconds(of: impl std::fmt::Display) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{of}/stat")).unwrap_or_default();
    // Fields 14 and 15, user and system; the second may hold spaces and ends in a parenthesis.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    ticks as f64 / 100.0
}
