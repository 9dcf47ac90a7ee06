//! The slice as a whole: a store, permits, the reconciler, and jobs on this machine.

use std::{path::Path, sync::Arc, time::Duration};

use access::{Access, Action, Actor, Credential, NewUser, Peer, Permit, Proof, Secret, SignedIn};
use futures::StreamExt as _;
use jobs::{Cancel, Draft, Error, Filter, Get, Handle, Job, List, Output, State, Submit, Which};
use model::{ErrorKind, Span, Timestamp};
use stage::Work;
use store::{Engine, Store};
use tasks::{Clock, Tasks};

use crate::machine::{Machine, Mode, SOON, count, eventually};

struct Zone {
    machine: Machine,
    access: Access,
    store: Store,
    jobs: Handle,
    ada: Actor,
    bob: Actor,
    /// Of everything but the node.
    tasks: Tasks,
}

fn peer() -> Peer {
    Peer::new(None, "test")
}

async fn actor(access: &Access, code: Secret) -> Actor {
    let signed_in: SignedIn = access
        .sign_in(Proof::LinkCode(code), &peer())
        .await
        .expect("signed in");
    let bearer = Credential::Bearer(signed_in.access_token);
    access.authenticate(bearer, &peer()).await.expect("known")
}

/// The owner ada and the member bob, and a node with as many cores as asked for.
async fn zone(cores: u32) -> Zone {
    zone_on(cores, |folder| Engine::Sqlite {
        path: folder.join("zone.db"),
    })
    .await
}

async fn zone_on(cores: u32, engine: impl FnOnce(&Path) -> Engine) -> Zone {
    let machine = Machine::with(Mode::Whole, |config| {
        config.cores = Some(cores);
        config.memory_bytes = Some(4 << 30);
    })
    .await;
    let tasks = Tasks::new();
    let engine = engine(machine.folder.path());
    let config = store::Config { engine };
    let migrations = [access::MIGRATIONS, jobs::MIGRATIONS].concat();
    let store = Store::open(&config, &migrations, &tasks).await.expect("a store");
    let access = Access::start(access::Parts {
        store: store.clone(),
        tasks: tasks.clone(),
        clock: Clock::system(),
        keys_dir: machine.folder.path().join("keys"),
        zone_host: "soke.localhost".to_owned(),
        config: access::Config::default(),
    })
    .await
    .expect("access");
    let code = access.first_owner("ada").await.expect("made").expect("a code");
    let ada = actor(&access, code).await;
    let permit = access.permit(&ada, &peer()).await.expect("the owner may");
    let wanted = NewUser {
        name: "bob".to_owned(),
        ..NewUser::default()
    };
    let (_, code) = access.create_user(&permit, &wanted).await.expect("made");
    let bob = actor(&access, code).await;
    let jobs = start(&machine, &store, &access, &tasks).await;
    Zone {
        machine,
        access,
        store,
        jobs,
        ada,
        bob,
        tasks,
    }
}

async fn start(machine: &Machine, store: &Store, access: &Access, tasks: &Tasks) -> Handle {
    jobs::start(jobs::Parts {
        store: store.clone(),
        access: access.clone(),
        tasks: tasks.clone(),
        clock: Clock::system(),
        nodes: Arc::new(jobs::node::Alone::new(
            "here",
            Arc::<jobs::agent::LocalNode>::clone(&machine.node),
        )),
        admission: Arc::new(jobs::Unpaid),
        config: jobs::Config {
            default_memory_bytes: 64 << 20,
            most_unfinished: 50,
            ..jobs::Config::default()
        },
    })
    .await
    .expect("jobs")
}

fn script(text: &str) -> Draft {
    Draft::of(Work::Script(text.to_owned()))
}

impl Zone {
    async fn permit<A: Action>(&self, actor: &Actor) -> Permit<A> {
        self.access.permit(actor, &peer()).await.expect("permitted")
    }

    async fn submit(&self, actor: &Actor, draft: Draft) -> Result<Job, Error> {
        self.jobs.submit(self.permit::<Submit>(actor).await, draft).await
    }

    async fn get(&self, actor: &Actor, number: u32) -> Result<Job, Error> {
        self.jobs.get(self.permit::<Get>(actor).await, number).await
    }

