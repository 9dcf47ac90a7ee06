//! The half that runs as the user: one process per user and node, asked over a stream socket.
//!
//! What the user may see is decided by the system alone: by the account the process runs under, or by the
//! walls that were put around it before it began. The process reads and writes no file but on behalf of an ask, and
//! ends when its socket does. What it leaves to others: who starts it, as whom, and in which home
//! (`confine`, and the server half in `node`).
//!
//! Each ask has a thread of its own, since a file system blocks; `MOST_AT_ONCE` bounds them.

mod flow;
mod write;

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, ReadDir},
    io::{self, Read as _, Write as _},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use flow::Flow;
use model::Timestamp;
use rustix::{fs::OFlags, io::Errno};
use tasks::{Policy, Tasks};

use crate::{
    entry::{Entry, EntryKind},
    frame::{Answer, Ask, MOST_AT_ONCE, MOST_BODY, PREFIX, Say, What, Why, encode, head, lengths},
};

/// The hidden `soke user-agent`: becomes the user that the last argument tells of, and serves asks on the socket
/// it was started with, until that ends.
#[must_use]
pub fn main() -> ExitCode {
    let plan = std::env::args().next_back().unwrap_or_default();
    match run(&plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // Standard error is the agent's log; nothing is left to say it with where that fails.
            writeln!(io::stderr(), "soke user-agent: {}", model::chain(&fault)).unwrap_or_default();
            ExitCode::FAILURE
        }
    }
}

/// Why the process ended otherwise than by the end of its socket.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("become the user")]
    Enter(#[from] confine::Error),
    #[error("answer on the socket")]
    Serve(#[from] io::Error),
}

fn run(plan: &str) -> Result<(), Fault> {
    let (socket, plan) = confine::helper::enter(plan)?;
    let vanishing = plan.vanishing();
    Ok(serve(socket, plan.worker.home, vanishing)?)
}

/// Serves asks on a socket until the other side closes it or breaks the protocol.
pub(crate) fn serve(
    mut socket: UnixStream,
    home: PathBuf,
    vanishing: &'static [&'static str],
) -> io::Result<()> {
    let agent = Arc::new(Agent {
        home,
        vanishing,
        answers: Mutex::new(socket.try_clone()?),
        flows: Mutex::new(BTreeMap::new()),
        threads: Tasks::new(),
    });
    let ended = agent.hear(&mut socket);
    for flow in agent.flows().values() {
        flow.end();
    }
    ended
}

/// What all threads of the process share.
struct Agent {
    home: PathBuf,
    /// Folders whose content goes with this process, but for a home below one.
    vanishing: &'static [&'static str],
    answers: Mutex<UnixStream>,
    flows: Mutex<BTreeMap<u64, Arc<Flow>>>,
    threads: Tasks,
}

impl Agent {
    fn flows(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Flow>>> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(self: &Arc<Self>, socket: &mut UnixStream) -> io::Result<()> {
        loop {
            let mut prefix = [0; PREFIX];
            match socket.read_exact(&mut prefix) {
                Ok(()) => {}
                Err(ended) if is_end(&ended) => return Ok(()),
                Err(broken) => return Err(broken),
            }
            let (head_length, body_length) = lengths(prefix).map_err(io::Error::other)?;
            let mut bytes = vec![0; head_length + body_length];
            socket.read_exact(&mut bytes)?;
            let (head_bytes, body) = bytes.split_at(head_length);
            let ask: Ask = head(head_bytes).map_err(io::Error::other)?;
            match ask.what {
                What::More { parts } => self
                    .with_flow(ask.id, |flow| flow.grant(parts))
                    .unwrap_or_default(),
                What::End => self.with_flow(ask.id, Flow::end).unwrap_or_default(),
                What::Chunk => self.put(ask.id, Some(body.to_vec()))?,
                What::Whole => self.put(ask.id, None)?,
                What::Home | What::List | What::Read { .. } | What::Write => self.begin(ask, body)?,
            }
        }
    }

    /// An unknown id is an answer that ended meanwhile.
    fn with_flow<T>(&self, id: u64, act: impl FnOnce(&Flow) -> T) -> Option<T> {
        self.flows().get(&id).map(|flow| act(flow))
    }

    fn put(&self, id: u64, bytes: Option<Vec<u8>>) -> io::Result<()> {
        self.with_flow(id, |flow| flow.put(bytes)).unwrap_or(Ok(()))
    }

    fn begin(self: &Arc<Self>, ask: Ask, path: &[u8]) -> io::Result<()> {
        let flow = Arc::new(Flow::new());
        {
            let mut flows = self.flows();
            if flows.len() >= MOST_AT_ONCE {
                drop(flows);
                return self.say(ask.id, Say::Failed { why: Why::Busy }, &[]);
            }
            flows.insert(ask.id, Arc::clone(&flow));
        }
        let path = self.home.join(std::ffi::OsStr::from_bytes(path));
        let agent = Arc::clone(self);
        let started = self.threads.thread("answer", Policy::MayEnd, move || {
            let reply = Reply {
                agent: &agent,
                id: ask.id,
                flow: &flow,
            };
            reply.answer(ask.what, &path);
        });
        if started.is_err() {
            self.flows().remove(&ask.id);
            return self.say(ask.id, Say::Failed { why: Why::Busy }, &[]);
        }
        Ok(())
    }

    fn say(&self, id: u64, say: Say, body: &[u8]) -> io::Result<()> {
        let frame = encode(&Answer { id, say }, body).map_err(io::Error::other)?;
        let mut socket = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        socket.write_all(&frame)
    }
}

/// Why an answer stops before its end.
enum Stop {
    /// The system refuses.
    Failed(Why),
    /// Nobody wants the rest, or the socket is gone.
    Unwanted,
}

/// One answer under way, on its own thread.
struct Reply<'a> {
    agent: &'a Agent,
    id: u64,
    flow: &'a Flow,
}

