//! SCOW's two ports in a whole zone: who is let in, as whom, to which calls; and that a job on the machine is not (W12).

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use prost_reflect::DescriptorPool;
use tonic::{Code, Status};
use wire::{
    scow::{
        common::{
            GetApiVersionRequest, GetAvailablePartitionsForClusterRequest, GetClusterConfigFilesRequest,
            GetClusterConfigRequest, config_service_client::ConfigServiceClient,
        },
        portal::{
            CancelJobRequest, GetHomeDirectoryRequest, ListAllJobsRequest, SubmitJobRequest,
            file_service_client::FileServiceClient, job_service_client::JobServiceClient,
        },
        server::{
            CreateAccountRequest, CreateUserRequest, account_service_client::AccountServiceClient,
            user_service_client::UserServiceClient,
        },
    },
    soke::v1::JobState,
};

use crate::{
    harness::{Builder, LONG, Wire, Zone, eventually, wire::signed},
    matrix,
};

const TOKEN: &str = "canary-of-the-front-end-5f2c0d7be9";

/// A zone with a front end, users ada and bob, and a connection to each of SCOW's ports.
struct Bed {
    zone: Zone,
    native: Wire,
    server: Wire,
    portal: Wire,
    keeper: String,
    ada: String,
    bob: String,
}

impl Bed {
    fn new(unprivileged: bool) -> Self {
        let builder = if unprivileged {
            Zone::builder().unprivileged()
        } else {
            Zone::builder()
        };
        let zone = with_front_end(builder);
        let native = zone.wire();
        let [server, portal] =
            ["scow.server", "scow.portal"].map(|name| Wire::connect_plain(zone.listener(name)));
        let keeper = native.sign_in(&zone.owner_code()).access_token;
        let [ada, bob] = ["ada", "bob"].map(|name| {
            let code = native.create_user(&keeper, name, "member");
            native.sign_in(&code).access_token
        });
        Self {
            zone,
            native,
            server,
            portal,
            keeper,
            ada,
            bob,
        }
    }

    fn home(&self, token: &str, user_id: &str) -> Result<String, Status> {
        let message = GetHomeDirectoryRequest {
            user_id: user_id.to_owned(),
            cluster: "local".to_owned(),
        };
        let mut files = FileServiceClient::new(self.portal.channel());
        let answer = self.portal.wait(files.get_home_directory(signed(message, token)));
        answer.map(|answer| answer.into_inner().path)
    }

    fn submit(&self, token: &str, user_id: &str, name: &str, command: &str) -> Result<u32, Status> {
        let message = SubmitJobRequest {
            user_id: user_id.to_owned(),
            cluster: "local".to_owned(),
            job_name: name.to_owned(),
            command: command.to_owned(),
            node_count: 1,
            core_count: 1,
            max_time: 5,
            output: "out.txt".to_owned(),
            ..SubmitJobRequest::default()
        };
        let mut jobs = JobServiceClient::new(self.portal.channel());
        let answer = self.portal.wait(jobs.submit_job(signed(message, token)));
        answer.map(|answer| answer.into_inner().job_id)
    }

    fn cancel(&self, token: &str, user_id: &str, job_id: u32) -> Code {
        let message = CancelJobRequest {
            user_id: user_id.to_owned(),
            cluster: "local".to_owned(),
            job_id,
        };
        let mut jobs = JobServiceClient::new(self.portal.channel());
        let answer = self.portal.wait(jobs.cancel_job(signed(message, token)));
        answer.map_or_else(|status| status.code(), |_done| Code::Ok)
    }

    fn all_jobs(&self, token: &str, user_id: &str) -> Vec<u32> {
        let message = ListAllJobsRequest {
            user_id: user_id.to_owned(),
            cluster: "local".to_owned(),
            ..ListAllJobsRequest::default()
        };
        let mut jobs = JobServiceClient::new(self.portal.channel());
        let answer = self.portal.wait(jobs.list_all_jobs(signed(message, token)));
        let rows = answer.expect("listed").into_inner().results;
        rows.iter().map(|row| row.job_id).collect()
    }
}

