//! Who pays is asked when a job is queued and told when it ends, in the very transactions of both, once.
//!
//! The node here is simulated, so that news of it can come late, twice and out of order, and the one who pays keeps
//! a small book of its own in the same store.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use access::{Access, Actor, Credential, Peer, Proof};
use bytes::Bytes;
use confine::Account;
use futures::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, ready},
    stream::BoxStream,
};
use jobs::{
    Admission, Admitted, Asked, Draft, Error, Handle, Job, State,
    node::{Capacity, Known, Nodes, OnNode, Order, Report},
};
use model::{ErrorKind, JobId, Money, Span, Timestamp};
use stage::{Cause, Exit, Observed, Work};
use store::{Engine, Migration, Store, Tx, Value};
use tasks::{Clock, Tasks};
use tokio::sync::Notify;

use crate::machine::SOON;

/// What every job costs here.
const PRICE: i64 = 10;
const STARTED: Timestamp = Timestamp::from_secs(1_700_000_000);

/// Says of its jobs what the test wants it to say.
#[derive(Default)]
struct Simulated {
    reports: Mutex<BTreeMap<JobId, Observed>>,
    /// Whether it cannot start anything.
    is_broken: AtomicBool,
    is_away: AtomicBool,
    news: Notify,
}

impl Simulated {
    fn says(&self, job: JobId, observed: Option<Observed>) {
        let mut reports = self.reports.lock().expect("no panic");
        match observed {
            Some(observed) => drop(reports.insert(job, observed)),
            None => drop(reports.remove(&job)),
        }
        self.news.notify_one();
    }
}

impl OnNode for Simulated {
    fn capacity(&self) -> Option<Capacity> {
        Some(Capacity {
            name: "here".to_owned(),
            cores: 64,
            memory_bytes: 64 << 30,
            reduced: Vec::new(),
        })
    }

    fn is_present(&self) -> bool {
        !self.is_away.load(Ordering::SeqCst)
    }

    fn start(&self, order: Order) -> BoxFuture<'_, Result<(), Error>> {
        if self.is_broken.load(Ordering::SeqCst) {
            let fault = Error::Away {
                kind: ErrorKind::Precondition,
                text: "this machine runs nothing".to_owned(),
            };
            return ready(Err(fault)).boxed();
        }
        let mut reports = self.reports.lock().expect("no panic");
        reports.entry(order.id).or_insert(Observed::Starting);
        ready(Ok(())).boxed()
    }

    fn end(&self, _job: JobId) -> BoxFuture<'_, Result<(), Error>> {
        ready(Ok(())).boxed()
    }

    fn observe(&self) -> BoxFuture<'_, Result<Vec<Report>, Error>> {
        let reports = self.reports.lock().expect("no panic");
        let report = |(id, observed): (&JobId, &Observed)| Report {
            id: *id,
            observed: observed.clone(),
        };
        ready(Ok(reports.iter().map(report).collect())).boxed()
    }

    /// It never forgets, so every end is delivered again and again.
    fn forget(&self, _job: JobId) -> BoxFuture<'_, Result<(), Error>> {
        ready(Ok(())).boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.news.notified().boxed()
    }

    fn read(&self, _: &Account, _: &str, _: u64) -> BoxStream<'static, Result<Bytes, Error>> {
        futures::stream::empty().boxed()
    }
}

/// The nodes `here` and `there`, until one is taken away.
#[derive(Default)]
struct Two {
    here: Arc<Simulated>,
    there: Arc<Simulated>,
    is_one: AtomicBool,
    news: Notify,
}

impl Two {
    fn take_there_away(&self) {
        self.is_one.store(true, Ordering::SeqCst);
        self.news.notify_one();
    }
}

struct Both(Arc<Two>);

impl Nodes for Both {
    fn all(&self) -> BoxFuture<'_, Result<Vec<Known>, Error>> {
        let known = |name: &str, node: &Arc<Simulated>| Known {
            name: name.to_owned(),
            is_usual: name == "here",
            node: Arc::<Simulated>::clone(node),
        };
        let mut all = vec![known("here", &self.0.here)];
        if !self.0.is_one.load(Ordering::SeqCst) {
            all.push(known("there", &self.0.there));
        }
        ready(Ok(all)).boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.0.news.notified().boxed()
    }
}

