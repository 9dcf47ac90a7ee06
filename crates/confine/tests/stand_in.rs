//! Stands in for the real binary: answers the probe, and as a helper runs what it is told by a shell.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let answer = match arguments.first().map(String::as_str) {
        Some("probe") => confine::answer_probe(&["probe"], &arguments[1..]).map_err(|error| chain(&error)),
        Some("helper") => serve(&arguments[1]),
        Some(_) | None => Err("probe or helper".to_owned()),
    };
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            std::io::stderr()
                .write_all(text.as_bytes())
                .expect("standard error is open");
            ExitCode::FAILURE
        }
    }
}

fn serve(plan: &str) -> Result<(), String> {
    let (mut socket, _plan) = confine::helper::enter(plan).map_err(|error| chain(&error))?;
    let lines = BufReader::new(socket.try_clone().map_err(|error| error.to_string())?).lines();
    for line in lines {
        let line = line.map_err(|error| error.to_string())?;
        let output = Command::new("/bin/sh").arg("-c").arg(line).output();
        let output = output.map_err(|error| error.to_string())?;
        let code = output.status.code().unwrap_or(-1);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).trim().replace('\n', "|");
        writeln!(socket, "{code} {text}").map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
