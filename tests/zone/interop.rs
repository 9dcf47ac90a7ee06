//! gRPC's interoperability cases between Soke and foreign programs, both ways: their clients at our server, our client at
//! their servers.
//!
//! The full run makes plain, TLS and TLS with certificates on both sides, and writes the table of `docs/grpc.md`; the
//! everyday run makes TLS and holds that table to what it saw. What it leaves to others: what each case does (crate
//! `interop` and the programs under `tests/interop/peers`), and a client at a server of one process
//! (`crates/dialects/interop/tests`).

mod material;
mod peers;
mod table;

use std::{collections::BTreeMap, process::Command};

use crate::harness::{LONG, SOKE, Said, is_full, run};
use material::Material;
use peers::{Column, Outcome, go_is_there};
use table::Table;

/// What is between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    Plain,
    Tls,
    Mutual,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::Mutual];

    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "TLS",
            Self::Mutual => "mTLS",
        }
    }
}

/// What was seen: for each column and case, each mode that both have.
type Seen = BTreeMap<(Column, &'static str), BTreeMap<Mode, Outcome>>;

/// Runs every cell of the table in these modes.
fn run_all(modes: &[Mode]) -> Seen {
    let material = Material::make();
    let mut seen = Seen::new();
    let with_go = go_is_there();
    for mode in modes {
        let ours = peers::Server::ours(&material, *mode);
        for column in Column::ALL
            .into_iter()
            .filter(|column| !column.is_go() || with_go)
        {
            for (case, outcome) in column.run(&material, *mode, &ours) {
                seen.entry((column, case)).or_default().insert(*mode, outcome);
            }
        }
    }
    seen
}

#[test]
fn foreign_programs_and_soke_pass_each_others_interop_cases() {
    let modes = if is_full() { &Mode::ALL[..] } else { &[Mode::Tls] };
    let seen = run_all(modes);
    let red: Vec<_> = seen
        .iter()
        .flat_map(|((column, case), modes)| {
            let red = modes
                .iter()
                .filter_map(|(mode, outcome)| Some((mode, outcome.as_ref().err()?)));
            red.map(move |(mode, why)| format!("{}, {case}, {}: {why}", column.title(), mode.name()))
        })
        .collect();
    assert!(red.is_empty(), "{}", red.join("\n"));
    let table = Table::read();
    if is_full() {
        table.write(&seen);
    } else {
        table.compare(&seen, modes);
    }
}

#[test]
fn flags_are_taken_in_both_of_their_forms() {
    let material = Material::make();
    let server = peers::Server::ours(&material, Mode::Plain);
    for arguments in server.two_forms() {
        let mut command = Command::new(SOKE);
        command.args(["interop", "client"]).args(&arguments).env_clear();
        let said = run(command, "", LONG);
        let wanted = (Some(0), "passed empty_unary\npassed ping_pong\n");
        assert_eq!((said.code, said.out.as_str()), wanted, "{arguments:?}: {said:?}");
    }
}

/// Runs our client at a server with these flags.
fn client(port: u16, arguments: &[&str]) -> Said {
    let mut command = Command::new(SOKE);
    command
        .args(["interop", "client", &format!("--server_port={port}")])
        .args(arguments)
        .env_clear();
    run(command, "", LONG)
}

#[test]
fn the_client_ends_with_1_where_a_case_has_not_passed() {
    let material = Material::make();
    let server = peers::Server::ours(&material, Mode::Plain);
    let said = client(server.port(), &["--test_case=jwt_token_creds,empty_unary"]);
    let wanted =
        "failed jwt_token_creds: what was asked for needs --service_account_key_file\npassed empty_unary\n";
    assert_eq!((said.code, said.out.as_str()), (Some(1), wanted), "{said:?}");
    for host in ["127.0.0.1", "::1", "[::1]"] {
        let host = format!("--server_host={host}");
        let said = client(testbed::free_port(), &[&host, "--test_case=empty_unary"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.out.starts_with("failed empty_unary: "), "{said:?}");
    }
}

#[test]
fn additional_metadata_goes_along_as_text_and_as_bytes() {
    let material = Material::make();
    let server = peers::Server::ours(&material, Mode::Plain);
    let with = |more: &str| {
        let more = format!("--additional_metadata={more}");
        client(server.port(), &[&more, "--test_case=custom_metadata"])
    };
    let said = with("x-run:7:8;x-run-bin:7");
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "passed custom_metadata\n")
    );
    // What comes back of it, besides what the case has sent, shows that it went, and as which bytes.
    for (name, came) in [
        ("x-grpc-test-echo-initial", "[109, 111, 114, 101]"),
        ("x-grpc-test-echo-trailing-bin", "Some([109, 111, 114, 101])"),
    ] {
        let said = with(&format!("{name}:more"));
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.out.contains(came), "{said:?}");
    }
}

#[test]
fn a_wrong_flag_of_the_interop_programs_is_refused_with_what_is_right() {
    for (arguments, code, text) in [
        (
            &["client", "--test_case=nothing"][..],
            64,
            "`nothing` is not known: known are empty_unary",
        ),
        (&["client", "--use_tls=true"], 64, "--ca_file"),
        (
            &["client", "--use_tls=true", "--ca_file=nowhere.pem"],
            66,
            "read --ca_file `nowhere.pem`: No such file",
        ),
        (
            &["client", "--tls_cert_file=a.pem", "--tls_key_file=a.key"],
            64,
            "--use_tls=true",
        ),
        (
            &["client", "--service_config_json=x"],
            64,
            "`grpc.service_config`",
        ),
        (&["client", "--soak_iterations=0"], 64, "--soak_iterations"),
        (&["client", "--soak_num_threads=0"], 64, "--soak_num_threads"),
        (&["client", "--concurrent_calls=0"], 64, "--concurrent_calls"),
        (
            &["client", "--soak_request_size=18446744073709551615"],
            64,
            "--soak_request_size",
        ),
        (&["client", "--soak_response_size=-1"], 64, "--soak_response_size"),
        (
            &["client", "--soak_overall_timeout_seconds=18446744073709551615"],
            64,
            "--soak_overall_timeout_seconds",
        ),
        (&["client", "--use_tls=maybe"], 64, "true"),
        (
            &["client", "--additional_metadata=x"],
            64,
            "NAME:VALUE;NAME:VALUE",
        ),
        (&["server", "--use_tls=true"], 64, "--tls_cert_file"),
        (
            &["server", "--port=0", "--tls_cert_file=a", "--tls_key_file=b"],
            64,
            "--use_tls=true",
        ),
        (
            &[
                "server",
                "--use_tls=true",
                "--tls_cert_file=nowhere.pem",
                "--tls_key_file=b",
            ],
            66,
            "read --tls_cert_file `nowhere.pem`: No such file",
        ),
        (
            &["server", "--host=0.0.0.0", "--port=0"],
            64,
            "plaintext interop server on `0.0.0.0:0` refused",
        ),
    ] {
        let mut command = Command::new(SOKE);
        command.arg("interop").args(arguments).env_clear();
        let said = run(command, "", LONG);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
        assert!(said.errors.contains(text), "{arguments:?}: {said:?}");
    }
}
