//! A zone to call, with its owner `ada` and a member `bob`.

use std::{path::PathBuf, sync::Arc};

use access::{Access, Credential, NewUser, Peer, Proof, Secret};
use confine::{Abilities, Confine};
use model::ErrorKind;
use rpc::{CallLimits, Calls};
use tasks::{Clock, Tasks};
use tempfile::TempDir;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use wire::scow::portal::{file_service_client::FileServiceClient, job_service_client::JobServiceClient};

use crate::engine::Engine;

/// The process that reads for a user: this test binary, asked by name for the one test that becomes it.
const ARGUMENTS: [&str; 3] = ["zone::becomes_the_process_of_a_user", "--exact", "--nocapture"];

#[test]
fn becomes_the_process_of_a_user() {
    // Among the other tests there is no plan among the arguments, and nothing to become.
    if std::env::args()
        .next_back()
        .is_some_and(|last| last.starts_with('{'))
    {
        let ended = files::agent::main();
        assert_eq!(
            format!("{ended:?}"),
            format!("{:?}", std::process::ExitCode::SUCCESS)
        );
    }
}

pub(crate) struct Zone {
    pub(crate) calls: Calls,
    /// The other door.
    pub(crate) management: Calls,
    /// Access tokens.
    pub(crate) ada: String,
    pub(crate) bob: String,
    data: TempDir,
}

impl Zone {
    pub(crate) async fn new() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let (tasks, clock) = (Tasks::new(), Clock::system());
        let engine = store::Engine::Sqlite {
            path: data.path().join("zone.db"),
        };
        let migrations: Vec<store::Migration> =
            [access::MIGRATIONS, accounts::MIGRATIONS, jobs::MIGRATIONS].concat();
        let store = store::Store::open(&store::Config { engine }, &migrations, &tasks).await;
        let store = store.expect("a store");
        let access = Access::start(access::Parts {
            store: store.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            keys_dir: data.path().join("keys"),
            zone_host: "soke.localhost".to_owned(),
            config: access::Config::default(),
        });
        let access = access.await.expect("a zone");
        let (ada, bob) = people(&access).await;
        let accounts = accounts::start(accounts::Parts {
            store: store.clone(),
            access: access.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            config: accounts::Config::default(),
        });
        let accounts = accounts.await.expect("books");
        let jobs = jobs::start(jobs::Parts {
            store: store.clone(),
            access: access.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            nodes: Arc::new(jobs::node::Alone::new("node1", Arc::new(Engine::default()))),
            admission: Arc::new(Strict),
            config: jobs::Config::default(),
        });
        let files = files::start(files::Parts {
            store,
            access: access.clone(),
            tasks: tasks.clone(),
            node: Arc::new(reader(data.path().to_owned(), &tasks)),
            most_bytes: 20 << 20,
        });
        let jobs = jobs.await.expect("jobs");
        let management = scow::management(scow::Management {
            access: access.clone(),
            accounts: accounts.clone(),
            jobs: jobs.clone(),
            cluster: "local".to_owned(),
            clock: clock.clone(),
        });
        let routes = scow::routes(scow::Parts {
            access,
            jobs,
            accounts,
            files,
            cluster: "local".to_owned(),
            clock,
        });
        Self {
            calls: Calls::new(routes, CallLimits::default()),
            management: Calls::new(management, CallLimits::default()),
            ada,
            bob,
            data,
        }
    }

    pub(crate) fn jobs(&self) -> JobServiceClient<Calls> {
        JobServiceClient::new(self.calls.clone())
    }

    pub(crate) fn files(&self) -> FileServiceClient<Calls> {
        FileServiceClient::new(self.calls.clone())
    }

    /// A place in ada's home.
    pub(crate) fn home(&self, name: &str) -> PathBuf {
        self.data.path().join("homes/ada").join(name)
    }
}

/// Refuses jobs for a few accounts, each for another kind of reason.
struct Strict;

