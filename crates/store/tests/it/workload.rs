//! Work that is done by a process of its own until it is killed, and a judge of what it left behind.
//!
//! Each transaction raises a counter, moves an amount between two accounts, writes the move down, records a
//! change and logs its revision: six statements of which all or none must be there. Every fifth transaction
//! writes the same and then refuses. Each answer is told on the standard output as `ack WRITER NUMBER REVISION`,
//! each fault as `fault KIND`.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use store::{Config, Engine, Error, Migration, Store, Tx, params};
use tasks::Tasks;

use crate::bed::{Bed, Refusal};

pub(crate) const TABLES: Migration = Migration {
    room: "work",
    number: 1,
    sql: "CREATE TABLE accounts (id BIGINT PRIMARY KEY, amount BIGINT NOT NULL);
          INSERT INTO accounts (id, amount) VALUES (0, 1000), (1, 1000), (2, 1000), (3, 1000), (4, 1000);
          CREATE TABLE moves (id TEXT PRIMARY KEY, source BIGINT NOT NULL REFERENCES accounts (id),
              target BIGINT NOT NULL REFERENCES accounts (id), amount BIGINT NOT NULL);
          CREATE TABLE counters (writer BIGINT PRIMARY KEY, n BIGINT NOT NULL);
          CREATE TABLE log (writer BIGINT NOT NULL, n BIGINT NOT NULL, rev BIGINT NOT NULL UNIQUE,
              mark TEXT NOT NULL, PRIMARY KEY (writer, n));
          CREATE TABLE refused (id TEXT PRIMARY KEY);",
};

const ACCOUNTS: i64 = 5;
const WRITERS: i64 = 8;
const PLACE: &str = "SOKE_STORE_WORK";
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer that the process gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) writer: i64,
    pub(crate) n: i64,
    pub(crate) rev: i64,
}

/// Everything that was ever answered on one database.
#[derive(Debug, Default)]
pub(crate) struct History {
    acks: BTreeMap<(i64, i64), i64>,
    revs: BTreeSet<i64>,
    pub(crate) faults: Vec<String>,
}

/// The working process. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    lines: mpsc::Receiver<String>,
}

/// A move of this transaction: `writer`'s next number is found inside.
#[derive(Debug, Clone, Copy)]
struct Move {
    writer: i64,
    source: i64,
    target: i64,
    amount: i64,
    refuse: bool,
}

fn apply(tx: &mut Tx<'_>, work: Move) -> Result<(i64, i64), Refusal> {
    let raise = "INSERT INTO counters (writer, n) VALUES (?1, 1) \
                 ON CONFLICT (writer) DO UPDATE SET n = counters.n + 1 RETURNING n";
    let n: i64 = tx.row(raise, params![work.writer])?.expect("one row").get(0)?;
    let id = format!("{}/{n}", work.writer);
    let add = "UPDATE accounts SET amount = amount + ?2 WHERE id = ?1";
    tx.execute(add, params![work.source, -work.amount])?;
    tx.execute(add, params![work.target, work.amount])?;
    if work.refuse {
        tx.execute("INSERT INTO refused (id) VALUES (?1)", params![&id])?;
        return Err(Refusal::Mine("every fifth refuses"));
    }
    let moved = "INSERT INTO moves (id, source, target, amount) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(moved, params![&id, work.source, work.target, work.amount])?;
    let rev = tx.change("work", &id)?;
    let mark = format!("mark-{}-{n};", work.writer);
    let log = "INSERT INTO log (writer, n, rev, mark) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(log, params![work.writer, n, rev, mark])?;
    Ok((n, rev))
}

/// Not a test of its own: the process that other tests start and kill. Without their word it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn works_until_it_is_killed() {
    let Ok(place) = std::env::var(PLACE) else {
        return;
    };
    let engine = if place.starts_with("postgresql:") {
        Engine::Postgres {
            url: place,
            connections: 4,
        }
    } else {
        Engine::Sqlite { path: place.into() }
    };
    let store = Store::open(&Config { engine }, &[TABLES], &Tasks::new())
        .await
        .unwrap();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(store.clone(), writer)))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn write(store: Store, writer: i64) {
    for round in 1_u64.. {
        let source = rand::random_range(0..ACCOUNTS);
        let work = Move {
            writer,
            source,
            target: (source + rand::random_range(1..ACCOUNTS)) % ACCOUNTS,
            amount: rand::random_range(1..100),
            refuse: round.is_multiple_of(5),
        };
        let line = match store.write(move |tx| apply(tx, work)).await {
            Ok((n, rev)) => format!("ack {writer} {n} {rev}\n"),
            Err(Refusal::Mine(_)) => continue,
            Err(Refusal::Store(error)) => format!("fault {}\n", error.kind()),
        };
        // One write for each line; when nobody reads any more, the process has no more work.
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes())
            .and_then(|()| out.flush())
            .expect("somebody reads");
    }
}

