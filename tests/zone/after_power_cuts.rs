//! Must hold 5 and the durability of each step: what was acknowledged is there after `kill -9`, and a job that ran
//! meanwhile keeps its exit code and its usage.

use std::{fs, thread};

use tonic::Code;
use wire::soke::v1::{
    self, JobState, job_service_client::JobServiceClient, session_service_client::SessionServiceClient,
    sign_in_request::Proof,
};

use crate::harness::{LONG, Wire, Zone, eventually, wire::signed};

fn restarted(zone: &mut Zone) -> Wire {
    zone.kill();
    zone.start();
    zone.wire()
}

fn who(wire: &Wire, bearer: &str) -> Result<String, Code> {
    let mut sessions = SessionServiceClient::new(wire.channel());
    let answer = wire.wait(sessions.who_am_i(signed(v1::WhoAmIRequest {}, bearer)));
    let answer = answer.map_err(|status| status.code())?.into_inner();
    Ok(answer.identity.expect("an identity").user_name)
}

#[test]
fn each_acknowledged_step_from_sign_in_to_submit_is_there_after_a_kill() {
    let mut zone = Zone::builder().start();
    let code = zone.owner_code();
    let owner = zone.wire().sign_in(&code).access_token;
    let wire = restarted(&mut zone);
    assert_eq!(who(&wire, &owner).as_deref(), Ok("keeper"), "SignIn");
    let again = wire
        .try_sign_in(Proof::LinkCode(code))
        .expect_err("the code was used");
    assert_eq!(again.code(), Code::Unauthenticated);

    let ada_code = wire.create_user(&owner, "ada", "member");
    let wire = restarted(&mut zone);
    let ada = wire.sign_in(&ada_code);
    let wire = restarted(&mut zone);
    assert_eq!(
        who(&wire, &ada.access_token).as_deref(),
        Ok("ada"),
        "CreateUser and SignIn"
    );

    let mut sessions = SessionServiceClient::new(wire.channel());
    let refresh = v1::RefreshRequest {
        refresh_token: ada.refresh_token,
    };
    let renewed = wire
        .wait(sessions.refresh(refresh))
        .expect("new tokens")
        .into_inner();
    let ada = renewed.tokens.expect("tokens");
    let wire = restarted(&mut zone);
    assert_eq!(who(&wire, &ada.access_token).as_deref(), Ok("ada"), "Refresh");

    let password = v1::SetPasswordRequest {
        old_password: String::new(),
        new_password: "a password of some length".to_owned(),
    };
    let mut sessions = SessionServiceClient::new(wire.channel());
    wire.wait(sessions.set_password(signed(password, &ada.access_token)))
        .expect("a password");
    let wire = restarted(&mut zone);
    let proof = Proof::Password(v1::PasswordProof {
        user_name: "ada".to_owned(),
        password: "a password of some length".to_owned(),
    });
    let ada = wire
        .try_sign_in(proof)
        .expect("SetPassword")
        .tokens
        .expect("tokens")
        .access_token;

    let number = wire.submit(&ada, "echo once >> count.txt; cat count.txt");
    let wire = restarted(&mut zone);
    let job = wire.job_until(&ada, number, JobState::Completed);
    assert_eq!(job.exit_code, Some(0), "SubmitJob");
    assert_eq!(
        wire.output(&ada, number, v1::Stream::Stdout),
        "once\n",
        "it ran once"
    );

    let number = wire.submit(&ada, "sleep 300");
    wire.job_until(&ada, number, JobState::Running);
    let mut jobs = JobServiceClient::new(wire.channel());
    wire.wait(jobs.cancel_job(signed(v1::CancelJobRequest { number }, &ada)))
        .expect("cancelled");
    let wire = restarted(&mut zone);
    wire.job_until(&ada, number, JobState::Cancelled);

    let mut sessions = SessionServiceClient::new(wire.channel());
    wire.wait(sessions.sign_out(signed(v1::SignOutRequest {}, &ada)))
        .expect("signed out");
    let wire = restarted(&mut zone);
    assert_eq!(who(&wire, &ada), Err(Code::Unauthenticated), "SignOut");
}

