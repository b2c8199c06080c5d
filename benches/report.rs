//! What all benchmarks share: the machine, medians, and ratios beside what they should be.
//! Must not know what is measured.

use std::fmt;

/// What a ratio should be. A floor that is missed is a regression, a goal is what we want; it lies above the floor where
/// more is better, as of throughput, and below it where less is, as of time.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) floor: f64,
    pub(crate) goal: f64,
}

impl Target {
    fn more_is_better(self) -> bool {
        self.goal > self.floor
    }

    fn verdict(self, ratio: f64) -> &'static str {
        let reaches = |limit| {
            if self.more_is_better() {
                ratio >= limit
            } else {
                ratio <= limit
            }
        };
        match (reaches(self.goal), reaches(self.floor)) {
            (true, _) => "goal reached",
            (false, true) => "floor held",
            (false, false) => "BELOW FLOOR",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { floor, goal } = self;
        let sign = if self.more_is_better() { '≥' } else { '≤' };
        write!(formatter, "floor {sign} {floor}, goal {sign} {goal}")
    }
}

/// Names the benchmark and the machine: figures of another one do not compare, ratios nearly do.
pub(crate) fn print_head(title: &str) {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let (kernel, load) = (read("/proc/sys/kernel/osrelease"), read("/proc/loadavg"));
    let load = load.split(' ').next().unwrap_or_default();
    println!("\n{title}");
    println!(
        "{cores} × {model}, kernel {}, load {load} at the start\n",
        kernel.trim()
    );
}

/// # Panics
/// Without figures.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Prints the median of a ratio taken pass by pass, the range of its passes, and what it should be.
pub(crate) fn print_ratio(name: &str, passes: impl IntoIterator<Item = f64>, target: Target) {
    let passes: Vec<f64> = passes.into_iter().collect();
    let ratio = median(passes.iter().copied());
    let least = passes.iter().copied().fold(f64::INFINITY, f64::min);
    let most = passes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    println!(
        "{name:<58} {ratio:>5.2}  ({least:.2} to {most:.2})  {target}: {}",
        target.verdict(ratio)
    );
}
