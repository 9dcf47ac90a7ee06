//! The command line of the binary.
//!
//! What it leaves to others: the client commands (`cli`), and settings (`config`).

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{failure::USAGE, interop::Interop};

/// One private compute zone in one binary: people sign in, submit jobs and fetch what they made.
#[derive(Debug, Parser)]
#[command(name = "soke", disable_version_flag = true, arg_required_else_help = false)]
pub(crate) struct Args {
    /// Print the version and how it was built
    #[arg(long, short = 'V')]
    pub(crate) version: bool,
    /// The zone's data folder; otherwise ./.soke where it is, else ~/.local/share/soke
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the zone and stay up until stopped
    Up(Up),
    /// Stop the server of the data folder and wait until it has ended
    Stop,
    /// Stop the server, end everything that the zone runs on this machine, and remove the data folder
    Remove {
        /// Do it: all homes in the folder go with it
        #[arg(long)]
        yes: bool,
    },
    /// Make this machine a node of the zone on another one, and stay up until stopped
    Join(Join),
    /// Stand as the gRPC document's example server, Greeter and HelloService, until stopped
    Greeter(Greeter),
    /// Run gRPC's interoperability tests
    #[command(subcommand, hide = true)]
    Interop(Interop),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    #[command(flatten)]
    Client(cli::Command),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Up {
    /// Where the native listener stands: ADDRESS:PORT, or a port for this machine only
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// The configuration file; otherwise soke.toml in the data folder
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Show what the zone can do by doing it, on the first start
    #[arg(long)]
    pub(crate) story: bool,
    /// For trying clients out, on this machine only: opens what protocols show without encryption and without proof
    #[arg(long)]
    pub(crate) test: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Join {
    /// Where the zone's server stands, HOST:PORT; without it this machine goes on as the node that it is
    pub(crate) server: Option<String>,
    /// The token that `soke token` gave there; without it, or with `-`, it is read from standard input
    #[arg(requires = "server")]
    pub(crate) token: Option<String>,
    /// The file that holds the token, readable for its owner only
    #[arg(long, value_name = "FILE", requires = "server", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,
    /// Take a token that others on this machine can see: on the command line, or in a file with another mode
    #[arg(long, requires = "server")]
    pub(crate) token_may_be_seen: bool,
    /// What to call this machine; otherwise it is called by its host name
    #[arg(long, value_name = "NAME", requires = "server")]
    pub(crate) name: Option<String>,
    /// End when standard input ends: with the process that started this one, however that ends
    #[arg(long, hide = true)]
    pub(crate) while_stdin_is_open: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Greeter {
    /// Where it stands: ADDRESS:PORT, or a port for this machine only
    #[arg(long, value_name = "ADDRESS", default_value_t = greeter::PORT.to_string())]
    pub(crate) listen: String,
    /// Speak TLS with the certificate chain in this PEM file
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) certificate: Option<PathBuf>,
    /// The certificate's key, a PEM file
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) key: Option<PathBuf>,
    /// Speak without encryption where others reach the address
    #[arg(long)]
    pub(crate) insecure: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting and where it came from
    Show {
        /// The configuration file; otherwise soke.toml in the data folder
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// The help text.
pub(crate) fn help() -> String {
    Args::command().render_help().to_string()
}

/// Shows a help text that was asked for, or what is wrong with the arguments.
pub(crate) fn explain(fault: &clap::Error) -> ExitCode {
    let shown = fault.print();
    if fault.use_stderr() || shown.is_err() {
        ExitCode::from(USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Args, Command};

    #[test]
    fn the_command_line_has_no_contradictions() {
        Args::command().debug_assert();
    }

    #[test]
    fn everything_after_two_dashes_belongs_to_the_job() {
        let args = Args::try_parse_from(["soke", "run", "--cores", "2", "--", "ls", "--data", "x"])
            .expect("good arguments");
        assert_eq!(args.data, None);
        match args.command {
            Some(Command::Client(cli::Command::Run(run))) => assert_eq!(run.command, ["ls", "--data", "x"]),
            other => panic!("{other:?}"),
        }
    }
}
