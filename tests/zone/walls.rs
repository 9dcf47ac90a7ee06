//! Q07 and Q08 in a zone without rights: what a job of one user cannot read, signal or reach.

use std::{fs, path::PathBuf};

use crate::harness::{Wire, Zone, wire::signed};

/// Two users of a zone whose server has no rights.
struct Neighbours {
    zone: Zone,
    wire: Wire,
    ada: String,
    bob: String,
    ada_home: PathBuf,
    bob_home: PathBuf,
}

fn neighbours() -> Neighbours {
    let zone = Zone::builder().unprivileged().start();
    let wire = zone.wire();
    let owner = wire.sign_in(&zone.owner_code()).access_token;
    let sign_in = |name: &str| {
        wire.sign_in(&wire.create_user(&owner, name, "member"))
            .access_token
    };
    let (ada, bob) = (sign_in("ada"), sign_in("bob"));
    // Each leaves a file that its mode would let everybody read, and tells where.
    let script = "umask 000; echo secret of $USER > secret.txt; chmod 777 . ; chmod 666 secret.txt; pwd";
    let home = |bearer: &str| PathBuf::from(wire.run(bearer, script).trim());
    let (ada_home, bob_home) = (home(&ada), home(&bob));
    Neighbours {
        zone,
        wire,
        ada,
        bob,
        ada_home,
        bob_home,
    }
}

#[test]
fn q07_a_job_reads_neither_the_data_folder_nor_another_home_nor_the_server() {
    let Neighbours {
        zone,
        wire,
        ada,
        bob,
        ada_home,
        bob_home,
    } = neighbours();
    assert_ne!(ada_home, bob_home);
    let secret = bob_home.join("secret.txt");
    assert_eq!(
        wire.run(&bob, &format!("cat {}", secret.display())),
        "secret of bob\n"
    );
    let data = zone.data();
    let mut forbidden: Vec<PathBuf> = [
        "soke.toml",
        "keys/seal.key",
        "store/zone.db",
        "run/listeners.json",
        "run/soke.pid",
    ]
    .iter()
    .map(|name| data.join(name))
    .collect();
    for path in &forbidden {
        assert!(path.exists(), "{} is there to be read", path.display());
    }
    forbidden.extend([secret, zone.around().join("1.log")]);
    let server = zone.pid();
    forbidden.extend(
        ["environ", "maps", "mem", "fd/0", "root/etc/hostname"]
            .map(|name| format!("/proc/{server}/{name}").into()),
    );
    let before: Vec<Option<Vec<u8>>> = forbidden.iter().map(|path| fs::read(path).ok()).collect();
    let files: Vec<String> = forbidden.iter().map(|path| path.display().to_string()).collect();
    let folders = [
        data.clone(),
        data.join("keys"),
        data.join("store"),
        bob_home.clone(),
    ]
    .map(|path| path.display().to_string());
    // What a job writes over or beside a forbidden file may go nowhere or into a private folder.
    let script = format!(
        "for file in {files}; do head -c 1 \"$file\" > /dev/null 2>&1 && echo \"read $file\"; done\n\
         ls -A {data} {data}/homes 2> /dev/null | grep -vx -e homes -e ada -e {data}: -e {data}/homes: -e ''\n\
         ln -s {data} by-link; cat by-link/soke.toml by-link/keys/seal.key 2> /dev/null\n\
         kill -0 {server} 2> /dev/null && echo 'may signal the server'\n\
         for file in {files}; do echo x >> \"$file\"; done 2> /dev/null\n\
         for folder in {folders}; do touch \"$folder/left-by-ada\"; rm -f \"$folder\"/*; done 2> /dev/null\n\
         echo looked\n",
        files = files.join(" "),
        folders = folders.join(" "),
        data = data.display(),
    );
    assert_eq!(wire.run(&ada, &script), "looked\n", "{}", zone.log());
    for (path, before) in forbidden.iter().zip(before) {
        let is_live = path.starts_with("/proc") || path.ends_with("zone.db") || path.ends_with("1.log");
        let now = fs::read(path).ok();
        assert!(is_live || now == before, "{} was changed", path.display());
    }
    for folder in folders {
        let left = PathBuf::from(&folder).join("left-by-ada");
        assert!(!left.exists(), "{}", left.display());
    }
    wire.run(&bob, "true");
}

