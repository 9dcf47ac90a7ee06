//! Stands in for the real binary: its only subcommand is the stage.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, rest)) if word == jobs::stage::SUBCOMMAND => jobs::stage::main(rest),
        Some(_) | None => ExitCode::FAILURE,
    }
}
