//! The commands of docs/grpc.md, run as the page shows them.
//!
//! What it leaves to others: its steps with the gRPC document's client (`documents_greeter`), its Rust and its service
//! configuration (the tests of crate `rpc`), and the table of the interoperability cases (`interop`).

use std::{collections::BTreeSet, fs, os::unix::fs::symlink, path::Path, process::Command};

use serde_json::Value;

use crate::{
    documents_greeter::alone,
    harness::{LONG, SOKE, Said, Zone, go_program, run},
};

/// The page.
pub(crate) const PAGE: &str = include_str!("../../docs/grpc.md");

/// How each block begins that is not Rust, in the order of the page. Each is run or read by a test, here or where the
/// header says.
const BLOCKS: [&str; 6] = [
    "soke greeter",
    "python3 -m venv ",
    "grpcurl -plaintext ",
    "{\n  \"methodConfig\"",
    "grpcurl -cacert ",
    "soke interop server ",
];

/// The text of every fenced block that is not Rust.
fn blocks() -> Vec<&'static str> {
    let fenced = PAGE.split("\n```").skip(1).step_by(2);
    let parts = fenced.filter_map(|block| block.split_once('\n'));
    parts
        .filter(|(language, _)| *language != "rust")
        .map(|(_, text)| text)
        .collect()
}

/// The one block that begins so.
pub(crate) fn block(begins: &str) -> &'static str {
    let found: Vec<_> = blocks()
        .into_iter()
        .filter(|text| text.starts_with(begins))
        .collect();
    assert_eq!(found.len(), 1, "blocks that begin with `{begins}`");
    found[0]
}

/// The part of the page under a heading.
fn section(heading: &str) -> &'static str {
    let (_, after) = PAGE
        .split_once(&format!("\n## {heading}\n"))
        .expect("the heading");
    after.split("\n## ").next().unwrap_or(after)
}

/// The options that a text names.
fn options(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')));
    words
        .filter(|word| word.starts_with("--") && word.len() > 3)
        .collect()
}

fn help(command: &[&str]) -> String {
    let mut help = Command::new(SOKE);
    help.arg("help").args(command).env_clear();
    let said = run(help, "", LONG);
    assert_eq!(said.code, Some(0), "{said:?}");
    said.out
}

/// Runs a script where `soke` and grpcurl are found as by somebody who has installed them.
fn shell(mut command: Command, folder: &Path) -> Said {
    let binary = Path::new(SOKE).parent().expect("a folder").display();
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/bin");
    command
        .env("PATH", format!("{binary}:{tools}:/usr/bin:/bin:/usr/sbin:/sbin"))
        .current_dir(folder);
    run(command, "", LONG)
}

#[test]
fn every_block_of_the_page_is_known_to_a_test() {
    let blocks = blocks();
    let known = blocks
        .iter()
        .zip(BLOCKS)
        .all(|(text, begins)| text.starts_with(begins));
    assert!(known && blocks.len() == BLOCKS.len(), "{blocks:#?}");
}

#[test]
fn the_page_explains_every_option_of_the_greeter_and_names_none_that_is_not_there() {
    let greeter = help(&["greeter"]);
    let mut there = options(&greeter);
    // Those of every command.
    there.retain(|option| !matches!(*option, "--data" | "--help"));
    let rows = section("First use")
        .lines()
        .filter(|line| line.starts_with("| `--"));
    let explained: BTreeSet<_> = rows
        .flat_map(|row| options(row.split(" | ").next().unwrap_or(row)))
        .collect();
    assert_eq!(explained, there);
    let both = [help(&["interop", "server"]), help(&["interop", "client"])].concat();
    let there = options(&both);
    let named = options(section("Understood by others"));
    assert!(named.len() > 10, "{named:?}");
    let missing: Vec<_> = named.difference(&there).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// A script that has a server stand while something else runs.
fn beside(server: &str, port: u16, rest: &str) -> String {
    format!(
        "set -euo pipefail\nip link set lo up 2> /dev/null || ifconfig lo up\n{server} & server=$!\n\
         trap 'kill $server 2> /dev/null || :' EXIT\n\
         stands() {{ (exec 3<>/dev/tcp/127.0.0.1/{port}) 2> /dev/null; }}\n\
         for try in $(seq 300); do stands && break; sleep 0.1; done\n\
         {rest}\nkill $server\nwait $server\n"
    )
}

/// Runs such a script in a network of its own; nothing where nobody may make one.
fn in_a_network(script: &str) -> Option<Said> {
    let folder = tempfile::tempdir().expect("a folder");
    if run(alone("true"), "", LONG).code != Some(0) {
        return None;
    }
    fs::write(folder.path().join("script"), script).expect("written");
    Some(shell(alone("exec bash script"), folder.path()))
}

#[test]
fn grpcurl_finds_its_way_at_the_greeter_as_the_page_shows() {
    if go_program("bin/grpcurl").is_none() {
        return;
    }
    let server = block("soke greeter").trim();
    let Some(said) = in_a_network(&beside(server, 50_051, block("grpcurl -plaintext "))) else {
        return;
    };
    assert_eq!(said.code, Some(0), "{said:?}");
    for (text, count) in [
        ("the greeter stands on 127.0.0.1:50051\n", 1),
        ("helloworld.Greeter\n", 1),
        ("rpc SayHello ( .helloworld.HelloRequest )", 1),
        ("\"message\": \"Hello,Ada!\"", 1),
        ("\"reply\": \"Hello,Ada! ", 3),
    ] {
        assert_eq!(said.out.matches(text).count(), count, "{text}: {said:?}");
    }
}

#[test]
fn the_interop_programs_run_as_the_page_shows() {
    let lines: Vec<_> = block("soke interop server ").lines().collect();
    let [server, client] = lines[..] else {
        panic!("{lines:?}")
    };
    let Some(said) = in_a_network(&beside(server, 10_000, client)) else {
        return;
    };
    let wanted = "the interop server stands on 127.0.0.1:10000\npassed large_unary\npassed ping_pong\n";
    assert_eq!((said.code, said.out.as_str()), (Some(0), wanted), "{said:?}");
}

#[test]
fn grpcurl_asks_the_native_port_as_the_page_shows() {
    if go_program("bin/grpcurl").is_none() {
        return;
    }
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    symlink(zone.data(), zone.around().join(".soke")).expect("a link");
    // Where the page says that the command line keeps it.
    let session = fs::read_to_string(zone.around().join(".soke/client/session.json")).expect("a session");
    let session: Value = serde_json::from_str(&session).expect("JSON");
    let token = session["access_token"].as_str().expect("a token");
    let shown = block("grpcurl -cacert ");
    assert!(shown.contains(" 127.0.0.1:7443 "), "{shown}");
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c"])
        .arg(shown.replace("127.0.0.1:7443", &zone.address().to_string()))
        .env("TOKEN", token);
    let said = shell(bash, zone.around());
    assert_eq!(said.code, Some(0), "{said:?}\n{}", zone.log());
    assert!(said.out.contains("soke.v1.JobService\n"), "{said:?}");
    assert!(
        said.out.ends_with("{\n  \"status\": \"SERVING\"\n}\n"),
        "{said:?}"
    );
}
