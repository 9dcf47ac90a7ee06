//! The inner step: becomes the user, opens the output as the user, and gives its place to the work.
//!
//! Every path is opened with the user's own rights and behind the user's own walls, so a link in the place
//! of a folder or a file reaches nothing that the user could not reach anyway; the output files themselves
//! are never opened through a link. What it leaves to others: waiting for the work (module `keep`).

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
        unix::process::CommandExt as _,
    },
    path::Path,
    process::{Command, Stdio},
};

use confine::{ending, enter};
use nix::fcntl::OFlag;

use crate::{
    Error,
    spec::{Spec, Work},
};

/// Runs the work of the order that standard input holds. Returns only when it cannot be run; why is written
/// to standard output as it was at the beginning.
pub(crate) fn run() -> Result<(), Error> {
    enter::close_files()?;
    let report = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)
        .map_err(|errno| Error::step("hold the report")(errno.into()))?;
    let Err(error) = execute() else {
        return Ok(());
    };
    File::from(report)
        .write_all(model::chain(&error).as_bytes())
        .map_err(Error::step("report why nothing runs"))
}

/// Ends in the work's program, or with an error.
fn execute() -> Result<(), Error> {
    let mut text = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut text)
        .map_err(Error::step("read the order"))?;
    let spec: Spec = serde_json::from_slice(&text).map_err(|source| Error::Form {
        what: "the order",
        source,
    })?;
    nix::unistd::setsid().map_err(Error::errno("make a session"))?;
    ending::die_with_parent()?;
    // The work shall be chosen before anything else of the machine when memory is short.
    std::fs::write("/proc/self/oom_score_adj", "500").ok();
    enter::become_worker(&spec.plan)?;
    enter_working_directory(&spec.working_directory)?;
    if spec.keep_earlier_output {
        set_aside(&spec.stdout)?;
    }
    let stdout = open_output(&spec.stdout)?;
    let stderr = if spec.stderr == spec.stdout {
        stdout.try_clone()
    } else {
        open_output(&spec.stderr).map(Ok)?
    };
    let stderr = stderr.map_err(Error::step("share the output"))?;
    let script;
    let mut command = match &spec.work {
        Work::Script(text) => {
            script = hold_script(text)?;
            script_command(text, &format!("/proc/self/fd/{}", script.as_raw_fd()))
        }
        Work::Arguments(arguments) => {
            let mut words = arguments.iter();
            let mut command = Command::new(words.next().map_or("", String::as_str));
            command.args(words);
            command
        }
    };
    let program = command.get_program().to_string_lossy().into_owned();
    let error = command
        .env_clear()
        .envs(spec.plan.environment())
        .envs(&spec.environment)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .exec();
    Err(Error::Refused {
        what: "run program",
        name: program,
        why: error.to_string(),
    })
}

fn enter_working_directory(path: &str) -> Result<(), Error> {
    if path.is_empty() {
        return Ok(());
    }
    let refused = |error: io::Error| Error::Refused {
        what: "enter working directory",
        name: path.to_owned(),
        why: error.to_string(),
    };
    std::fs::create_dir_all(path).map_err(refused)?;
    std::env::set_current_dir(path).map_err(refused)
}

/// Gives an earlier output another name, and makes the folder that it lies in.
fn set_aside(path: &str) -> Result<(), Error> {
    let refused = |error: io::Error| Error::Refused {
        what: "set earlier output aside",
        name: path.to_owned(),
        why: error.to_string(),
    };
    if let Some(folder) = Path::new(path).parent() {
        std::fs::create_dir_all(folder).map_err(refused)?;
    }
    match std::fs::rename(path, format!("{path}.1")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Opens an output file for appending, emptied first. Anything but a plain file and `/dev/null` is refused:
/// a link could have been put there by somebody else, a pipe or a device would hold the work up.
fn open_output(path: &str) -> Result<File, Error> {
    let refused = |why: String| Error::Refused {
        what: "open output file",
        name: path.to_owned(),
        why,
    };
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let opened = File::options()
        .append(true)
        .create(true)
        .mode(0o644)
        .custom_flags(flags.bits())
        .open(Path::new(path));
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32) => {
            return Err(refused("it is a symbolic link".to_owned()));
        }
        Err(error) => return Err(refused(error.to_string())),
    };
    let facts = file.metadata().map_err(|error| refused(error.to_string()))?;
    let null = facts.file_type().is_char_device() && nothing(&facts);
    if !facts.is_file() && !null {
        return Err(refused("it is not a plain file".to_owned()));
    }
    if facts.is_file() && facts.nlink() > 1 {
        return Err(refused("it has more than one name".to_owned()));
    }
    if facts.is_file() {
        file.set_len(0).map_err(|error| refused(error.to_string()))?;
    }
    rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::APPEND).map_err(|errno| refused(errno.to_string()))?;
    Ok(file)
}

/// Whether a device is the one that `/dev/null` is.
fn nothing(facts: &std::fs::Metadata) -> bool {
    std::fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == facts.rdev())
}

/// Puts the script where only this process and its children find it. Stays open across the exec: the
/// interpreter opens it by its number.
fn hold_script(text: &str) -> Result<OwnedFd, Error> {
    let step = "hold the script";
    let held = rustix::fs::memfd_create("script", rustix::fs::MemfdFlags::empty())
        .map_err(|errno| Error::step(step)(errno.into()))?;
    let mut file = File::from(held);
    file.write_all(text.as_bytes()).map_err(Error::step(step))?;
    Ok(file.into())
}

/// The command for a script at `place`: its first line's interpreter with at most one argument, as the
/// kernel reads it (execve(2)), else `/bin/sh`.
fn script_command(text: &str, place: &str) -> Command {
    let first = text.lines().next().unwrap_or("");
    let named = first
        .strip_prefix("#!")
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let (interpreter, argument) = match named.map(|line| line.split_once([' ', '\t'])) {
        None => ("/bin/sh", None),
        Some(None) => (named.unwrap_or("/bin/sh"), None),
        Some(Some((interpreter, argument))) => (interpreter, Some(argument.trim())),
    };
    let mut command = Command::new(interpreter);
    command.args(argument).arg(place);
    command
}

#[cfg(test)]
mod tests {
    use super::script_command;

    fn words(text: &str) -> Vec<String> {
        let command = script_command(text, "/proc/self/fd/3");
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_first_line_names_the_interpreter_with_at_most_one_argument() {
        let place = "/proc/self/fd/3";
        assert_eq!(words("echo hello\n"), ["/bin/sh", place]);
        assert_eq!(words("#!\necho"), ["/bin/sh", place]);
        assert_eq!(words("#!/bin/bash\n"), ["/bin/bash", place]);
        assert_eq!(
            words("#! /usr/bin/env python3 -u\n"),
            ["/usr/bin/env", "python3 -u", place]
        );
        assert_eq!(words("#!/bin/sh -e\r\n"), ["/bin/sh", "-e", place]);
    }
}