/// One purse that pays for all jobs.
const BOOK: &[Migration] = &[Migration {
    room: "book",
    number: 1,
    sql: "CREATE TABLE book (purse TEXT PRIMARY KEY, balance BIGINT NOT NULL, held BIGINT NOT NULL);
        CREATE TABLE book_jobs (job TEXT PRIMARY KEY, settled BIGINT NOT NULL);",
}];

#[derive(Default)]
struct Book {
    cannot_settle: AtomicBool,
}

impl Admission for Book {
    fn admit(&self, tx: &mut Tx<'_>, asked: &Asked<'_>) -> Result<Admitted, Error> {
        tx.lock_row("book", "purse", Value::from("ours"))?;
        let sql = "UPDATE book SET held = held + ?1 WHERE purse = 'ours' AND balance - held >= ?1";
        if tx.execute(sql, &[Value::from(PRICE)])? == 0 {
            return Err(Error::Refused {
                kind: ErrorKind::Precondition,
                text: "the purse is empty".to_owned(),
            });
        }
        tx.execute(
            "INSERT INTO book_jobs (job, settled) VALUES (?1, 0)",
            &[Value::from(asked.id)],
        )?;
        // Both nodes, or the one that is left.
        assert!(asked.whole.cores == 128 || asked.whole.cores == 64);
        Ok(Admitted {
            account: Some("ours".to_owned()),
            hold: Some(Money::from_ten_thousandths(PRICE)),
        })
    }

    fn settle(&self, tx: &mut Tx<'_>, ended: &Job) -> Result<(), Error> {
        assert!(ended.state.has_ended() && ended.ended_at.is_some());
        let cost = if ended.started_at.is_some() { PRICE } else { 0 };
        let sql = "UPDATE book SET held = held - ?1, balance = balance - ?2 WHERE purse = 'ours'";
        tx.execute(sql, &[Value::from(PRICE), Value::from(cost)])?;
        let sql = "UPDATE book_jobs SET settled = settled + 1 WHERE job = ?1";
        tx.execute(sql, &[Value::from(ended.id)])?;
        if self.cannot_settle.load(Ordering::SeqCst) {
            return Err(Error::Payer {
                step: "settle job",
                kind: ErrorKind::Internal,
                source: "the book is closed".into(),
            });
        }
        Ok(())
    }
}

struct Zone {
    access: Access,
    store: Store,
    jobs: Handle,
    ada: Actor,
    nodes: Arc<Two>,
    book: Arc<Book>,
    tasks: Tasks,
    _folder: tempfile::TempDir,
}

fn peer() -> Peer {
    Peer::new(None, "test")
}

fn sqlite(folder: &Path) -> Engine {
    Engine::Sqlite {
        path: folder.join("zone.db"),
    }
}

/// The owner ada, two nodes, and a purse that pays for so many jobs.
async fn zone(pays_for: i64, engine: impl FnOnce(&Path) -> Engine) -> Zone {
    let folder = tempfile::tempdir().expect("a folder");
    let tasks = Tasks::new();
    let config = store::Config {
        engine: engine(folder.path()),
    };
    let migrations = [access::MIGRATIONS, jobs::MIGRATIONS, BOOK].concat();
    let store = Store::open(&config, &migrations, &tasks).await.expect("a store");
    let access = Access::start(access::Parts {
        store: store.clone(),
        tasks: tasks.clone(),
        clock: Clock::system(),
        keys_dir: folder.path().join("keys"),
        zone_host: "soke.localhost".to_owned(),
        config: access::Config::default(),
    });
    let access = access.await.expect("access");
    let code = access.first_owner("ada").await.expect("made").expect("a code");
    let signed_in = access
        .sign_in(Proof::LinkCode(code), &peer())
        .await
        .expect("signed in");
    let bearer = Credential::Bearer(signed_in.access_token);
    let ada = access.authenticate(bearer, &peer()).await.expect("known");
    let permit = access::SystemPermit::new("test.book");
    let filled = permit.write(&store, move |tx| {
        let sql = "INSERT INTO book (purse, balance, held) VALUES ('ours', ?1, 0)";
        tx.execute(sql, &[Value::from(pays_for * PRICE)])
    });
    filled.await.expect("filled");
    let (nodes, book) = (Arc::new(Two::default()), Arc::new(Book::default()));
    let jobs = jobs::start(jobs::Parts {
        store: store.clone(),
        access: access.clone(),
        tasks: tasks.clone(),
        clock: Clock::system(),
        nodes: Arc::new(Both(Arc::clone(&nodes))),
        admission: Arc::<Book>::clone(&book),
        config: jobs::Config::default(),
    });
    Zone {
        jobs: jobs.await.expect("jobs"),
        access,
        store,
        ada,
        nodes,
        book,
        tasks,
        _folder: folder,
    }
}

