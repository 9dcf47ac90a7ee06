//! What a job cannot reach: other homes, the data folder, the agent, its own stage (Q07, Q08, Q12).

use jobs::node::OnNode as _;
use stage::Cause;

use crate::machine::{BOTH, Machine, Mode, abilities, account, script};

#[tokio::test]
async fn q07_a_job_reads_no_data_folder_no_other_home_no_environment_and_signals_nobody() {
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        let data = machine.folder.path();
        std::fs::create_dir(data.join("keys")).expect("keys");
        std::fs::write(data.join("keys/seal.key"), "secret").expect("a key");
        if abilities().root {
            // As the zone's start does; in reduced form only the homes' way is open.
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(data.join("keys"), std::fs::Permissions::from_mode(0o700))
                .expect("ours");
        }
        let mut bob = script("echo private > letter; sleep 600");
        bob.account = account("bob", 2);
        let bob_id = machine.start(bob).await;
        machine.running(bob_id).await;
        let letter = data.join("homes/bob/letter");
        crate::machine::eventually("bob has written", || letter.exists()).await;
        let others = Machine::processes_of(bob_id);
        let (root, agent) = (data.display(), std::process::id());
        let mut attempts = vec![
            format!("cat {root}/keys/seal.key"),
            format!("ls {root}/keys"),
            format!("ls {root}/jobs"),
            format!("cat {root}/homes/bob/letter"),
            format!("ls {root}/homes/bob"),
            format!("cat /proc/{agent}/environ"),
            format!("readlink /proc/{agent}/cwd"),
            format!("cat /proc/{agent}/root{root}/keys/seal.key"),
            format!("kill -0 {agent}"),
        ];
        for pid in &others {
            attempts.push(format!("kill -0 {pid}"));
            attempts.push(format!("cat /proc/{pid}/environ"));
        }
        let tries: Vec<String> = attempts
            .iter()
            .map(|attempt| format!("if {attempt}; then echo \"REACHED: {attempt}\"; fi"))
            .collect();
        // A keeper that can be killed would take this very job along.
        let text = format!("{}\nkill -9 $PPID; sleep 0.3; echo end", tries.join("\n"));
        let exit = machine.run(script(&text)).await;
        assert_eq!(exit.cause, Cause::Itself, "{mode:?}: {}", exit.reason);
        let out = machine.read("out");
        assert_eq!(out, "end\n", "{mode:?}");
        machine.node.end(bob_id).await.expect("the node ends it");
        machine.ended(bob_id).await;
    }
}

#[tokio::test]
async fn a_job_holds_no_open_file_and_no_right_of_its_agent() {
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        let text = "ls /proc/self/fd | tr '\\n' ' '; echo; grep -hE '^(CapPrm|CapEff|CapAmb|NoNewPrivs)' \
            /proc/self/status | tr '\\t' ' '; cat /proc/self/limits | grep core";
        machine.run(script(text)).await;
        let out = machine.read("out");
        // The fourth and fifth: the script, and the folder that `ls` reads.
        let files = out
            .lines()
            .next()
            .unwrap_or_default()
            .split_ascii_whitespace()
            .count();
        assert!(files <= 5, "{mode:?} {out}");
        assert!(
            out.contains("CapPrm: 0000000000000000\nCapEff: 0000000000000000\nCapAmb: 0000000000000000"),
            "{mode:?} {out}"
        );
        assert!(out.contains("NoNewPrivs: 1"), "{mode:?} {out}");
    }
}

#[tokio::test]
async fn with_a_pid_namespace_a_job_sees_only_itself() {
    if !abilities().processes {
        return;
    }
    let machine = Machine::new(Mode::Whole).await;
    machine
        .run(script(
            "ls /proc | grep -c '^[0-9]'; echo secret > /tmp/note; id -u",
        ))
        .await;
    let out = machine.read("out");
    let seen: u32 = out
        .lines()
        .next()
        .and_then(|line| line.parse().ok())
        .expect("a count");
    assert!(seen <= 6, "{out}");
    machine.run(script("ls /tmp")).await;
    assert_eq!(
        machine.read("out").replace('\n', ""),
        machine.read("out").trim().replace("note", "")
    );
}

#[tokio::test]
async fn q12_links_and_pipes_in_the_place_of_output_are_not_followed() {
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        machine
            .run(script(
                "ln -s /etc/passwd link; ln -s target dangling; mkfifo pipe; echo keep > kept; ln kept twin",
            ))
            .await;
        for (name, why) in [
            ("link", "symbolic link"),
            ("dangling", "symbolic link"),
            ("pipe", "open output file"),
            ("twin", "more than one name"),
            ("..", "open output file"),
        ] {
            let mut order = script("echo written");
            order.stdout_path = name.to_owned();
            let exit = machine.run(order).await;
            assert_eq!(exit.cause, Cause::NotStarted, "{mode:?} {name}");
            assert!(exit.reason.contains(why), "{mode:?} {name}: {}", exit.reason);
        }
        assert!(!machine.home().join("target").exists());
        assert_eq!(machine.read("kept"), "keep\n");
    }
}

#[tokio::test]
async fn q12_a_folder_swapped_for_a_link_leads_nowhere_that_the_user_may_not_go() {
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        let data = machine.folder.path().canonicalize().expect("data");
        std::fs::create_dir(data.join("keys")).expect("keys");
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(data.join("keys"), std::fs::Permissions::from_mode(0o700))
                .expect("ours");
        }
        machine
            .run(script(&format!("ln -s {}/keys work", data.display())))
            .await;
        let mut order = script("echo written");
        order.working_directory = "work".to_owned();
        let exit = machine.run(order).await;
        assert_eq!(exit.cause, Cause::NotStarted, "{mode:?} {}", exit.reason);
        assert_eq!(std::fs::read_dir(data.join("keys")).expect("keys").count(), 0);
    }
}

#[tokio::test]
async fn q08_a_job_reaches_no_socket_of_the_agent() {
    use std::os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    };
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        let folder = machine.folder.path().join("run");
        std::fs::create_dir(&folder).expect("a folder");
        let path = folder.join("agent.sock");
        let named = UnixListener::bind(&path).expect("a socket");
        let name = format!("soke-test-{}", machine.folder.path().display());
        let address = SocketAddr::from_abstract_name(&name).expect("an address");
        let nameless = UnixListener::bind_addr(&address).expect("a socket");
        let connect = "perl -MSocket -e 'socket(my $s, PF_UNIX, SOCK_STREAM, 0); $_ = shift; s/^@/\\0/; \
            connect($s, sockaddr_un($_)) or exit 1'";
        let text = format!(
            "if {connect} {}; then echo path; fi; if {connect} @{name}; then echo abstract; fi; echo end",
            path.display()
        );
        machine.run(script(&text)).await;
        let out = machine.read("out");
        // Before ABI 9 Landlock does not know paths of sockets: there only a mount hides them from the same uid.
        let hidden = mode == Mode::Whole || abilities().root || abilities().landlock >= 9;
        let wanted = if hidden { "end\n" } else { "path\nend\n" };
        assert_eq!(out, wanted, "{mode:?} {}", machine.read("err"));
        drop((named, nameless));
    }
}
