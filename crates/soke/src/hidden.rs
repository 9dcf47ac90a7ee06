//! The hidden subcommands: processes of our own binary that do users' work. They read no configuration.
//!
//! What it leaves to others: what each of them does (`confine`, `files`, `jobs`).

use std::process::ExitCode;

/// Tries out what this machine offers.
pub(crate) const PROBE: &str = "probe-machine";
const USER_AGENT: &str = "user-agent";

/// Runs the hidden subcommand that the arguments (without the program) name; nothing where they name none.
pub(crate) fn answer(arguments: &[String]) -> Option<ExitCode> {
    let (first, rest) = arguments.split_first()?;
    match first.as_str() {
        PROBE => Some(match confine::answer_probe(&[PROBE], rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_not_possible) => ExitCode::FAILURE,
        }),
        USER_AGENT => Some(files::agent::main()),
        stage::SUBCOMMAND => Some(stage::main(rest)),
        _ => None,
    }
}
