//! A job as it is shown.
//!
//! What it leaves to others: its stored form (module `record`), wire forms (the dialects).

use model::{JobId, Money, Name, Span, Timestamp, UserId};

use crate::State;

/// A job as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The job's id in the zone.
    pub id: JobId,
    /// The cluster that it belongs to.
    pub cluster: String,
    /// Its number in the cluster, from 1, never given again.
    pub number: u32,
    /// Its name; several jobs may share one.
    pub name: String,
    /// Whose it is.
    pub user: UserId,
    /// The name of that user.
    pub user_name: Name,
    /// Where it stands.
    pub state: State,
    /// Why it waits, or how it ended, in words; empty where the state says it all.
    pub reason: String,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When its program started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The exit code of its program, or 128 + the signal that ended it.
    pub exit_code: Option<i32>,
    /// CPU time of all its processes.
    pub cpu: Span,
    /// The most bytes of memory at one moment.
    pub peak_memory_bytes: u64,
    /// Cores it counts with.
    pub cores: u32,
    /// Bytes of memory it may have.
    pub memory_bytes: u64,
    /// How long it may run.
    pub time_limit: Span,
    /// Relative to the home, or absolute; empty: the home.
    pub working_directory: String,
    /// Relative to the working directory, or absolute.
    pub stdout_path: String,
    /// Relative to the working directory, or absolute.
    pub stderr_path: String,
    /// The node that has it; empty while it waits.
    pub node_name: String,
    /// The account that pays, or the one that was named where nobody does.
    pub account: String,
    /// What was held of the account when the job was submitted; none where nothing was.
    pub hold: Option<Money>,
    /// As submitted.
    pub partition: String,
    /// As submitted.
    pub qos: String,
    /// As submitted.
    pub comment: String,
}

/// Which output of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Job {
    /// The path of an output: absolute, or relative to the user's home.
    #[must_use]
    pub fn output_path(&self, which: Which) -> String {
        let path = match which {
            Which::Stdout => &self.stdout_path,
            Which::Stderr => &self.stderr_path,
        };
        if path.starts_with('/') || self.working_directory.is_empty() {
            return path.clone();
        }
        format!("{}/{path}", self.working_directory.trim_end_matches('/'))
    }
}

/// The file of an output: `%j` in it is the job's number and `%%` a percent sign, as sbatch(1) has them ("filename
/// pattern"); every other sign stands for itself. Without a pattern it is `job-<number>` and the ending.
pub(crate) fn output_file(pattern: &str, number: u32, ending: &str) -> String {
    if pattern.is_empty() {
        return format!("job-{number}.{ending}");
    }
    let (mut path, mut rest) = (String::with_capacity(pattern.len()), pattern);
    while let Some((before, after)) = rest.split_once('%') {
        path.push_str(before);
        if let Some(after) = after.strip_prefix('j') {
            path.push_str(&number.to_string());
            rest = after;
        } else {
            path.push('%');
            rest = after.strip_prefix('%').unwrap_or(after);
        }
    }
    path.push_str(rest);
    path
}

#[cfg(test)]
mod tests {
    use super::output_file;

    #[test]
    fn the_number_of_the_job_may_stand_in_the_name_of_its_output() {
        for (pattern, path) in [
            ("", "job-7.out"),
            ("job.%j.out", "job.7.out"),
            ("%j%j/%j", "77/7"),
            ("100%%", "100%"),
            ("%%j", "%j"),
            ("%x-%", "%x-%"),
            ("plain", "plain"),
        ] {
            assert_eq!(output_file(pattern, 7, "out"), path, "{pattern}");
        }
    }
}
