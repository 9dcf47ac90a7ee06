//! The middle step: starts the work, keeps its time, measures it, and ends whatever it leaves.
//!
//! Where there is a PID namespace this is its first process: nothing inside can signal it, orphans come to
//! it, and its end takes all others with it. What it leaves to others: the record (module `supervise`), the
//! user (module `run`).

use std::{
    fs::File,
    io::{Read as _, Write},
    os::{fd::AsFd, unix::process::CommandExt as _},
    process::{ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use confine::{ending, enter, namespaces, process};
use model::{Span, Timestamp};
use nix::{
    errno::Errno,
    sys::{
        resource::{Usage, UsageWho, getrusage},
        signal::{SigSet, Signal, kill},
        signalfd::SignalFd,
        time::TimeValLike as _,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tasks::Clock;

use crate::{
    Error, NAME, RUN, SUBCOMMAND,
    spec::{Cause, Exit, Spec},
    supervise::micros,
    words::{MEMORY, Word, read_order},
};

/// How often memory is sampled where no control group holds it.
const SAMPLE: Duration = Duration::from_millis(100);
/// How long killed processes may take to be gone.
const LAST: Duration = Duration::from_secs(10);
pub(crate) fn timespec(timeout: Option<Duration>) -> Option<Timespec> {
    timeout.map(|timeout| Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(timeout.subsec_nanos()),
    })
}

/// Keeps the work whose order comes on standard input, and reports on standard output.
pub(crate) fn keep() -> Result<(), Error> {
    enter::close_files()?;
    let mut heard = SigSet::empty();
    heard.add(Signal::SIGCHLD);
    heard
        .thread_set_mask()
        .map_err(Error::errno("hold signals back"))?;
    let first = std::process::id() == 1;
    if first {
        // Its death is that of all others. Where it is not, it must live to end them: the pipe tells it.
        ending::die_with_parent()?;
    } else {
        ending::adopt_orphans()?;
    }
    let taken = |errno: rustix::io::Errno| Error::step("take the pipes")(errno.into());
    let mut commands = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map_err(taken)?);
    let words = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).map_err(taken)?);
    let order = read_order(&mut commands).map_err(Error::step("read the order"))?;
    let spec: Spec = serde_json::from_slice(&order).map_err(|source| Error::Form {
        what: "the order",
        source,
    })?;
    namespaces::inner(&spec.plan)?;
    let clock = Clock::system();
    let mut keeper = Keeper {
        first,
        sampled: !spec.cgroup.as_ref().is_some_and(|base| base.holds_memory()),
        spec,
        signals: SignalFd::new(&heard).map_err(Error::errno("hear signals"))?,
        commands,
        words,
        report: None,
        program: 0,
        began: (clock.now(), clock.monotonic()),
        ended: None,
        cause: None,
        kill_at: None,
        peak_bytes: 0,
        said: Vec::new(),
        clock,
    };
    keeper.start(&order)?;
    keeper.watch()?;
    keeper.finish()
}

struct Keeper {
    spec: Spec,
    clock: Clock,
    /// Whether this is the first process of a PID namespace.
    first: bool,
    /// Whether memory must be sampled for want of a control group.
    sampled: bool,
    signals: SignalFd,
    commands: File,
    words: File,
    /// Where the work says why it cannot run; ends without a word when the program runs.
    report: Option<ChildStdout>,
    said: Vec<u8>,
    program: i32,
    began: (Timestamp, Instant),
    /// When and how its first process ended.
    ended: Option<(WaitStatus, Timestamp, Instant)>,
    cause: Option<Cause>,
    kill_at: Option<Instant>,
    peak_bytes: u64,
}

