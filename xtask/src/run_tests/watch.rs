//! Reads the output of test binaries as it comes: counts, and how long each test took.

use std::{collections::BTreeMap, time::Duration};

/// What all test binaries said together.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Tests that libtest was told to leave out.
    pub(crate) skipped: u64,
    times: Vec<(Duration, String)>,
}

impl Sum {
    /// The slowest tests with their seconds, slowest first.
    pub(crate) fn slowest(&self, count: usize) -> impl Iterator<Item = (f64, &str)> {
        self.times
            .iter()
            .take(count)
            .map(|(time, name)| (time.as_secs_f64(), name.as_str()))
    }
}

/// Hears the lines of test binaries that run one after the other.
#[derive(Debug)]
pub(crate) struct Watch {
    threads: usize,
    sum: Sum,
    started: Duration,
    ended: Vec<(String, Duration)>,
}

impl Watch {
    /// Makes a watch for binaries that run this many tests at a time.
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads,
            sum: Sum::default(),
            started: Duration::ZERO,
            ended: Vec::new(),
        }
    }

    /// Takes in one line that came at a moment.
    pub(crate) fn hear(&mut self, line: &str, now: Duration) {
        if line.starts_with("running ") && (line.ends_with(" tests") || line.ends_with(" test")) {
            self.close();
            self.started = now;
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            for (number, what) in counts
                .split([';', '.'])
                .filter_map(|part| part.trim().split_once(' '))
            {
                let number = number.parse().unwrap_or(0);
                match what {
                    "passed" => self.sum.passed += number,
                    "failed" => self.sum.failed += number,
                    "ignored" => self.sum.skipped += number,
                    _ => {}
                }
            }
        } else if let Some((name, _verdict)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ... "))
        {
            self.ended.push((name.to_owned(), now));
        }
    }

    /// Everything that was heard, the slowest tests first.
    pub(crate) fn finish(mut self) -> Sum {
        self.close();
        self.sum.times.sort_by(|a, b| b.cmp(a));
        self.sum
    }

    /// Works out the times of the tests of one binary: they start by name, and a next one when one has ended.
    fn close(&mut self) {
        let ended = std::mem::take(&mut self.ended);
        let mut names: Vec<&str> = ended.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let mut waiting = names.into_iter();
        let mut running: BTreeMap<&str, Duration> = waiting
            .by_ref()
            .take(self.threads)
            .map(|name| (name, self.started))
            .collect();
        for (name, end) in &ended {
            let start = running.remove(name.as_str()).unwrap_or(*end);
            self.sum.times.push((end.saturating_sub(start), name.clone()));
            if let Some(next) = waiting.next() {
                running.insert(next, *end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Watch;

    #[test]
    fn times_follow_from_the_order_in_which_tests_end() {
        let second = Duration::from_secs;
        let mut watch = Watch::new(2);
        watch.hear("running 3 tests", second(10));
        // a and b start at 10; c takes a's place at 11.
        watch.hear("test a ... ok", second(11));
        watch.hear("test b ... FAILED", second(14));
        watch.hear("test c ... ok", second(16));
        watch.hear(
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
            second(16),
        );
        let sum = watch.finish();
        assert_eq!((sum.passed, sum.failed, sum.skipped), (2, 1, 0));
        let slowest: Vec<(f64, &str)> = sum.slowest(2).collect();
        assert_eq!(slowest, [(5.0, "c"), (4.0, "b")]);
    }
}
