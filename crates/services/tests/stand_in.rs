//! Stands in for the real binary: the stage and the probe.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, rest)) if word == stage::SUBCOMMAND => stage::main(rest),
        Some((word, rest)) if word == "probe" => match confine::answer_probe(&["probe"], rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_not_possible) => ExitCode::FAILURE,
        },
        Some(_) | None => ExitCode::FAILURE,
    }
}