impl Reply<'_> {
    fn answer(&self, what: What, path: &Path) {
        let ended = match what {
            What::Home => self.part(self.agent.home.as_os_str().as_bytes()),
            What::List => self.list(path),
            What::Read { offset } => self.read(path, offset),
            What::Write => self.write(path),
            What::Chunk | What::Whole | What::More { .. } | What::End => Ok(()),
        };
        self.agent.flows().remove(&self.id);
        let say = match ended {
            Ok(()) | Err(Stop::Unwanted) => Say::Done,
            Err(Stop::Failed(why)) => Say::Failed { why },
        };
        // The main thread sees the same broken socket and ends the process.
        self.agent.say(self.id, say, &[]).unwrap_or_default();
    }

    fn part(&self, body: &[u8]) -> Result<(), Stop> {
        if !self.flow.take() {
            return Err(Stop::Unwanted);
        }
        self.agent
            .say(self.id, Say::Part, body)
            .map_err(|_gone| Stop::Unwanted)
    }

    fn list(&self, path: &Path) -> Result<(), Stop> {
        let mut page = Vec::new();
        for found in open_folder(path)? {
            // An entry that goes away meanwhile, or that the user may not look at, is left out.
            let Some(entry) = look_at(&found.map_err(why)?) else {
                continue;
            };
            if page.len() + entry.encoded_length() > MOST_BODY {
                self.part(&page)?;
                page.clear();
            }
            entry
                .encode(&mut page)
                .map_err(|_too_long| Stop::Failed(Why::Broken))?;
        }
        if page.is_empty() { Ok(()) } else { self.part(&page) }
    }

    fn read(&self, path: &Path, offset: u64) -> Result<(), Stop> {
        let file = open_file(path)?;
        let mut place = offset;
        let mut chunk = vec![0; MOST_BODY];
        loop {
            let length = fill(&file, &mut chunk, place).map_err(why)?;
            if length == 0 {
                return Ok(());
            }
            self.part(&chunk[..length])?;
            place += u64::try_from(length).unwrap_or(u64::MAX);
        }
    }
}

/// The other side has closed, with or without our last words unread.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
    )
}

fn open_folder(path: &Path) -> Result<ReadDir, Stop> {
    // Opens with O_DIRECTORY, so that a named pipe is refused instead of waited for.
    std::fs::read_dir(path).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NOTDIR) if path.exists() => Stop::Failed(Why::NotAFolder),
        _ => why(error),
    })
}

fn look_at(found: &std::fs::DirEntry) -> Option<Entry> {
    let metadata = found.metadata().ok()?;
    let kind = match metadata.file_type() {
        kind if kind.is_dir() => EntryKind::Folder,
        kind if kind.is_symlink() => EntryKind::Link,
        kind if kind.is_file() => EntryKind::File,
        _ => EntryKind::Special,
    };
    let micros = metadata
        .mtime()
        .saturating_mul(1_000_000)
        .saturating_add(metadata.mtime_nsec() / 1_000);
    Some(Entry {
        name: found.file_name().into_vec(),
        kind,
        modified_at: Timestamp::from_micros(micros),
        mode: metadata.mode(),
        size: metadata.size(),
    })
}

/// Opens a regular file and nothing else. The look before spares devices the opening, the look after covers a
/// path that changed between, and O_NONBLOCK keeps a named pipe from holding the thread.
fn open_file(path: &Path) -> Result<File, Stop> {
    refuse_others(&std::fs::metadata(path).map_err(why)?)?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).map_err(|_unlikely| Stop::Failed(Why::Broken))?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(why)?;
    refuse_others(&file.metadata().map_err(why)?)?;
    Ok(file)
}

fn refuse_others(metadata: &std::fs::Metadata) -> Result<(), Stop> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(Stop::Failed(Why::NotAFile))
    }
}

/// Reads until the buffer is full or the file ends, so that all chunks but the last have one length.
fn fill(file: &File, chunk: &mut [u8], place: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < chunk.len() {
        let at = place.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        // The kernel takes no place beyond i64::MAX; no file reaches it.
        if i64::try_from(at).is_err() {
            break;
        }
        match file.read_at(&mut chunk[length..], at) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

fn why(error: io::Error) -> Stop {
    Stop::Failed(match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::NOTDIR) => Why::NotFound,
        Some(Errno::ACCESS | Errno::PERM) => Why::Denied,
        Some(Errno::NAMETOOLONG | Errno::LOOP | Errno::INVAL) => Why::BadPath,
        Some(Errno::ISDIR | Errno::NXIO) => Why::NotAFile,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => Why::Busy,
        _ => Why::Broken,
    })
}