#[test]
fn q07_a_job_does_not_see_what_another_users_job_was_told() {
    let Neighbours {
        zone: _zone,
        wire,
        ada,
        bob,
        ..
    } = neighbours();
    let number = wire.submit(&bob, "export TOKEN=canary-of-bob; exec sleep 300");
    wire.job_until(&bob, number, wire::soke::v1::JobState::Running);
    let look = "cat /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n' | grep -c canary-of-bob; \
                pkill -KILL -x sleep 2> /dev/null; echo looked";
    assert_eq!(wire.run(&ada, look), "0\nlooked\n");
    let job = wire.job(&bob, number).expect("bob's job");
    assert_eq!(job.state(), wire::soke::v1::JobState::Running, "{job:?}");
    let request = wire::soke::v1::CancelJobRequest { number };
    let mut jobs = wire::soke::v1::job_service_client::JobServiceClient::new(wire.channel());
    wire.wait(jobs.cancel_job(signed(request, &bob)))
        .expect("cancelled");
}

#[test]
fn q07_the_file_door_shows_no_more_than_a_job_sees() {
    let Neighbours {
        zone,
        wire,
        ada,
        bob_home,
        ..
    } = neighbours();
    use wire::scow::portal::{DownloadRequest, ReadDirectoryRequest, file_service_client::FileServiceClient};
    let mut files = FileServiceClient::new(wire.channel());
    let of_ada = |path: PathBuf| {
        (
            String::from("ada"),
            String::from("local"),
            path.display().to_string(),
        )
    };
    for path in [
        bob_home.join("secret.txt"),
        zone.data().join("keys/seal.key"),
        zone.data().join("store/zone.db"),
    ] {
        let (user_id, cluster, path) = of_ada(path);
        let request = DownloadRequest {
            user_id,
            cluster,
            path: path.clone(),
        };
        let answer = wire.wait(async {
            let mut parts = files.download(signed(request, &ada)).await?.into_inner();
            parts.message().await
        });
        answer.expect_err(&path);
    }
    for path in [bob_home, zone.data().join("keys"), zone.data().join("store")] {
        let (user_id, cluster, path) = of_ada(path);
        let request = ReadDirectoryRequest {
            user_id,
            cluster,
            path: path.clone(),
            update_access_time: None,
        };
        wire.wait(files.read_directory(signed(request, &ada)))
            .expect_err(&path);
    }
}

#[test]
fn q08_a_job_reaches_the_ports_and_finds_that_loopback_is_no_credential() {
    let Neighbours { zone, wire, ada, .. } = neighbours();
    let port = zone.address().port();
    // gRPC-Web over HTTP/1.1, which needs nothing but the standard library; the status comes in a trailer frame.
    let script = format!(
        "python3 - <<'END'\n\
         import http.client\n\
         for service, method in [('UserService', 'ListUsers'), ('JobService', 'ListJobs'), ('JobService', 'SubmitJob'),\n\
         \x20                       ('SessionService', 'WhoAmI'), ('ZoneService', 'GetStatus')]:\n\
         \x20   door = http.client.HTTPConnection('127.0.0.1', {port}, timeout=10)\n\
         \x20   head = {{'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1', 'host': 'localhost:{port}'}}\n\
         \x20   door.request('POST', f'/soke.v1.{{service}}/{{method}}', b'\\0\\0\\0\\0\\0', head)\n\
         \x20   answer = door.getresponse()\n\
         \x20   body = answer.read()\n\
         \x20   print(answer.getheader('grpc-status') or body.partition(b'grpc-status:')[2].strip()[:2].decode())\n\
         END\n"
    );
    assert_eq!(
        wire.run(&ada, &script),
        "16\n16\n16\n16\n16\n",
        "UNAUTHENTICATED each"
    );
}