impl Keeper {
    fn start(&mut self, order: &[u8]) -> Result<(), Error> {
        let mut program = Command::new("/proc/self/exe")
            .arg0(NAME)
            .args([SUBCOMMAND, RUN])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::step("start the work"))?;
        self.program = i32::try_from(program.id()).unwrap_or(0);
        self.report = program.stdout.take();
        if let Some(mut stdin) = program.stdin.take() {
            // One that has ended already says why in its report.
            stdin.write_all(order).ok();
        }
        Ok(())
    }

    /// Waits until its first process has ended.
    fn watch(&mut self) -> Result<(), Error> {
        while self.ended.is_none() {
            let [signalled, commanded, reported] = self.wait()?;
            if reported {
                self.hear_report()?;
            }
            if commanded {
                self.hear_commands();
            }
            if signalled {
                self.signals
                    .read_signal()
                    .map_err(Error::errno("hear a signal"))?;
            }
            self.collect();
            self.keep_limits();
        }
        Ok(())
    }

    fn wait(&self) -> Result<[bool; 3], Error> {
        let now = self.clock.monotonic();
        let wake = |at: Instant| at.saturating_duration_since(now);
        let limit = self.time_is_over_at().filter(|_| self.cause.is_none());
        let next = [
            self.sampled.then_some(SAMPLE),
            limit.map(wake),
            self.kill_at.map(wake),
        ];
        let signals = self.signals.as_fd();
        let mut all = vec![
            PollFd::new(&signals, PollFlags::IN),
            PollFd::new(&self.commands, PollFlags::IN),
        ];
        if let Some(report) = &self.report {
            all.push(PollFd::new(report, PollFlags::IN));
        }
        let timeout = timespec(next.into_iter().flatten().min());
        match poll(&mut all, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::step("wait for the work")(errno.into())),
        }
        let woken = |place: usize| all.get(place).is_some_and(|one| !one.revents().is_empty());
        Ok([woken(0), woken(1), woken(2)])
    }

    fn time_is_over_at(&self) -> Option<Instant> {
        self.began.1.checked_add(self.spec.time_limit?.to_std())
    }

    fn hear_report(&mut self) -> Result<(), Error> {
        let mut chunk = [0; 4096];
        let length = self
            .report
            .as_mut()
            .map_or(Ok(0), |report| report.read(&mut chunk));
        let length = length.map_err(Error::step("hear the work"))?;
        self.said.extend(chunk.iter().take(length));
        if length == 0 {
            self.report = None;
            if self.said.is_empty() {
                self.began = (self.clock.now(), self.clock.monotonic());
                self.say(&Word::Started(self.began.0))?;
            }
        }
        Ok(())
    }

    fn hear_commands(&mut self) {
        let mut chunk = [0; 16];
        match self.commands.read(&mut chunk) {
            Ok(0) | Err(_) => {
                // The supervisor was killed: nobody will hear how it ends.
                self.cause.get_or_insert(Cause::Broken);
                self.kill_work();
            }
            Ok(length) if chunk.iter().take(length).any(|&byte| byte == MEMORY) => {
                self.cause.get_or_insert(Cause::MemoryLimit);
                self.kill_work();
            }
            Ok(_) => self.ask_to_end(Cause::Cancelled),
        }
    }

    fn keep_limits(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let now = self.clock.monotonic();
        if self.kill_at.is_some_and(|at| now >= at) {
            self.kill_at = None;
            self.kill_work();
        }
        if self.time_is_over_at().is_some_and(|at| now >= at) {
            self.ask_to_end(Cause::TimeLimit);
        }
        if self.sampled {
            self.sample();
        }
    }

    /// Asks the work's processes to end, and sets the hour at which they are killed.
    fn ask_to_end(&mut self, cause: Cause) {
        if self.cause.is_some() {
            return;
        }
        self.cause = Some(cause);
        self.kill_at = Some(self.clock.monotonic() + self.spec.grace.to_std());
        self.signal(Signal::SIGTERM);
        // Stopped processes would not hear it.
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if self.first {
            // ESRCH: none is left.
            kill(Pid::from_raw(-1), signal).ok();
        } else {
            let all = process::descendants(std::process::id());
            ending::signal_all(all.iter().map(|stat| stat.pid), signal);
        }
    }

    fn kill_work(&self) {
        if self.first {
            self.signal(Signal::SIGKILL);
        } else {
            // Its first process is waited for by `collect`, so it must be left to it.
            let all = process::descendants(std::process::id());
            ending::signal_all(all.iter().map(|stat| stat.pid), Signal::SIGKILL);
        }
    }

    /// Adds up the memory of all processes, and ends the work when it is too much.
    fn sample(&mut self) {
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        let all = process::descendants(std::process::id());
        let rough: u64 = all.iter().map(|stat| stat.resident_pages * page).sum();
        if rough <= self.spec.memory_bytes {
            self.peak_bytes = self.peak_bytes.max(rough);
            return;
        }
        // Shared pages were counted more than once; the exact sum costs more and is taken only now.
        let exact =
            |stat: &process::Stat| process::own_memory_bytes(stat.pid).unwrap_or(stat.resident_pages * page);
        let exact: u64 = all.iter().map(exact).sum();
        self.peak_bytes = self.peak_bytes.max(exact);
        if exact > self.spec.memory_bytes {
            self.cause.get_or_insert(Cause::MemoryLimit);
            self.kill_work();
        }
    }

    /// Waits for children that have ended: its first process, and orphans that came here.
    fn collect(&mut self) {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(status @ (WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _)))
                    if pid.as_raw() == self.program =>
                {
                    self.ended = Some((status, self.clock.now(), self.clock.monotonic()));
                }
                Ok(WaitStatus::StillAlive) => return,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }

    /// Ends what the work has left, adds up, and says how it ended.
    fn finish(mut self) -> Result<(), Error> {
        while self.report.is_some() {
            self.hear_report()?;
        }
        let Some((status, ended_at, ended)) = self.ended else {
            return Ok(());
        };
        self.end_the_rest();
        let used = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(Error::errno("add up what was used"))?;
        let largest = largest_bytes(&used);
        let code = match status {
            WaitStatus::Exited(_, code) => Some(code),
            WaitStatus::Signaled(_, signal, _) => Some(128 + signal as i32),
            WaitStatus::Stopped(..)
            | WaitStatus::PtraceEvent(..)
            | WaitStatus::PtraceSyscall(_)
            | WaitStatus::Continued(_)
            | WaitStatus::StillAlive => None,
        };
        let mut cause = self.cause.unwrap_or(Cause::Itself);
        if cause == Cause::Itself && self.sampled && largest > self.spec.memory_bytes {
            cause = Cause::MemoryLimit;
        }
        let failed = !self.said.is_empty();
        let exit = Exit {
            cause: if failed { Cause::NotStarted } else { cause },
            reason: String::from_utf8_lossy(&self.said).into_owned(),
            code: code.filter(|_| !failed),
            cpu: cpu(&used),
            peak_memory_bytes: self.peak_bytes.max(largest),
            started_at: self.began.0,
            ended_at,
            ran: Span::from(ended.saturating_duration_since(self.began.1)),
        };
        self.say(&Word::Ended(exit))
    }

    fn end_the_rest(&self) {
        if !self.first {
            ending::kill_descendants(LAST, || self.clock.monotonic());
            return;
        }
        let end = self.clock.monotonic() + LAST;
        loop {
            let none_left = kill(Pid::from_raw(-1), Signal::SIGKILL).is_err();
            ending::reap();
            if none_left || self.clock.monotonic() >= end {
                return;
            }
            ending::pause();
        }
    }

    fn say(&mut self, word: &Word) -> Result<(), Error> {
        let mut line = serde_json::to_vec(word).map_err(|source| Error::Form {
            what: "a word for the supervisor",
            source,
        })?;
        line.push(b'\n');
        // A supervisor that is gone is seen by the end of its commands.
        self.words.write_all(&line).ok();
        Ok(())
    }
}

fn cpu(used: &Usage) -> Span {
    let sum = used.user_time().num_microseconds() + used.system_time().num_microseconds();
    micros(u64::try_from(sum).unwrap_or(0))
}

/// The peak of the largest single process.
fn largest_bytes(used: &Usage) -> u64 {
    u64::try_from(used.max_rss()).unwrap_or(0).saturating_mul(1024)
}