impl jobs::Admission for Strict {
    fn admit(&self, _tx: &mut store::Tx<'_>, asked: &jobs::Asked<'_>) -> Result<jobs::Admitted, jobs::Error> {
        let kind = match asked.account {
            "missing" => ErrorKind::NotFound,
            "several" => ErrorKind::Invalid,
            "blocked" => ErrorKind::Precondition,
            _ => return Ok(jobs::Admitted::default()),
        };
        Err(jobs::Error::Refused {
            kind,
            text: format!("not for `{}`", asked.account),
        })
    }

    fn settle(&self, _tx: &mut store::Tx<'_>, _ended: &jobs::Job) -> Result<(), jobs::Error> {
        Ok(())
    }
}

pub(crate) async fn people(access: &Access) -> (String, String) {
    let peer = Peer::new(None, "test");
    let code = access.first_owner("ada").await.expect("made").expect("a code");
    let ada = token(access, code).await;
    let bearer = Credential::Bearer(Secret::from(ada.clone()));
    let actor = access.authenticate(bearer, &peer).await.expect("known");
    let permit = access.permit(&actor, &peer).await.expect("an owner makes users");
    let bob = NewUser {
        name: "bob".to_owned(),
        ..NewUser::default()
    };
    let (_, code) = access.create_user(&permit, &bob).await.expect("made");
    let bob = token(access, code).await;
    (ada, bob)
}

async fn token(access: &Access, code: Secret) -> String {
    let signed_in = access
        .sign_in(Proof::LinkCode(code), &Peer::new(None, "test"))
        .await;
    signed_in.expect("signed in").access_token.expose().to_owned()
}

fn reader(data: PathBuf, tasks: &Tasks) -> files::LocalNode {
    let mut config = files::Config::new(std::env::current_exe().expect("this binary"));
    config.arguments = ARGUMENTS.map(str::to_owned).to_vec();
    let abilities = Abilities {
        root: false,
        change_user: false,
        mounts: false,
        processes: false,
        landlock: 0,
    };
    let confine = confine::Config {
        data,
        first_uid: 200_000,
    };
    files::LocalNode::new(config, Confine::new(confine, abilities), tasks, Clock::system())
}

/// A request with a bearer.
pub(crate) fn bearing<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().expect("a token is ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}

/// The code, the fields at fault, and SCOW's trailers in alphabetical order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) fields: Vec<String>,
    pub(crate) trailers: Vec<String>,
}

impl Refusal {
    pub(crate) fn of(code: Code) -> Self {
        Self {
            code,
            fields: Vec::new(),
            trailers: Vec::new(),
        }
    }

    pub(crate) fn fields(names: &[&str]) -> Self {
        Self {
            fields: names.iter().map(|&name| name.to_owned()).collect(),
            ..Self::of(Code::InvalidArgument)
        }
    }

    pub(crate) fn unknown_cluster() -> Self {
        let lines = [
            r#"currentactivatedclusterids: ["local"]"#,
            "is_scow_error: 1",
            "scow_error_code: NOT_EXIST_IN_ACTIVATED_CLUSTERS",
        ];
        Self {
            trailers: lines.map(str::to_owned).to_vec(),
            ..Self::of(Code::Internal)
        }
    }
}

pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> Refusal {
    let status = answer.expect_err("refused");
    assert!(!status.message().is_empty(), "a refusal says why");
    let bad = status.get_details_bad_request();
    let faults = bad.map(|bad| bad.field_violations).unwrap_or_default();
    let known = [
        "is_scow_error",
        "scow_error_code",
        "cause",
        "clustererrors",
        "currentactivatedclusterids",
    ];
    let headers = status.metadata().clone().into_headers();
    let trailers = headers.iter().filter(|(key, _)| known.contains(&key.as_str()));
    let trailers = trailers.map(|(key, value)| format!("{key}: {}", value.to_str().expect("ASCII")));
    let mut trailers: Vec<String> = trailers.collect();
    trailers.sort();
    Refusal {
        code: status.code(),
        fields: faults.into_iter().map(|fault| fault.field).collect(),
        trailers,
    }
}