    async fn cancel(&self, actor: &Actor, number: u32) -> Result<Job, Error> {
        self.jobs.cancel(self.permit::<Cancel>(actor).await, number).await
    }

    /// Watches a job to its end.
    async fn ended(&self, number: u32) -> Job {
        self.until(number, |job| job.state.has_ended()).await
    }

    async fn until(&self, number: u32, fits: impl Fn(&Job) -> bool) -> Job {
        let permit = self.permit::<Get>(&self.ada).await;
        let mut changes = self.jobs.watch(permit, number).await.expect("it is there");
        let wait = async {
            while let Some(job) = changes.next().await {
                let job = job.expect("the watch goes on");
                if fits(&job) {
                    return job;
                }
            }
            panic!("the job ended otherwise");
        };
        tokio::time::timeout(SOON, wait).await.expect("it happens soon")
    }
}

#[tokio::test]
async fn a_job_is_numbered_runs_and_is_shown_with_all_that_it_used() {
    let zone = zone(2).await;
    let mut draft = script("echo hello; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 4");
    draft.name = "counting".to_owned();
    let job = zone.submit(&zone.ada, draft).await.expect("submitted");
    assert_eq!(
        (job.number, job.state, job.cluster.as_str()),
        (1, State::Pending, "local")
    );
    assert_eq!(
        (job.stdout_path.as_str(), job.stderr_path.as_str()),
        ("job-1.out", "job-1.err")
    );
    let job = zone.ended(1).await;
    assert_eq!(
        (job.state, job.exit_code, job.reason.as_str()),
        (State::Failed, Some(4), "exit code 4")
    );
    assert_eq!((job.name.as_str(), job.node_name.as_str()), ("counting", "here"));
    assert!(
        job.cpu > Span::from_micros(10_000) && job.peak_memory_bytes > 100_000,
        "{job:?}"
    );
    assert!(job.submitted_at <= job.started_at.expect("started") && job.started_at <= job.ended_at);
    assert_eq!(zone.machine.read("job-1.out"), "hello\n");
    // What is written down is dropped on the node, and what counts is kept.
    eventually("the node forgets", || {
        std::fs::read_dir(zone.machine.folder.path().join("jobs"))
            .expect("jobs")
            .count()
            == 0
    })
    .await;
    assert_eq!(zone.jobs.counts().await.expect("counted").ended, 1);
}

#[tokio::test]
async fn output_is_followed_while_the_job_runs_and_from_any_place() {
    let zone = zone(2).await;
    zone.submit(
        &zone.ada,
        script("echo one; sleep 0.6; echo two; sleep 0.3; printf three"),
    )
    .await
    .expect("submitted");
    let permit = zone.permit::<Output>(&zone.ada).await;
    let chunks = zone
        .jobs
        .output(permit, 1, Which::Stdout, 2)
        .await
        .expect("a stream");
    let chunks: Vec<_> = tokio::time::timeout(SOON, chunks.collect::<Vec<_>>())
        .await
        .expect("it ends");
    let mut text = String::new();
    for chunk in &chunks {
        let (place, bytes) = chunk.as_ref().expect("a chunk");
        assert_eq!(*place, 2 + u64::try_from(text.len()).expect("small"));
        text.push_str(std::str::from_utf8(bytes).expect("text"));
    }
    assert_eq!(text, "e\ntwo\nthree");
    assert!(chunks.len() >= 2, "it came as it grew");
}

#[tokio::test]
async fn q04_ten_tries_with_one_request_id_make_one_job() {
    let zone = zone(2).await;
    let mut draft = script("true");
    draft.request_id = "mine-1".to_owned();
    let tries = (0..10).map(|_| zone.submit(&zone.ada, draft.clone()));
    for job in futures::future::join_all(tries).await {
        assert_eq!(job.expect("submitted").number, 1);
    }
    let other = Draft {
        work: Work::Script("false".to_owned()),
        ..draft.clone()
    };
    let refused = zone.submit(&zone.ada, other).await.expect_err("another job");
    assert_eq!(refused.kind(), ErrorKind::Exists);
    // Another user's ids are their own.
    assert_eq!(zone.submit(&zone.bob, draft).await.expect("submitted").number, 2);
}