impl Zone {
    async fn submit(&self, draft: Draft) -> Result<Job, Error> {
        let permit = self.access.permit(&self.ada, &peer()).await.expect("permitted");
        self.jobs.submit(permit, draft).await
    }

    async fn queued(&self) -> Job {
        self.submit(draft()).await.expect("submitted")
    }

    async fn cancel(&self, number: u32) -> Job {
        let permit = self.access.permit(&self.ada, &peer()).await.expect("permitted");
        self.jobs.cancel(permit, number).await.expect("cancelled")
    }

    async fn until(&self, number: u32, fits: impl Fn(&Job) -> bool) -> Job {
        let permit = self.access.permit(&self.ada, &peer()).await.expect("permitted");
        let mut changes = self.jobs.watch(permit, number).await.expect("it is there");
        let wait = async {
            while let Some(job) = changes.next().await {
                let job = job.expect("the watch goes on");
                if fits(&job) {
                    return job;
                }
            }
            panic!("job {number} ended otherwise");
        };
        tokio::time::timeout(SOON, wait).await.expect("it happens soon")
    }

    async fn ended(&self, job: &Job) -> Job {
        self.until(job.number, |job| job.state.has_ended()).await
    }

    /// Lets the job run on the node that has it.
    async fn running(&self, node: &Simulated, job: &Job) {
        let placed = |job: &Job| !job.node_name.is_empty();
        self.until(job.number, placed).await;
        node.says(job.id, Some(Observed::Running { started_at: STARTED }));
        self.until(job.number, |job| job.state == State::Running).await;
    }

    /// Balance and holds in jobs, and how often each job was settled.
    async fn book(&self) -> (i64, i64, BTreeMap<JobId, i64>) {
        let permit = access::SystemPermit::new("test.book");
        let read = permit.read(&self.store, |tx| {
            let sums = tx.row("SELECT balance, held FROM book", &[])?.expect("a purse");
            let rows = tx.rows("SELECT job, settled FROM book_jobs", &[])?;
            let settled = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?)));
            let settled = settled.collect::<Result<_, store::Error>>()?;
            Ok::<_, store::Error>((sums.get::<i64>(0)? / PRICE, sums.get::<i64>(1)? / PRICE, settled))
        });
        read.await.expect("read")
    }
}

fn draft() -> Draft {
    Draft::of(Work::Script("true".to_owned()))
}

fn wanting(node: &str) -> Draft {
    Draft {
        node: node.to_owned(),
        ..draft()
    }
}

fn exit(cause: Cause, code: Option<i32>) -> Observed {
    Observed::Ended(Arc::new(Exit {
        cause,
        reason: String::new(),
        code,
        cpu: Span::ZERO,
        peak_memory_bytes: 0,
        started_at: STARTED,
        ended_at: Timestamp::from_secs(1_700_000_060),
        ran: Span::from_secs(60),
    }))
}

