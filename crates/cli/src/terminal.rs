//! The person's side: what is printed where, and how secrets are asked for.
//!
//! What it leaves to others: what is said.

use std::io::{self, BufRead as _, IsTerminal as _, Write};

use crate::Error;

/// Writes one line to standard output.
pub(crate) fn say(line: impl std::fmt::Display) -> Result<(), Error> {
    writeln!(io::stdout().lock(), "{line}").map_err(Error::Terminal)
}

/// Writes bytes to standard output or standard error as they are.
pub(crate) fn pass_on(bytes: &[u8], errors: bool) -> Result<(), Error> {
    let write = |mut to: Box<dyn Write>| to.write_all(bytes).and_then(|()| to.flush());
    let written = if errors {
        write(Box::new(io::stderr().lock()))
    } else {
        write(Box::new(io::stdout().lock()))
    };
    written.map_err(Error::Terminal)
}

/// Writes a remark for the person, apart from the output.
pub(crate) fn remark(line: impl std::fmt::Display) -> Result<(), Error> {
    writeln!(io::stderr().lock(), "{line}").map_err(Error::Terminal)
}

/// Asks for a line that others may see; the question is a remark, so that it stays out of what was asked for.
pub(crate) fn ask(question: &str) -> Result<String, Error> {
    remark(format_args!("{question}:"))?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a secret: unseen at a terminal, one line of standard input otherwise.
pub(crate) fn ask_secret(question: &str) -> Result<String, Error> {
    let text = if io::stdin().is_terminal() {
        rpassword::prompt_password(format!("{question}: "))?
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        line
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