#[tokio::test]
async fn q09_what_cannot_be_is_refused_with_every_fault_and_leaves_no_job() {
    let zone = zone(2).await;
    let mut draft = script("true");
    (draft.cores, draft.memory_bytes, draft.time_limit) =
        (Some(0), Some(u64::MAX), Some(Span::from_secs(-1)));
    let refused = zone.submit(&zone.ada, draft).await.expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let Error::Draft(faults) = refused else {
        panic!("a list of faults")
    };
    let fields: Vec<_> = faults.iter().map(|fault| fault.field).collect();
    assert_eq!(fields, ["cores", "memory_bytes", "time_limit"]);
    assert_eq!(
        zone.submit(&zone.ada, script("true"))
            .await
            .expect("submitted")
            .number,
        1
    );
}

#[tokio::test]
async fn a_user_has_only_so_many_unfinished_jobs() {
    let zone = zone(1).await;
    for _job in 0..50 {
        zone.submit(&zone.bob, script("sleep 600"))
            .await
            .expect("submitted");
    }
    let refused = zone
        .submit(&zone.bob, script("true"))
        .await
        .expect_err("one too many");
    assert_eq!(refused.kind(), ErrorKind::Exhausted);
    zone.submit(&zone.ada, script("true"))
        .await
        .expect("another user may");
    zone.cancel(&zone.bob, 1).await.expect("it ends");
    zone.ended(1).await;
}

#[tokio::test]
async fn jobs_of_others_are_not_there_for_a_member_and_are_for_the_owner() {
    let zone = zone(2).await;
    let ada = zone
        .submit(&zone.ada, script("true"))
        .await
        .expect("submitted")
        .number;
    let bob = zone
        .submit(&zone.bob, script("sleep 600"))
        .await
        .expect("submitted")
        .number;
    for refused in [
        zone.get(&zone.bob, ada).await,
        zone.cancel(&zone.bob, ada).await,
        zone.get(&zone.bob, 99).await,
    ] {
        assert_eq!(refused.expect_err("not there").kind(), ErrorKind::NotFound);
    }
    let permit = zone.permit::<Output>(&zone.bob).await;
    let refused = zone.jobs.output(permit, ada, Which::Stdout, 0).await;
    assert_eq!(
        refused.map(drop).expect_err("not there").kind(),
        ErrorKind::NotFound
    );
    let listed = |page: jobs::Page| page.jobs.into_iter().map(|job| job.number).collect::<Vec<_>>();
    let page = zone
        .jobs
        .list(&zone.permit::<List>(&zone.bob).await, Filter::default())
        .await
        .expect("listed");
    assert_eq!(listed(page), [bob]);
    let page = zone
        .jobs
        .list(&zone.permit::<List>(&zone.ada).await, Filter::default())
        .await
        .expect("listed");
    assert_eq!(listed(page), [bob, ada]);
    zone.until(bob, |job| job.state == State::Running).await;
    zone.cancel(&zone.ada, bob).await.expect("the owner may");
    assert_eq!(zone.ended(bob).await.state, State::Cancelled);
}