/// Uses some tenths of a second of CPU and 40 MiB of memory before it ends with 7.
const WORK: &str = "echo begun; head -c 40000000 /dev/zero | tail -c 40000000 | sha256sum > /dev/null; \
                    while [ ! -e go ]; do sleep 0.05; done; echo done; exit 7";

#[test]
fn q01_exit_code_and_usage_survive_a_kill_of_the_server() {
    let mut zone = Zone::builder().start();
    let owner = zone.wire().sign_in(&zone.owner_code()).access_token;
    let wire = zone.wire();
    // One ends while no server is there, one after the next start.
    let (during, after) = (wire.submit(&owner, &format!("mkdir a && cd a; {WORK}")), {
        wire.submit(&owner, &format!("mkdir b && cd b; {WORK}"))
    });
    for number in [during, after] {
        wire.job_until(&owner, number, JobState::Running);
        eventually(LONG, "it has begun", || {
            wire.job(&owner, number)
                .is_ok_and(|job| job.started_at.is_some())
                .then_some(())
        });
    }
    let home = home_of(&zone, &wire, &owner);
    eventually(LONG, "both work", || {
        (home.join("a").exists() && home.join("b").exists()).then_some(())
    });
    zone.kill();
    fs::write(home.join("a/go"), "").expect("a file");
    // There is no server to ask: what is waited for is the stage that leaves its record.
    eventually(LONG, "the first job is gone", || {
        (!is_running(&home.join("a"))).then_some(())
    });
    zone.start();
    fs::write(home.join("b/go"), "").expect("a file");
    let wire = zone.wire();
    for number in [during, after] {
        let job = wire.job_until(&owner, number, JobState::Failed);
        assert_eq!(job.exit_code, Some(7), "{job:?}");
        assert!(job.cpu_micros > 10_000, "CPU time is kept: {job:?}");
        assert!(job.peak_memory_bytes > 30 << 20, "peak memory is kept: {job:?}");
        assert_eq!(wire.output(&owner, number, v1::Stream::Stdout), "begun\ndone\n");
    }
}

#[test]
fn the_command_line_follows_a_job_across_a_kill_of_the_server() {
    let mut zone = Zone::builder().start();
    zone.sign_in_owner();
    let link = zone.good(&["user", "code", "keeper"]);
    let (_before, code) = link.split_once("#code=").expect("a link");
    let wire = zone.wire();
    let owner = wire.sign_in(code.split('&').next().expect("a code")).access_token;
    let mut command = zone.command();
    command.args(["run", "--", "sh", "-c", WORK]);
    let said = thread::scope(|scope| {
        let followed = scope.spawn(move || crate::harness::run(command, "", LONG));
        eventually(LONG, "the job runs", || {
            let job = wire.job(&owner, 1).ok()?;
            (job.state() == JobState::Running).then_some(())
        });
        let home = home_of(&zone, &wire, &owner);
        zone.kill();
        zone.start();
        fs::write(home.join("go"), "").expect("a file");
        followed.join().expect("the command ends")
    });
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(7), "begun\ndone\n"),
        "{said:?}\n{}",
        zone.log()
    );
}

fn home_of(zone: &Zone, wire: &Wire, bearer: &str) -> std::path::PathBuf {
    use wire::scow::portal::{GetHomeDirectoryRequest, file_service_client::FileServiceClient};
    let request = GetHomeDirectoryRequest {
        user_id: who(wire, bearer).expect("somebody"),
        cluster: "local".to_owned(),
    };
    let mut files = FileServiceClient::new(wire.channel());
    let answer = wire.wait(files.get_home_directory(signed(request, bearer)));
    let home = answer.unwrap_or_else(|status| panic!("{status}\n{}", zone.log()));
    home.into_inner().path.into()
}

/// Tells whether any process works in the folder.
fn is_running(folder: &std::path::Path) -> bool {
    let processes = fs::read_dir("/proc").expect("/proc");
    processes
        .flatten()
        .any(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder))
}
