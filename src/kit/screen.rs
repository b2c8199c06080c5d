//! How the kit speaks: numbers that people read, tables, and words on standard error while something takes long.
//! Must not know what is shown.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What takes longer says so.
const PATIENCE: Duration = Duration::from_secs(2);

/// A line on standard error: for people, and not part of the answer.
pub(super) fn note(text: &str) {
    // Nobody is left to tell where standard error is gone.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Does the work; if it takes more than two seconds, `what` is said on standard error, once.
pub(super) fn during<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (done, waiting) = mpsc::channel::<()>();
    let what = format!("{what} …");
    let teller = thread::spawn(move || {
        if waiting.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            note(&what);
        }
    });
    let result = work();
    drop(done);
    // It ends at once, and only so is nothing said after the work.
    let _ = teller.join();
    result
}

/// `78 kB`, `1.2 MB`.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{} kB", count.div_ceil(1_000)),
        _ => format!("{}.{} MB", count / 1_000_000, count % 1_000_000 / 100_000),
    }
}

/// `1 record`, `2 records`.
pub(super) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// `12.5 ms`, `1.20 s`, `830 µs`, `95 ns`: three digits that count.
pub(super) fn duration(duration: Duration) -> String {
    let nanoseconds = duration.as_secs_f64() * 1e9;
    let (value, unit) = match nanoseconds {
        n if n < 1e3 => return format!("{n:.0} ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    match value {
        v if v < 9.995 => format!("{v:.2} {unit}"),
        v if v < 99.95 => format!("{v:.1} {unit}"),
        v => format!("{v:.0} {unit}"),
    }
}

/// Text cut to so many characters, control characters as spaces.
pub(super) fn clip(text: &str, chars_max: usize) -> String {
    let text = text.replace(char::is_control, " ");
    if text.chars().count() <= chars_max {
        return text;
    }
    let mut cut: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Columns side by side, as wide as their widest cell. A column whose cells are all numbers is aligned to the right.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(heads: &[&str]) -> Self {
        Self {
            rows: vec![heads.iter().map(ToString::to_string).collect()],
        }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, each with `indent` before it.
    pub(super) fn lines(&self, indent: &str) -> String {
        let columns = self.rows[0].len();
        let cells = |column: usize| {
            self.rows
                .iter()
                .map(move |row| row.get(column).map_or("", String::as_str))
        };
        let widths: Vec<usize> = (0..columns)
            .map(|column| cells(column).map(|cell| cell.chars().count()).max().unwrap_or(0))
            .collect();
        let to_the_right: Vec<bool> = (0..columns)
            .map(|column| cells(column).skip(1).all(is_number))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = indent.to_owned();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                // A string takes whatever is written into it.
                let _ = if to_the_right[column] {
                    write!(line, "{cell:>width$}  ")
                } else {
                    write!(line, "{cell:<width$}  ")
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// `-` stands for a number that there is not.
fn is_number(cell: &str) -> bool {
    cell == "-" || cell.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_have_a_unit() {
        assert_eq!(
            [0, 999, 1_001, 78_000, 1_250_000].map(bytes),
            ["0 B", "999 B", "2 kB", "78 kB", "1.2 MB"]
        );
        let times = [95, 1_500, 12_340, 830_000, 12_500_000, 1_200_000_000].map(Duration::from_nanos);
        assert_eq!(
            times.map(duration),
            ["95 ns", "1.50 µs", "12.3 µs", "830 µs", "12.5 ms", "1.20 s"]
        );
        assert_eq!([count(1, "case"), count(0, "case")], ["1 case", "0 cases"]);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["case", "records"]);
        table.row(vec!["a long name".into(), "7".into()]);
        table.row(vec!["b".into(), "1200".into()]);
        let expected = "  case         records\n  a long name        7\n  b               1200\n";
        assert_eq!(table.lines("  "), expected);
    }

    #[test]
    fn long_text_is_cut_with_a_sign() {
        assert_eq!(clip("a\nb", 10), "a b");
        assert_eq!(clip("äöüß", 3), "äö…");
    }

    #[test]
    fn work_that_is_quick_is_done_in_silence_and_gives_its_result() {
        assert_eq!(during("nothing", || 7), 7);
    }
}
