//! The outer step: holds the work's folder, bounds the work, hears the agent, and writes how it ended.
//!
//! What it leaves to others: the work itself (module `keep`).

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use confine::{
    cgroup::{Bounds, Group},
    ending, enter, namespaces,
    process::Identity,
};
use model::{Span, Timestamp};
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::SignalFd,
    stat::{Mode, umask},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{FlockOperation, flock},
    io::Errno,
};
use tasks::Clock;

use crate::{
    Error, KEEP, NAME, SUBCOMMAND, keep,
    spec::{Cause, Exit, Folder, Spec},
    words::{self, Word},
};

/// How often the control group is asked for kills for want of memory.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long the keeper may take beyond the work's grace before it is killed itself.
const KEEPER_GRACE: Duration = Duration::from_secs(15);
/// How often the lock is tried, some milliseconds apart.
const LOCK_TRIES: u32 = 50;
/// How long the last processes may take to be gone.
const LAST: Duration = Duration::from_secs(10);

/// Supervises the work of a folder from start to end. Only the first of two supervisors does anything.
pub(crate) fn supervise(path: &Path) -> Result<(), Error> {
    enter::close_files()?;
    nix::unistd::setsid().map_err(Error::errno("make a session"))?;
    umask(Mode::from_bits_truncate(0o077));
    let clock = Clock::system();
    let folder = Folder::new(path);
    let order = File::open(folder.spec_path()).map_err(Error::step("open the order"))?;
    if !locked(&order) {
        return Ok(());
    }
    if folder
        .exit()
        .map_err(Error::step("look for an earlier end"))?
        .is_some()
    {
        return Ok(());
    }
    let spec = folder.ordered().map_err(Error::step("read the order"))?;
    let spec = spec.ok_or_else(|| Error::step("read the order")(io::ErrorKind::NotFound.into()))?;
    let own = Identity::of(std::process::id()).ok_or(Error::Step {
        step: "know myself",
        source: io::ErrorKind::NotFound.into(),
    })?;
    folder
        .supervised_by(&own)
        .map_err(Error::step("write who supervises"))?;
    let began = clock.now();
    let group = spec.cgroup.as_ref().map(|base| base.group(&spec.name));
    let answer = Supervisor::start(&folder, &spec, group.clone(), clock.clone()).and_then(Supervisor::watch);
    let mut exit = match answer {
        Ok(exit) => exit,
        Err(error) => {
            let started = folder.started_at().ok().flatten();
            let cause = started.map_or(Cause::NotStarted, |_at| Cause::Broken);
            nothing_ran(started.unwrap_or(began), &clock, cause, model::chain(&error))
        }
    };
    // Whatever the keeper has left, by whichever way there is.
    if let Some(group) = &group {
        group.kill(LAST, || clock.monotonic());
    }
    ending::kill_descendants(LAST, || clock.monotonic());
    if let Some(group) = &group {
        let usage = group.usage();
        if exit.cause != Cause::NotStarted {
            exit.cpu = usage.cpu_micros.map_or(exit.cpu, micros);
            exit.peak_memory_bytes = usage.peak_memory_bytes.unwrap_or(exit.peak_memory_bytes);
        }
        if usage.memory_kills > 0 && matches!(exit.cause, Cause::Itself | Cause::Broken) {
            exit.cause = Cause::MemoryLimit;
        }
        if !group.remove() {
            writeln!(io::stderr(), "stage: the control group stays behind").ok();
        }
    }
    folder.ended(&exit).map_err(Error::step("write the end"))
}

/// Takes the work's lock. An agent that looks holds it for a moment, so it is tried for a while; another
/// supervisor holds it as long as it lives.
fn locked(order: &File) -> bool {
    for _try in 0..LOCK_TRIES {
        if flock(order, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return true;
        }
        ending::pause();
    }
    false
}

