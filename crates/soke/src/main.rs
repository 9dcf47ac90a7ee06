//! The binary: one program that is the server, the command line and the hidden processes that do users' work.
//!
//! What it is for: configuration, wiring, and the order of start and stop. It holds no rules. What it leaves to
//! others: everything the zone does (the slices), the wire (dialects, `gateway`) and the client commands (`cli`).

mod args;
mod config;
mod failure;
mod greet;
mod hidden;
mod interop;
mod join;
mod join_token;
mod lock;
mod log;
mod machine;
mod remove;
mod second;
mod signals;
mod stop;
mod test_zone;
mod up;
mod version;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command, ConfigCommand};
use config::{Config, Environment, Flags, Place};
use failure::Failure;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    if let Some(code) = hidden::answer(&arguments) {
        return code;
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(fault) => return args::explain(&fault),
    };
    if args.version {
        return finish(print(&version::lines()).map(|()| 0));
    }
    let Some(command) = args.command else {
        return finish(print(&args::help()).map(|()| failure::USAGE));
    };
    let environment = Environment::read();
    let flags = Flags {
        data: args.data,
        ..Flags::default()
    };
    finish(perform(command, flags, &environment))
}

fn perform(command: Command, flags: Flags, environment: &Environment) -> Result<u8, Failure> {
    match command {
        Command::Up(flags_of_up) => up::up(&flags_of_up, flags.data.as_deref(), environment),
        Command::Join(asked) => join::join(&asked, flags.data.as_deref(), environment),
        Command::Greeter(asked) => greet::greet(&asked),
        Command::Interop(asked) => interop::interop(&asked),
        Command::Stop => {
            let place = Place::find(flags.data.as_deref(), environment)?;
            stop::stop(&place.folder)?;
            print("stopped\n").map(|()| 0)
        }
        Command::Remove { yes } => {
            let place = Place::find(flags.data.as_deref(), environment)?;
            remove::remove(&place.folder, yes)?;
            print("removed\n").map(|()| 0)
        }
        Command::Config(ConfigCommand::Show { config }) => {
            let flags = Flags { config, ..flags };
            let config = Config::load(&flags, environment)?;
            print(&config.show()).map(|()| 0)
        }
        Command::Client(command) => {
            let place = Place::find(flags.data.as_deref(), environment)?;
            let surroundings = cli::Surroundings {
                data: place.folder,
                named: place.named,
                settings: environment.settings_folder(),
                home: environment.home_folder(),
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(Failure::System)?;
            Ok(runtime.block_on(cli::perform(command, &surroundings))?)
        }
    }
}

/// Writes to standard output.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(Failure::System)
}

/// Shows a failure, cause and cure, and gives the exit code.
fn finish(outcome: Result<u8, Failure>) -> ExitCode {
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => ExitCode::from(failure.show()),
    }
}