/// Starts a zone in which `TOKEN` is the token of a front end.
pub(crate) fn with_front_end(builder: Builder) -> Zone {
    with_front_end_as(builder, "admin")
}

/// The same with this role as the front end's ceiling.
fn with_front_end_as(builder: Builder, role: &str) -> Zone {
    let lines = format!("[scow]\nfront_end_token = \"scow.token\"\nfront_end_role = \"{role}\"\n");
    let mut zone = builder.config(&lines).prepare();
    let path = token_file(&zone);
    fs::write(&path, format!("{TOKEN}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    zone.give_to_server(&path);
    zone.start();
    zone
}

/// Uses a secret of every sort at these doors, good ones and wrong ones, and gives all of them.
pub(crate) fn use_every_secret(zone: &Zone) -> Vec<String> {
    const WRONG: &str = "canary-of-no-front-end-0c4c4a11b2d7f3";
    const PASSWORD: &str = "canary-scow-password-41f6";
    let message = CreateUserRequest {
        tenant_name: "default".to_owned(),
        identity_id: "scow-user".to_owned(),
        name: "SCOW".to_owned(),
        email: "scow@example.org".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let wire = Wire::connect_plain(zone.listener("scow.server"));
    let mut users = UserServiceClient::new(wire.channel());
    for (token, wanted) in [
        (WRONG, Code::Unauthenticated),
        (TOKEN, Code::Ok),
        (TOKEN, Code::AlreadyExists),
    ] {
        let made = wire.wait(users.create_user(signed(message.clone(), token)));
        assert_eq!(code(made), wanted);
    }
    let portal = Wire::connect_plain(zone.listener("scow.portal"));
    let home = GetHomeDirectoryRequest {
        user_id: "scow-user".to_owned(),
        cluster: "elsewhere".to_owned(),
    };
    let mut files = FileServiceClient::new(portal.channel());
    for (token, wanted) in [(WRONG, Code::Unauthenticated), (TOKEN, Code::Internal)] {
        let home = portal.wait(files.get_home_directory(signed(home.clone(), token)));
        assert_eq!(code(home), wanted);
    }
    [TOKEN, WRONG, PASSWORD].map(str::to_owned).to_vec()
}

fn token_file(zone: &Zone) -> PathBuf {
    zone.data().join("scow.token")
}

fn code<T>(answer: Result<T, Status>) -> Code {
    answer.map_or_else(|status| status.code(), |_answer| Code::Ok)
}

/// Whether the trail tells of a deed of the front end: its action, for whom, and whether it was refused.
fn has(trail: &str, (action, speaks_for, refused): (&str, &str, bool)) -> bool {
    trail.lines().any(|line| {
        let deed: serde_json::Value = serde_json::from_str(line).expect("JSON");
        deed["actor_kind"] == "front end"
            && deed["actor_name"] == "scow"
            && deed["door"] == "scow"
            && deed["action"] == action
            && deed["speaks_for"] == speaks_for
            && deed["refused"] == refused
    })
}

/// Every method of the packages with this beginning.
fn methods(package: &str) -> Vec<String> {
    let pool = DescriptorPool::decode(wire::DESCRIPTORS).expect("our descriptors");
    let services = pool
        .services()
        .filter(|service| service.full_name().starts_with(package));
    services
        .flat_map(|service| {
            let methods = service
                .methods()
                .map(|method| format!("{}/{}", service.full_name(), method.name()));
            methods.collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_front_end_speaks_for_the_user_whom_it_names_and_the_audit_trail_names_both() {
    let bed = Bed::new(false);
    // Without a front end's token the user is the caller, and nobody else.
    for (bearer, user_id, wanted) in [
        (&bed.ada, "ada", Code::Ok),
        (&bed.bob, "ada", Code::PermissionDenied),
        (&bed.keeper, "ada", Code::PermissionDenied),
        (&bed.keeper, "", Code::InvalidArgument),
    ] {
        assert_eq!(code(bed.home(bearer, user_id)), wanted, "{user_id}");
        let submitted = bed.submit(bearer, user_id, &format!("own {user_id}"), "true");
        assert_eq!(code(submitted), wanted, "{user_id}");
    }

    // With it, it is whoever is named, and the work is theirs.
    let job = bed
        .submit(TOKEN, "ada", "for ada", "id -un; sleep 300")
        .expect("a job");
    let seen = bed.native.job_until(&bed.ada, job, JobState::Running);
    assert_eq!(seen.user_name, "ada");
    assert!(bed.native.job(&bed.bob, job).is_err(), "it is not bob's");
    assert_eq!(
        bed.home(TOKEN, "ada").expect("a home"),
        bed.home(&bed.ada, "ada").expect("a home")
    );
    assert!(bed.all_jobs(TOKEN, "ada").contains(&job) && !bed.all_jobs(TOKEN, "bob").contains(&job));
    // The token reaches over the zone; what it does for a user does not.
    assert_eq!(bed.cancel(TOKEN, "bob", job), Code::NotFound);
    assert_eq!(bed.cancel(TOKEN, "keeper", job), Code::NotFound);
    assert_eq!(bed.cancel(TOKEN, "ada", job), Code::Ok);
    for (user_id, wanted) in [
        ("nobody", Code::PermissionDenied),
        ("ADA", Code::PermissionDenied),
        ("no name!", Code::InvalidArgument),
        ("", Code::InvalidArgument),
    ] {
        assert_eq!(code(bed.home(TOKEN, user_id)), wanted, "{user_id}");
    }
    let status = bed.submit(TOKEN, "", "", "").expect_err("many faults");
    let text = status.message();
    assert!(text.contains("user_id") && text.contains("command"), "{text}");

    let fresh = bed.native.sign_in_code(&bed.keeper, "keeper");
    assert_eq!(bed.zone.soke_with_input(&["sign-in"], &fresh).code, Some(0));
    let wanted = [
        ("jobs.submit", "ada", false),
        ("jobs.cancel", "ada", false),
        ("session.speak_for", "", true),
    ];
    // The list has what is sealed, which takes a moment.
    let trail = eventually(LONG, "the deeds are in the trail", || {
        let trail = bed.zone.good(&["audit", "--json", "--most", "1000"]);
        wanted.iter().all(|deed| has(&trail, *deed)).then_some(trail)
    });
    assert!(!trail.contains(TOKEN) && !bed.zone.log().contains(TOKEN));
}

#[test]
fn each_port_answers_its_own_packages_and_one_authorization() {
    let bed = Bed::new(false);
    let sides = [
        (&bed.server, "scow.server.", "scow.portal."),
        (&bed.portal, "scow.portal.", "scow.server."),
    ];
    let bearer = format!("Bearer {TOKEN}");
    let (bearer, wrong) = (bearer.as_str(), "Bearer canary-of-another-front-end-000000");
    let mut asked = 0;
    for (wire, own, other) in sides {
        for package in [other, "scow.audit.", "soke.v1.", "pb.", "helloworld."] {
            for method in methods(package) {
                let answer = wire.code(&format!("/{method}"), b"", Some(TOKEN));
                assert_eq!(answer, Code::Unimplemented, "{method} at the door of {own}");
            }
        }
        for method in methods(own).into_iter().chain(methods("scow.common.")) {
            if !matrix::is_built(&method) {
                continue;
            }
            asked += 1;
            for (entries, wanted) in [
                (&[][..], Code::Unauthenticated),
                (&[wrong], Code::Unauthenticated),
                (&["Basic canary"], Code::Unauthenticated),
                (&[TOKEN], Code::Unauthenticated),
                (&[bearer, bearer], Code::InvalidArgument),
                (&[bearer, wrong], Code::InvalidArgument),
                (&[wrong, bearer, wrong], Code::InvalidArgument),
            ] {
                let answer = wire.raw_with(&format!("/{method}"), b"", entries);
                assert_eq!(code(answer), wanted, "{method} {entries:?}");
            }
            let served = wire.code(&format!("/{method}"), b"", Some(TOKEN));
            assert!(
                ![Code::Unauthenticated, Code::Unimplemented].contains(&served),
                "{method}: {served:?}"
            );
        }
    }
    assert!(asked > 12, "{asked} calls are built");
    // The token opens these two ports and no other.
    let who = bed
        .native
        .code("/soke.v1.SessionService/WhoAmI", b"", Some(TOKEN));
    assert_eq!(who, Code::Unauthenticated);
    let home = bed
        .native
        .code("/scow.portal.FileService/GetHomeDirectory", b"", Some(TOKEN));
    assert_eq!(home, Code::Unauthenticated);
}

#[test]
fn a_low_ceiling_keeps_a_front_end_from_everything_that_a_member_has_not_over_the_zone() {
    let zone = with_front_end_as(Zone::builder(), "member");
    let wire = Wire::connect_plain(zone.listener("scow.server"));
    let built: Vec<String> = methods("scow.server.")
        .into_iter()
        .filter(|method| matrix::is_built(method))
        .collect();
    assert!(built.len() > 12, "{built:?}");
    let answers = built.iter().map(|method| {
        (
            method.as_str(),
            wire.code(&format!("/{method}"), b"", Some(TOKEN)),
        )
    });
    let let_in: Vec<&str> = answers
        .filter(|(_method, answer)| *answer != Code::PermissionDenied)
        .map(|(method, _answer)| method)
        .collect();
    // That the zone's cluster is in service everybody may know.
    assert_eq!(let_in, ["scow.server.ConfigService/GetClustersRuntimeInfo"]);
    let version = wire.code("/scow.common.ConfigService/GetApiVersion", b"", Some(TOKEN));
    assert_eq!(version, Code::Ok);
}

#[test]
fn both_sides_tell_of_the_cluster_and_of_the_version() {
    let bed = Bed::new(false);
    let mut accounts = AccountServiceClient::new(bed.server.channel());
    let lab = CreateAccountRequest {
        tenant_name: "default".to_owned(),
        account_name: "lab".to_owned(),
        owner_id: "ada".to_owned(),
        comment: None,
    };
    let made = bed.server.wait(accounts.create_account(signed(lab, TOKEN)));
    made.expect("an account");
    for (wire, is_portal) in [(&bed.server, false), (&bed.portal, true)] {
        let mut config = ConfigServiceClient::new(wire.channel());
        let version = wire.wait(config.get_api_version(signed(GetApiVersionRequest {}, TOKEN)));
        let version = version.expect("a version").into_inner();
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/VERSION");
        let written = fs::read_to_string(file).expect("the file");
        assert_eq!(
            format!("{}.{}.{}", version.major, version.minor, version.patch),
            written.trim()
        );
        let files =
            wire.wait(config.get_cluster_config_files(signed(GetClusterConfigFilesRequest {}, TOKEN)));
        let clusters = files.expect("clusters").into_inner().cluster_configs;
        assert_eq!(clusters.len(), 1);
        assert_eq!(clusters[0].cluster_id, "local");
        assert!(clusters[0].hpc.as_ref().is_some_and(|hpc| hpc.enabled));
        let cluster = || "local".to_owned();
        let partitions = eventually(LONG, "the machine is heard of", || {
            let message = GetClusterConfigRequest { cluster: cluster() };
            let answer = wire.wait(config.get_cluster_config(signed(message, TOKEN)));
            let partitions = answer.expect("a cluster").into_inner().partitions;
            (partitions[0].nodes == 1).then_some(partitions)
        });
        assert_eq!((partitions.len(), partitions[0].name.as_str()), (1, "local"));
        assert!(partitions[0].cores > 0 && partitions[0].mem_mb > 0 && partitions[0].gpus == 0);
        assert_eq!(partitions[0].qos, ["normal"]);
        let available = |account_name: &str, user_id: &str| {
            let message = GetAvailablePartitionsForClusterRequest {
                cluster: cluster(),
                account_name: account_name.to_owned(),
                user_id: user_id.to_owned(),
            };
            let mut config = ConfigServiceClient::new(wire.channel());
            let answer = wire.wait(config.get_available_partitions_for_cluster(signed(message, TOKEN)));
            answer.map(|answer| answer.into_inner().partitions)
        };
        for account in ["", "lab"] {
            assert_eq!(available(account, "ada").expect("hers"), partitions, "{account}");
        }
        for (account, user_id) in [("lab", "bob"), ("elsewhere", "ada")] {
            match available(account, user_id) {
                Ok(none) => assert!(none.is_empty() && is_portal, "{account}"),
                Err(status) => {
                    assert!(!is_portal, "{account}: {status}");
                    let marked = status.metadata().get("scow_error_code").expect("a trailer");
                    assert_eq!(marked, "ADAPTER_CALL_ON_ONE_ERROR");
                }
            }
        }
        let message = GetClusterConfigRequest {
            cluster: "elsewhere".to_owned(),
        };
        let status = wire
            .wait(config.get_cluster_config(signed(message, TOKEN)))
            .expect_err("no such cluster");
        let marked = status.metadata().get("scow_error_code").expect("a trailer");
        assert_eq!(marked, "NOT_EXIST_IN_ACTIVATED_CLUSTERS");
    }
}

/// What a job tries: the token's file, and both ports without a token, with guesses, and with its user's name.
fn script(bed: &Bed) -> String {
    let ports = ["scow.server", "scow.portal"].map(|name| bed.zone.listener(name).port().to_string());
    format!(
        "cat {token} 2> /dev/null; head -c 8 < {token} 2> /dev/null; ln {token} mine 2> /dev/null; cat mine 2> /dev/null\n\
         python3 - <<'END'\n\
         import http.client\n\
         calls = ['scow.server.InitService/QuerySystemInitialized', 'scow.server.UserService/CreateUser',\n\
         \x20        'scow.common.ConfigService/GetApiVersion', 'scow.portal.JobService/SubmitJob',\n\
         \x20        'scow.portal.FileService/GetHomeDirectory']\n\
         seen = set()\n\
         for door_number, port in enumerate(({ports})):\n\
         \x20   for call in calls:\n\
         \x20       for token in (None, 'Bearer x', 'Bearer scow', 'Bearer ', 'Bearer ' + '0' * 34):\n\
         \x20           door = http.client.HTTPConnection('127.0.0.1', port, timeout=20)\n\
         \x20           head = {{'content-type': 'application/grpc', 'te': 'trailers'}}\n\
         \x20           if token:\n\
         \x20               head['authorization'] = token\n\
         \x20           door.request('POST', '/' + call, b'\\0\\0\\0\\0\\5\\n\\3ada', head)\n\
         \x20           answer = door.getresponse()\n\
         \x20           answer.read()\n\
         \x20           seen.add((call.split('.')[1], door_number, answer.getheader('grpc-status')))\n\
         for seen_one in sorted(seen):\n\
         \x20   print(*seen_one)\n\
         END\n",
        token = token_file(&bed.zone).display(),
        ports = ports.join(", "),
    )
}

fn w12_a_job_neither_reads_the_token_nor_uses_the_ports(unprivileged: bool) {
    let bed = Bed::new(unprivileged);
    let said = bed.native.run(&bed.ada, &script(&bed));
    let refused = "common 0 16\ncommon 1 16\nportal 0 12\nportal 1 16\nserver 0 16\nserver 1 12\n";
    assert_eq!(
        said, refused,
        "UNAUTHENTICATED, and UNIMPLEMENTED at the other side's door"
    );
    assert_eq!(code(bed.home(TOKEN, "ada")), Code::Ok, "with the token it works");
}

#[test]
fn w12_a_job_of_a_zone_without_rights_is_not_let_in() {
    w12_a_job_neither_reads_the_token_nor_uses_the_ports(true);
}

#[test]
fn w12_a_job_of_a_zone_with_rights_is_not_let_in() {
    w12_a_job_neither_reads_the_token_nor_uses_the_ports(false);
}