pub(crate) fn micros(micros: u64) -> Span {
    Span::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

fn nothing_ran(began: Timestamp, clock: &Clock, cause: Cause, reason: String) -> Exit {
    Exit {
        cause,
        reason,
        code: None,
        cpu: Span::ZERO,
        peak_memory_bytes: 0,
        started_at: began,
        ended_at: clock.now(),
        ran: Span::ZERO,
    }
}

struct Supervisor {
    folder: Folder,
    clock: Clock,
    group: Option<Group>,
    signals: SignalFd,
    keeper: Child,
    commands: ChildStdin,
    words: BufReader<ChildStdout>,
    began: Timestamp,
    grace: Duration,
    give_up_at: Option<Instant>,
    short_of_memory: bool,
}

impl Supervisor {
    fn start(folder: &Folder, spec: &Spec, group: Option<Group>, clock: Clock) -> Result<Self, Error> {
        let mut heard = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD] {
            heard.add(signal);
        }
        heard
            .thread_set_mask()
            .map_err(Error::errno("hold signals back"))?;
        let signals = SignalFd::new(&heard).map_err(Error::errno("hear signals"))?;
        ending::adopt_orphans()?;
        if let Some(group) = &group {
            group.make(Bounds {
                memory_bytes: spec.memory_bytes,
                processes: spec.plan.limits.processes,
            })?;
        }
        let began = clock.now();
        namespaces::outer(spec.plan.separation)?;
        let mut keeper = Command::new("/proc/self/exe")
            .arg0(NAME)
            .args([SUBCOMMAND, KEEP])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::step("start the keeper"))?;
        // It waits for its order, so it is in the group before it starts anything.
        if let Some(group) = &group {
            group.add(keeper.id())?;
        }
        let (Some(mut commands), Some(words)) = (keeper.stdin.take(), keeper.stdout.take()) else {
            return Err(Error::step("talk to the keeper")(
                io::ErrorKind::BrokenPipe.into(),
            ));
        };
        words::send_order(&mut commands, spec).map_err(Error::step("give the keeper its order"))?;
        Ok(Self {
            folder: folder.clone(),
            clock,
            group,
            signals,
            keeper,
            commands,
            words: BufReader::new(words),
            began,
            grace: spec.grace.to_std(),
            give_up_at: None,
            short_of_memory: false,
        })
    }

    fn watch(mut self) -> Result<Exit, Error> {
        loop {
            let (signalled, spoken) = self.wait()?;
            if signalled {
                self.hear_signals()?;
            }
            if spoken {
                let mut line = String::new();
                let length = self.words.read_line(&mut line).unwrap_or(0);
                match serde_json::from_str(&line) {
                    Ok(Word::Started(at)) => {
                        self.folder.started(at).map_err(Error::step("write the start"))?;
                        // An agent that is gone finds it in the folder.
                        let mut agent = io::stdout().lock();
                        agent.write_all(b"s").and_then(|()| agent.flush()).ok();
                    }
                    Ok(Word::Ended(exit)) => {
                        self.keeper.wait().map_err(Error::step("wait for the keeper"))?;
                        return Ok(exit);
                    }
                    Err(_) if length == 0 => return self.keeper_is_gone(),
                    Err(source) => {
                        return Err(Error::Form {
                            what: "the keeper's word",
                            source,
                        });
                    }
                }
            }
            self.look_at_memory();
            if self.give_up_at.is_some_and(|at| self.clock.monotonic() >= at) {
                self.keeper.kill().map_err(Error::step("kill the keeper"))?;
            }
        }
    }

    fn wait(&self) -> Result<(bool, bool), Error> {
        let signals = self.signals.as_fd();
        let words = self.words.get_ref();
        let mut both = [
            PollFd::new(&signals, PollFlags::IN),
            PollFd::new(words, PollFlags::IN),
        ];
        if !self.words.buffer().is_empty() {
            return Ok((false, true));
        }
        let watched = self.group.is_some() || self.give_up_at.is_some();
        let timeout = watched.then_some(LOOK_AGAIN);
        match poll(&mut both, keep::timespec(timeout).as_ref()) {
            Ok(_) => Ok((!both[0].revents().is_empty(), !both[1].revents().is_empty())),
            Err(Errno::INTR) => Ok((false, false)),
            Err(errno) => Err(Error::step("wait for the keeper")(errno.into())),
        }
    }

    fn hear_signals(&mut self) -> Result<(), Error> {
        let signal = self
            .signals
            .read_signal()
            .map_err(Error::errno("hear a signal"))?;
        let number = signal.map_or(0, |signal| signal.ssi_signo);
        if number == Signal::SIGCHLD as u32 {
            return Ok(());
        }
        if self.give_up_at.is_none() {
            self.give_up_at = Some(self.clock.monotonic() + self.grace + KEEPER_GRACE);
            self.tell(words::END);
        }
        Ok(())
    }

    fn look_at_memory(&mut self) {
        let kills = self.group.as_ref().map_or(0, Group::memory_kills);
        if kills > 0 && !self.short_of_memory {
            self.short_of_memory = true;
            self.tell(words::MEMORY);
        }
    }

    /// A keeper that is gone already is seen by the end of its words.
    fn tell(&mut self, command: u8) {
        self.commands.write_all(&[command]).ok();
    }

    fn keeper_is_gone(mut self) -> Result<Exit, Error> {
        let status = self.keeper.wait().map_err(Error::step("wait for the keeper"))?;
        let mut rest = String::new();
        self.words.read_to_string(&mut rest).ok();
        let started = self.folder.started_at().map_err(Error::step("read the start"))?;
        let reason = format!("the work's keeper ended with {status}");
        let (cause, began) = match started {
            Some(at) => (Cause::Broken, at),
            None => (Cause::NotStarted, self.began),
        };
        let mut exit = nothing_ran(began, &self.clock, cause, reason);
        exit.ran = exit.ended_at - began;
        Ok(exit)
    }
}