/// Ends jobs in every way there is, delivers all news twice and more, and looks into the book.
async fn every_end_is_settled_once(zone: &Zone) {
    let (here, there) = (&zone.nodes.here, &zone.nodes.there);
    let mut paid = Vec::new();
    let mut free = Vec::new();

    let itself = zone.queued().await;
    assert_eq!(
        (itself.account.as_str(), itself.hold),
        ("ours", Some(Money::from_ten_thousandths(PRICE)))
    );
    zone.running(here, &itself).await;
    here.says(itself.id, Some(exit(Cause::Itself, Some(0))));
    paid.push((itself, State::Completed));

    // Its start is never heard of, or too late.
    let unheard = zone.queued().await;
    zone.until(unheard.number, |job| !job.node_name.is_empty()).await;
    here.says(unheard.id, Some(exit(Cause::TimeLimit, Some(143))));
    paid.push((unheard, State::TimedOut));

    let cancelled = zone.queued().await;
    zone.running(here, &cancelled).await;
    zone.cancel(cancelled.number).await;
    zone.cancel(cancelled.number).await;
    here.says(cancelled.id, Some(exit(Cause::Cancelled, Some(143))));
    paid.push((cancelled, State::Cancelled));

    let lost = zone.queued().await;
    zone.running(here, &lost).await;
    here.says(lost.id, Some(Observed::Lost));
    paid.push((lost, State::Lost));

    let without_trace = zone.queued().await;
    zone.running(here, &without_trace).await;
    here.says(without_trace.id, None);
    paid.push((without_trace, State::Lost));

    let broken = zone.queued().await;
    zone.running(here, &broken).await;
    here.says(broken.id, Some(exit(Cause::Broken, None)));
    paid.push((broken, State::Lost));

    let node_gone = zone.submit(wanting("there")).await.expect("submitted");
    zone.running(there, &node_gone).await;
    let cancelled_and_gone = zone.submit(wanting("there")).await.expect("submitted");
    zone.running(there, &cancelled_and_gone).await;
    zone.cancel(cancelled_and_gone.number).await;
    there.is_away.store(true, Ordering::SeqCst);
    let waits = zone.submit(wanting("there")).await.expect("submitted");
    zone.nodes.news.notify_one();
    zone.until(waits.number, |job| job.reason.contains("away")).await;
    let waits_in_vain = zone.submit(wanting("there")).await.expect("submitted");
    zone.cancel(waits.number).await;
    free.push((waits, State::Cancelled));
    zone.nodes.take_there_away();
    paid.push((node_gone, State::Lost));
    paid.push((cancelled_and_gone, State::Cancelled));
    free.push((waits_in_vain, State::Lost));

    let not_started = zone.queued().await;
    zone.until(not_started.number, |job| !job.node_name.is_empty())
        .await;
    here.says(not_started.id, Some(exit(Cause::NotStarted, None)));
    free.push((not_started, State::Failed));
    for (job, state) in paid.iter().chain(&free) {
        assert_eq!(zone.ended(job).await.state, *state, "job {}", job.number);
    }

    here.is_broken.store(true, Ordering::SeqCst);
    let refused_there = zone.queued().await;
    assert_eq!(zone.ended(&refused_there).await.state, State::Failed);
    free.push((refused_there, State::Failed));
    here.is_broken.store(false, Ordering::SeqCst);

    old_news_changes_nothing(zone, paid, free).await;
}

/// Delivers news of the past, out of order, and looks into the book.
async fn old_news_changes_nothing(zone: &Zone, mut paid: Vec<(Job, State)>, free: Vec<(Job, State)>) {
    let here = &zone.nodes.here;
    for (job, _) in &paid {
        here.says(job.id, Some(Observed::Running { started_at: STARTED }));
        here.says(job.id, Some(exit(Cause::Itself, Some(1))));
    }
    // A job after it, so that the loop has met all of it.
    let last = zone.queued().await;
    zone.running(here, &last).await;
    here.says(last.id, Some(exit(Cause::Itself, Some(0))));
    zone.ended(&last).await;
    paid.push((last, State::Completed));

    let (balance, held, settled) = zone.book().await;
    assert_eq!(settled.len(), paid.len() + free.len());
    assert!(settled.values().all(|&times| times == 1), "{settled:?}");
    assert_eq!(
        (balance, held),
        (100 - i64::try_from(paid.len()).expect("few"), 0)
    );
    for (job, state) in paid.iter().chain(&free) {
        assert_eq!(zone.ended(job).await.state, *state, "job {}", job.number);
    }
}