#[tokio::test]
async fn lists_come_page_by_page_and_by_time_and_state() {
    let zone = zone(2).await;
    for _job in 0..7 {
        zone.submit(&zone.ada, script("true")).await.expect("submitted");
    }
    for number in 1..=7 {
        zone.ended(number).await;
    }
    let list = async |filter: Filter| {
        let permit = zone.permit::<List>(&zone.ada).await;
        let page = zone.jobs.list(&permit, filter).await.expect("listed");
        (
            page.jobs.iter().map(|job| job.number).collect::<Vec<_>>(),
            page.next,
        )
    };
    let pages = Filter {
        page_size: 3,
        ..Filter::default()
    };
    assert_eq!(list(pages).await, (vec![7, 6, 5], Some(5)));
    assert_eq!(
        list(Filter {
            before: Some(5),
            ..pages
        })
        .await,
        (vec![4, 3, 2], Some(2))
    );
    assert_eq!(
        list(Filter {
            before: Some(2),
            ..pages
        })
        .await,
        (vec![1], None)
    );
    assert_eq!(
        list(Filter {
            unfinished_only: true,
            ..pages
        })
        .await,
        (vec![], None)
    );
    let third = zone.get(&zone.ada, 3).await.expect("there").submitted_at;
    assert_eq!(
        list(Filter {
            submitted_to: Some(third),
            ..Filter::default()
        })
        .await
        .0,
        [3, 2, 1]
    );
    let later = Filter {
        submitted_from: Some(Timestamp::from_micros(third.micros() + 1)),
        ..Filter::default()
    };
    assert_eq!(list(later).await.0, [7, 6, 5, 4]);
    let permit = zone.permit::<List>(&zone.ada).await;
    let refused = zone
        .jobs
        .list(
            &permit,
            Filter {
                page_size: 1001,
                ..pages
            },
        )
        .await;
    assert_eq!(refused.expect_err("too large").kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_cancelled_job_without_its_output_file_has_written_nothing() {
    let zone = zone(2).await;
    let own = script("rm job-1.out; exec sleep 600");
    zone.submit(&zone.ada, own).await.expect("submitted");
    let waits = script("until ls job-1.err && ! ls job-1.out; do sleep 0.02; done");
    zone.submit(&zone.ada, waits).await.expect("submitted");
    assert_eq!(zone.ended(2).await.state, State::Completed);
    zone.cancel(&zone.ada, 1).await.expect("wanted");
    assert_eq!(zone.ended(1).await.state, State::Cancelled);
    let permit = zone.permit::<Output>(&zone.ada).await;
    let chunks = zone.jobs.output(permit, 1, Which::Stdout, 0).await;
    let chunks = chunks.expect("a stream").collect::<Vec<_>>();
    let chunks = tokio::time::timeout(SOON, chunks).await.expect("it ends");
    assert!(chunks.is_empty(), "{chunks:?}");
}

#[tokio::test]
async fn a_waiting_job_says_for_what_and_is_cancelled_at_once_and_an_ended_one_is_not() {
    let zone = zone(1).await;
    zone.submit(&zone.ada, script("sleep 600"))
        .await
        .expect("submitted");
    zone.until(1, |job| job.state == State::Running).await;
    zone.submit(&zone.ada, script("true")).await.expect("submitted");
    let job = zone.until(2, |job| job.reason.contains("free")).await;
    assert_eq!(
        job.reason,
        "waits for 1 cores and 64 MiB; 0 cores and 4032 MiB are free"
    );
    let job = zone.cancel(&zone.ada, 2).await.expect("cancelled");
    assert_eq!(
        (job.state, job.exit_code, job.started_at),
        (State::Cancelled, None, None)
    );
    let refused = zone.cancel(&zone.ada, 2).await.expect_err("it has ended");
    assert_eq!(refused.kind(), ErrorKind::Precondition);
    zone.cancel(&zone.ada, 1).await.expect("wanted");
    zone.cancel(&zone.ada, 1).await.expect("wanted again");
    assert_eq!(zone.ended(1).await.state, State::Cancelled);
}

#[tokio::test]
async fn one_user_with_many_jobs_does_not_keep_another_waiting() {
    let zone = zone(1).await;
    for _job in 0..20 {
        zone.submit(&zone.ada, script("sleep 0.1"))
            .await
            .expect("submitted");
    }
    let bob = zone
        .submit(&zone.bob, script("true"))
        .await
        .expect("submitted")
        .number;
    zone.ended(bob).await;
    let waiting = zone.jobs.counts().await.expect("counted").pending;
    assert!(waiting >= 10, "{waiting} of ada's jobs wait still");
}

#[tokio::test]
async fn jobs_go_on_over_a_restart_of_the_slice_and_end_once() {
    let many = count(5, 50).min(49);
    let mut zone = zone(64).await;
    for _job in 0..many {
        zone.submit(
            &zone.ada,
            script("while [ ! -e go ]; do sleep 0.05; done; exit $((SOKE_JOB_NUMBER % 5))"),
        )
        .await
        .expect("submitted");
    }
    for number in 1..=many {
        zone.until(number, |job| job.state == State::Running).await;
    }
    // The slice's tasks and the node's end; the stages do not notice.
    zone.tasks.stop(SOON).await;
    zone.machine = zone.machine.again(|config| config.cores = Some(64)).await;
    let tasks = Tasks::new();
    zone.jobs = start(&zone.machine, &zone.store, &zone.access, &tasks).await;
    zone.tasks = tasks;
    std::fs::write(zone.machine.home().join("go"), "").expect("the home is open to the agent");
    for number in 1..=many {
        let job = zone.ended(number).await;
        let code = i32::try_from(number % 5).expect("small");
        let state = if code == 0 {
            State::Completed
        } else {
            State::Failed
        };
        assert_eq!((job.state, job.exit_code), (state, Some(code)));
    }
}

#[tokio::test]
async fn a_job_whose_trace_is_gone_on_the_node_is_lost() {
    let mut zone = zone(2).await;
    zone.submit(&zone.ada, script("sleep 600"))
        .await
        .expect("submitted");
    let job = zone.until(1, |job| job.state == State::Running).await;
    zone.tasks.stop(SOON).await;
    let folder = zone.machine.folder.path().join("jobs").join(job.id.to_string());
    let stage: confine::process::Identity =
        serde_json::from_slice(&std::fs::read(folder.join("stage.json")).expect("a stage"))
            .expect("readable");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(stage.pid).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it is ours");
    eventually("the job is dead", || Machine::processes_of(job.id).is_empty()).await;
    std::fs::remove_dir_all(&folder).expect("it is ours");
    zone.machine = zone.machine.again(|_config| {}).await;
    let tasks = Tasks::new();
    zone.jobs = start(&zone.machine, &zone.store, &zone.access, &tasks).await;
    assert_eq!(zone.ended(1).await.state, State::Lost);
    tasks.stop(SOON).await;
}

#[tokio::test]
async fn an_open_watch_ends_with_its_session() {
    let zone = zone(2).await;
    zone.submit(&zone.bob, script("sleep 600"))
        .await
        .expect("submitted");
    let permit = zone.permit::<Get>(&zone.bob).await;
    let mut changes = zone.jobs.watch(permit, 1).await.expect("a stream");
    changes.next().await.expect("the job").expect("the job");
    let permit = zone
        .access
        .permit(&zone.ada, &peer())
        .await
        .expect("the owner may");
    zone.access
        .revoke_sessions(&permit, "bob")
        .await
        .expect("revoked");
    let end = tokio::time::timeout(Duration::from_secs(5), async {
        while let Some(item) = changes.next().await {
            if let Err(error) = item {
                return Some(error.kind());
            }
        }
        None
    });
    assert_eq!(
        end.await.expect("within five seconds"),
        Some(ErrorKind::Unauthenticated)
    );
    zone.cancel(&zone.ada, 1).await.expect("it ends");
    zone.ended(1).await;
}

/// What touches rows, once on the other engine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_story_is_told_on_postgresql() {
    let address = tokio::task::block_in_place(|| testbed::Postgres::shared().database());
    let zone = zone_on(1, |_folder| Engine::Postgres {
        url: address.expect("a database"),
        connections: 2,
    })
    .await;
    let mut draft = script("exit 3");
    draft.request_id = "once".to_owned();
    let tries = (0..5).map(|_| zone.submit(&zone.ada, draft.clone()));
    for job in futures::future::join_all(tries).await {
        assert_eq!(job.expect("submitted").number, 1);
    }
    assert_eq!(zone.ended(1).await.exit_code, Some(3));
    zone.submit(&zone.bob, script("sleep 600"))
        .await
        .expect("submitted");
    zone.until(2, |job| job.state == State::Running).await;
    zone.submit(&zone.ada, script("true")).await.expect("submitted");
    zone.until(3, |job| job.reason.contains("free")).await;
    let filter = Filter {
        page_size: 2,
        before: Some(4),
        unfinished_only: true,
        submitted_from: Some(Timestamp::from_secs(1)),
        submitted_to: Some(Timestamp::from_secs(32_503_680_000)),
        ..Filter::default()
    };
    let permit = zone.permit::<List>(&zone.ada).await;
    let page = zone.jobs.list(&permit, filter).await.expect("listed");
    assert_eq!(page.jobs.iter().map(|job| job.number).collect::<Vec<_>>(), [3, 2]);
    zone.cancel(&zone.ada, 3).await.expect("cancelled");
    zone.cancel(&zone.bob, 2).await.expect("wanted");
    assert_eq!(zone.ended(2).await.state, State::Cancelled);
    let counts = zone.jobs.counts().await.expect("counted");
    assert_eq!((counts.pending, counts.running, counts.ended), (0, 0, 3));
}
