//! T13: secrets with known values go in at every door, and turn up nowhere: not in logs at trace level, not in the
//! run files, not in any process's environment or command line, not in the store.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tonic::Code;
use wire::soke::v1::{self, JobState, session_service_client::SessionServiceClient, sign_in_request::Proof};

use crate::harness::{Wire, Zone, wire::signed};

const PASSWORD: &str = "canary-password-7c1f0e";
const WRONG_PASSWORD: &str = "canary-wrong-password-93ab";
const WRONG_CODE: &str = "canary-wrong-code-5512";
const WRONG_BEARER: &str = "canary-wrong-bearer-d00d";
const WRONG_REFRESH: &str = "canary-wrong-refresh-77aa";

#[test]
fn t13_no_secret_turns_up_in_logs_files_processes_or_the_store() {
    let builder = Zone::builder().config("[log]\nlevel = \"trace\"\nformat = \"json\"\n");
    let mut zone = crate::scow_doors::with_front_end(builder);
    let wire = zone.wire();
    let (owner, secrets) = use_every_secret(&zone, &wire);

    // While a job and a file door's process run, every process of ours is looked at.
    let number = wire.submit(&owner, "env; sleep 300");
    wire.job_until(&owner, number, JobState::Running);
    let home = scow_home(&wire, &owner);
    assert!(home.starts_with(zone.around()), "{}", home.display());
    let seen = processes_below(zone.pid());
    assert!(seen.len() >= 2, "the server and what it has started: {seen:?}");
    for process in seen {
        for file in ["environ", "cmdline"] {
            let path = PathBuf::from(format!("/proc/{process}/{file}"));
            check(&path, &fs::read(&path).unwrap_or_default(), &secrets);
        }
    }
    let request = v1::CancelJobRequest { number };
    let mut jobs = v1::job_service_client::JobServiceClient::new(wire.channel());
    wire.wait(jobs.cancel_job(signed(request, &owner)))
        .expect("cancelled");
    wire.job_until(&owner, number, JobState::Cancelled);
    zone.stop();

    let log = zone.log();
    assert!(
        log.lines().count() > 50,
        "trace level logs much: {}",
        log.lines().count()
    );
    check(Path::new("the log"), log.as_bytes(), &secrets);
    let mut looked_at = 0;
    for folder in ["run", "store", "jobs", "home", "homes", "work"] {
        looked_at += check_folder(&zone.data().join(folder), &secrets);
    }
    assert!(looked_at >= 3, "run files and the store: {looked_at}");
}

/// Uses a secret of every sort at every door, good ones and wrong ones; gives the owner's bearer and all of them.
fn use_every_secret(zone: &Zone, wire: &Wire) -> (String, Vec<String>) {
    let mut secrets: Vec<String> = [PASSWORD, WRONG_PASSWORD, WRONG_CODE, WRONG_BEARER, WRONG_REFRESH]
        .map(str::to_owned)
        .to_vec();
    let password = |password: &str| {
        Proof::Password(v1::PasswordProof {
            user_name: "ada".to_owned(),
            password: password.to_owned(),
        })
    };
    let mut sessions = SessionServiceClient::new(wire.channel());
    let owner_code = zone.owner_code();
    let owner = wire.sign_in(&owner_code);
    let code = wire.create_user(&owner.access_token, "ada", "member");
    let unused = wire.sign_in_code(&owner.access_token, "keeper");
    let ada = wire.sign_in(&code);
    secrets.extend([owner_code, code, unused]);
    let set = v1::SetPasswordRequest {
        old_password: String::new(),
        new_password: PASSWORD.to_owned(),
    };
    wire.wait(sessions.set_password(signed(set, &ada.access_token)))
        .expect("a password");
    let by_password = wire
        .try_sign_in(password(PASSWORD))
        .expect("it is right")
        .tokens
        .expect("tokens");
    let refused = [
        wire.try_sign_in(password(WRONG_PASSWORD))
            .expect_err("it is wrong"),
        wire.try_sign_in(Proof::LinkCode(WRONG_CODE.to_owned()))
            .expect_err("it is wrong"),
        wire.raw("/soke.v1.SessionService/WhoAmI", b"", Some(WRONG_BEARER))
            .expect_err("it is wrong"),
        wire.wait(sessions.refresh(v1::RefreshRequest {
            refresh_token: WRONG_REFRESH.to_owned(),
        }))
        .expect_err("it is wrong"),
    ];
    for status in &refused {
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    }
    let refresh = v1::RefreshRequest {
        refresh_token: ada.refresh_token.clone(),
    };
    let renewed = wire
        .wait(sessions.refresh(refresh))
        .expect("new tokens")
        .into_inner();
    for tokens in [owner.clone(), ada, by_password, renewed.tokens.expect("tokens")] {
        // The last part of a signed token is the secret one; the first is the same for all.
        let tail = |token: &str| token[token.len() - 24..].to_owned();
        secrets.extend([tail(&tokens.access_token), tail(&tokens.refresh_token)]);
    }
    secrets.extend(crate::litekube::use_every_secret(zone, &owner.access_token));
    secrets.extend(crate::kapi::use_every_secret(zone, "ada", PASSWORD));
    secrets.extend(crate::scow_doors::use_every_secret(zone));
    secrets.extend(crate::grid::use_every_secret(zone, wire, &owner.access_token));
    (owner.access_token, secrets)
}

#[track_caller]
fn check(place: &Path, bytes: &[u8], secrets: &[String]) {
    for secret in secrets {
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{} holds the secret {secret}", place.display());
    }
}

fn check_folder(folder: &Path, secrets: &[String]) -> usize {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let mut looked_at = 0;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            looked_at += check_folder(&path, secrets);
        } else if let Ok(bytes) = fs::read(&path) {
            check(&path, &bytes, secrets);
            looked_at += 1;
        }
    }
    looked_at
}

/// The process and everything below it, and our stages, which belong to nobody.
fn processes_below(root: u32) -> Vec<u32> {
    let all: Vec<(u32, u32, bool)> = fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            let stage = fs::read(entry.path().join("cmdline"))
                .is_ok_and(|line| line.split(|&byte| byte == 0).nth(1) == Some(b"stage".as_slice()));
            Some((pid, parent, stage))
        })
        .collect();
    let mut found = vec![root];
    found.extend(
        all.iter()
            .filter(|(_pid, _parent, stage)| *stage)
            .map(|(pid, _, _)| *pid),
    );
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        let below: Vec<u32> = all
            .iter()
            .filter(|(pid, its, _)| *its == parent && !found.contains(pid))
            .map(|(pid, _, _)| *pid)
            .collect();
        found.extend(below);
        next += 1;
    }
    found
}

fn scow_home(wire: &Wire, bearer: &str) -> PathBuf {
    use wire::scow::portal::{GetHomeDirectoryRequest, file_service_client::FileServiceClient};
    let request = GetHomeDirectoryRequest {
        user_id: "keeper".to_owned(),
        cluster: "local".to_owned(),
    };
    let mut files = FileServiceClient::new(wire.channel());
    let answer = wire.wait(files.get_home_directory(signed(request, bearer)));
    answer.expect("a home").into_inner().path.into()
}