#[tokio::test]
async fn a01_every_end_of_a_job_is_settled_once_whatever_is_delivered_twice() {
    every_end_is_settled_once(&zone(100, sqlite).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_the_same_on_postgresql() {
    let address = tokio::task::block_in_place(|| testbed::Postgres::shared().database());
    let zone = zone(100, |_folder| Engine::Postgres {
        url: address.expect("a database"),
        connections: 3,
    });
    every_end_is_settled_once(&zone.await).await;
}

#[tokio::test]
async fn a_refused_job_leaves_nothing_and_takes_no_number() {
    let zone = zone(1, sqlite).await;
    let first = zone.queued().await;
    let refused = zone.submit(draft()).await.expect_err("the purse is empty");
    assert_eq!(
        (refused.kind(), refused.to_string().as_str()),
        (ErrorKind::Precondition, "submit job: the purse is empty")
    );
    zone.cancel(first.number).await;
    let first_was_placed = zone.ended(&first);
    zone.nodes
        .here
        .says(first.id, Some(exit(Cause::NotStarted, None)));
    first_was_placed.await;
    assert_eq!(
        zone.queued().await.number,
        2,
        "the hold is free again and the number was kept"
    );
    assert_eq!(zone.book().await.2.len(), 2);
}

#[tokio::test]
async fn a_request_that_is_repeated_is_held_for_once() {
    let zone = zone(5, sqlite).await;
    let mut draft = draft();
    draft.request_id = "once".to_owned();
    let tries = (0..5).map(|_| zone.submit(draft.clone()));
    for job in futures::future::join_all(tries).await {
        assert_eq!(job.expect("submitted").number, 1);
    }
    assert_eq!(zone.book().await.1, 1);
}

/// More jobs at once than the purse pays for: as many as it pays for are queued.
async fn never_more_than_the_purse_pays_for(zone: &Zone, tries: usize) {
    let tries = (0..tries).map(|_| zone.submit(draft()));
    let answers = futures::future::join_all(tries).await;
    let (queued, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(queued.len(), 10);
    for refusal in refused {
        assert!(matches!(refusal, Err(Error::Refused { .. })), "{refusal:?}");
    }
    let (balance, held, settled) = zone.book().await;
    assert_eq!((balance, held, settled.len()), (10, 10, 10));
}

#[tokio::test]
async fn a03_of_many_submits_at_once_as_many_are_queued_as_the_purse_pays_for() {
    never_more_than_the_purse_pays_for(&zone(10, sqlite).await, 1000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a03_the_same_on_postgresql() {
    let address = tokio::task::block_in_place(|| testbed::Postgres::shared().database());
    let zone = zone(10, |_folder| Engine::Postgres {
        url: address.expect("a database"),
        connections: 3,
    });
    never_more_than_the_purse_pays_for(&zone.await, 1000).await;
}

#[tokio::test]
async fn an_end_that_cannot_be_settled_is_not_written_and_holds_up_no_other_job() {
    let zone = zone(10, sqlite).await;
    let here = &zone.nodes.here;
    let stuck = zone.queued().await;
    zone.running(here, &stuck).await;
    zone.book.cannot_settle.store(true, Ordering::SeqCst);
    here.says(stuck.id, Some(exit(Cause::Itself, Some(0))));
    // The loop goes past it: a later job gets to run.
    let other = zone.queued().await;
    zone.running(here, &other).await;
    let third = zone.queued().await;
    zone.running(here, &third).await;
    assert_eq!(zone.until(stuck.number, |_| true).await.state, State::Running);
    assert_eq!(zone.book().await.0, 10);
    zone.book.cannot_settle.store(false, Ordering::SeqCst);
    here.news.notify_one();
    assert_eq!(zone.ended(&stuck).await.state, State::Completed);
    let (balance, held, settled) = zone.book().await;
    assert_eq!((balance, held, settled.get(&stuck.id)), (9, 2, Some(&1)));
    zone.tasks.stop(SOON).await;
}