impl Worker {
    /// Starts the process on the bed's database; `before` stands in front of it, such as `strace`.
    pub(crate) fn start(bed: &Bed, before: &[&str]) -> Self {
        let place = match &bed.config.engine {
            Engine::Sqlite { path } => path.display().to_string(),
            Engine::Postgres { url, .. } => url.clone(),
        };
        let own = std::env::current_exe().unwrap();
        let mut words = before.iter().map(Path::new).chain([own.as_path()]);
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .args(["--exact", "workload::works_until_it_is_killed", "--nocapture"])
            .env(PLACE, place)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = read(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The process that works: the one started, or the one that it started and watches.
    pub(crate) fn process(&self) -> Pid {
        let own = self.child.id();
        let children =
            std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let id = children.split_whitespace().next().and_then(|id| id.parse().ok());
        Pid::from_raw(id.unwrap_or_else(|| own.cast_signed())).unwrap()
    }

    /// Takes answers into the history until `enough` holds or the process ends.
    pub(crate) fn hear(&self, history: &mut History, mut enough: impl FnMut(&History) -> bool) {
        while !enough(history) {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => history.take(&line),
                Err(mpsc::RecvTimeoutError::Disconnected) => panic!("the process ended by itself"),
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("the process answers nothing"),
            }
        }
    }

    /// Kills the process and takes what it had answered.
    pub(crate) fn kill(self, history: &mut History) {
        kill_process(self.process(), Signal::KILL).unwrap();
        self.wait(history);
    }

    /// Waits for the end of the process and takes what it had answered.
    pub(crate) fn wait(mut self, history: &mut History) {
        self.child.wait().unwrap();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            history.take(&line);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        kill_process(self.process(), Signal::KILL).ok();
        drop(self.child.wait());
    }
}

fn read(out: ChildStdout) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut line = String::new();
        // A line without its end was cut off by the kill: nobody heard it.
        while out.read_line(&mut line).is_ok_and(|bytes| bytes > 0) && line.ends_with('\n') {
            if send.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    receive
}

/// Reads `ack WRITER NUMBER REVISION`.
pub(crate) fn ack(line: &str) -> Option<Ack> {
    let mut words = line.trim().strip_prefix("ack ")?.split(' ').map(str::parse);
    let mut next = || words.next()?.ok();
    Some(Ack {
        writer: next()?,
        n: next()?,
        rev: next()?,
    })
}

impl History {
    pub(crate) fn len(&self) -> usize {
        self.acks.len()
    }

    fn take(&mut self, line: &str) {
        if let Some(fault) = line.trim().strip_prefix("fault ") {
            self.faults.push(fault.to_owned());
        }
        let Some(ack) = ack(line) else {
            return;
        };
        assert!(self.revs.insert(ack.rev), "revision {} was given twice", ack.rev);
        let before = self.acks.insert((ack.writer, ack.n), ack.rev);
        assert_eq!(
            before, None,
            "number {} of writer {} was given twice",
            ack.n, ack.writer
        );
    }

    /// Opens the database and checks that all that was answered is there, and nothing by halves.
    ///
    /// It looks at one moment: a server may still be finishing what the killed process had asked for.
    pub(crate) async fn judge(&self, bed: &Bed) {
        let store = bed
            .try_open(&[TABLES])
            .await
            .expect("the store opens after the kill");
        let look = store.read(|tx| -> Result<_, Error> {
            let log = tx.rows("SELECT writer, n, rev FROM log", &[])?;
            let counters = tx.rows("SELECT writer, n FROM counters", &[])?;
            let mut wrong = Vec::new();
            for (what, sql) in WRONG {
                let row = tx.row(sql, &[])?.expect("one row");
                wrong.push((what, row.get::<i64>(0)?));
            }
            Ok((log, counters, wrong))
        });
        let (logged, counters, wrong) = look.await.unwrap();
        for (what, count) in wrong {
            assert_eq!(count, 0, "{what}");
        }
        let mut log = BTreeMap::new();
        let mut most: BTreeMap<i64, i64> = BTreeMap::new();
        for row in &logged {
            let (writer, n): (i64, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
            log.insert((writer, n), row.get::<i64>(2).unwrap());
            most.entry(writer)
                .and_modify(|newest| *newest = n.max(*newest))
                .or_insert(n);
        }
        for (key, rev) in &self.acks {
            assert_eq!(log.get(key), Some(rev), "the answer {key:?} is lost");
        }
        let counters = counters
            .iter()
            .map(|row| (row.get(0).unwrap(), row.get(1).unwrap()));
        assert_eq!(counters.collect::<BTreeMap<i64, i64>>(), most);
        assert_eq!(
            most.values().sum::<i64>(),
            i64::try_from(log.len()).unwrap(),
            "a number is missing"
        );
        if bed.is_sqlite() {
            let check = store.read(|tx| tx.row("PRAGMA integrity_check", &[])?.unwrap().get::<String>(0));
            assert_eq!(check.await.unwrap(), "ok");
        }
        store.close().await;
    }
}

/// What must not be there, counted.
const WRONG: [(&str, &str); 6] = [
    ("writes of those who refused", "SELECT COUNT(*) FROM refused"),
    (
        "moves without an entry in the log",
        "SELECT (SELECT COUNT(*) FROM moves) - (SELECT COUNT(*) FROM log)",
    ),
    (
        "entries of the log without their move",
        "SELECT COUNT(*) FROM log WHERE NOT EXISTS (SELECT 1 FROM moves \
         WHERE moves.id = CAST(log.writer AS TEXT) || '/' || CAST(log.n AS TEXT))",
    ),
    (
        "entries of the log without their change",
        "SELECT COUNT(*) FROM log WHERE rev > (SELECT through FROM changes_trimmed) \
         AND NOT EXISTS (SELECT 1 FROM changes WHERE changes.rev = log.rev \
         AND changes.key = CAST(log.writer AS TEXT) || '/' || CAST(log.n AS TEXT))",
    ),
    (
        "changes without their entry in the log",
        "SELECT COUNT(*) FROM changes WHERE NOT EXISTS (SELECT 1 FROM log WHERE log.rev = changes.rev)",
    ),
    (
        "accounts that do not match their moves",
        "SELECT COUNT(*) FROM accounts WHERE amount <> 1000 \
         + (SELECT COALESCE(SUM(amount), 0) FROM moves WHERE target = accounts.id) \
         - (SELECT COALESCE(SUM(amount), 0) FROM moves WHERE source = accounts.id)",
    ),
];
