//! Asking a process whether it answers at its port, and whether the port is its own.
//!
//! A port of the loopback address is open to everybody on the machine, so before it is asked it is looked up who
//! listens there: only processes of the same uid count. Where all work runs as the agent's own uid that says less.
//! What it leaves to others: what follows (module `state`).

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::spec::Note;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The waits between questions: the first and the longest to a process that is silent, and to one that answers.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);
const CALM: Duration = Duration::from_secs(5);
/// The most bytes of a status line.
const MOST_LINE: usize = 256;

/// When a process is asked again.
pub(super) struct Pace(Duration);

impl Pace {
    pub(super) const fn new() -> Self {
        Self(FIRST)
    }

    /// The next wait.
    pub(super) fn next(&mut self, answered: bool) -> Duration {
        if answered {
            self.0 = FIRST;
            return CALM;
        }
        let wait = self.0;
        self.0 = (wait * 2).min(LONGEST);
        wait
    }
}

/// Why a process counts as silent, in words for its owner.
#[derive(Debug, thiserror::Error)]
enum Silence {
    #[error("it cannot be looked up who listens: {0}")]
    Lists(io::Error),
    #[error("nobody listens at port {0} yet")]
    Nobody(u16),
    #[error("port {0} belongs to somebody else's process")]
    Stranger(u16),
    #[error("it does not answer at port {port}: {fault}")]
    Broken { port: u16, fault: io::Error },
    #[error("it does not answer at port {0} within 2 seconds")]
    Late(u16),
    #[error("what answers at port {0} is not HTTP")]
    NotHttp(u16),
    #[error("it answers {status} at {path}")]
    Unwell { status: u16, path: String },
}

/// Asks once; gives why it does not answer, or nothing where it does.
pub(super) async fn ask(note: &Note, uid: u32) -> Option<String> {
    let answer = async {
        let port = note.port;
        let holders = holders(port).await.map_err(Silence::Lists)?;
        if holders.is_empty() {
            return Err(Silence::Nobody(port));
        }
        if holders.iter().any(|&holder| holder != uid) {
            return Err(Silence::Stranger(port));
        }
        let question = timeout(PATIENCE, question(note)).await;
        question.map_err(|_elapsed| Silence::Late(port))?
    };
    answer.await.err().map(|silence| silence.to_string())
}

async fn question(note: &Note) -> Result<(), Silence> {
    let port = note.port;
    let broken = |fault: io::Error| Silence::Broken { port, fault };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(broken)?;
    let Some(path) = &note.health_path else {
        return Ok(());
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: soke\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let mut line = Vec::new();
    while line.len() < MOST_LINE && !line.contains(&b'\n') {
        let mut chunk = [0; 64];
        let length = stream.read(&mut chunk).await.map_err(broken)?;
        if length == 0 {
            break;
        }
        line.extend(chunk.iter().take(length));
    }
    match status(&line) {
        Some(200..=399) => Ok(()),
        Some(status) => Err(Silence::Unwell {
            status,
            path: path.clone(),
        }),
        None => Err(Silence::NotHttp(port)),
    }
}

/// The status of an answer's first line, as RFC 9112 section 4 writes it.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5).filter(|_| rest.get(1) == Some(&b' '))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The uids of those who listen at a port, on whichever address.
async fn holders(port: u16) -> io::Result<Vec<u32>> {
    let mut all = listed(&tokio::fs::read_to_string("/proc/net/tcp").await?, port);
    match tokio::fs::read_to_string("/proc/net/tcp6").await {
        Ok(text) => all.extend(listed(&text, port)),
        // A machine without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(all)
}

/// The uids of listening sockets at a port in one of the kernel's lists (proc_pid_net(5)).
fn listed(text: &str, port: u16) -> Vec<u32> {
    let end = format!(":{port:04X}");
    let holder = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        let uid = fields.nth(3)?;
        (local.ends_with(&end) && state == "0A").then(|| uid.parse().ok())?
    };
    text.lines().skip(1).filter_map(holder).collect()
}

#[cfg(test)]
mod tests {
    use super::{listed, status};

    const LIST: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 200001        0 27871 1 0 100 0 0 10 0\n\
   1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 27872 1 0 100 0 0 10 0\n\
   2: 0100007F:1F90 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000     7        0 27873 1 0 100 0 0 10 0\n";

    #[test]
    fn only_listening_sockets_of_the_port_count() {
        assert_eq!(listed(LIST, 8080), [200_001]);
        assert_eq!(listed(LIST, 8081), [0]);
        assert!(listed(LIST, 8082).is_empty());
    }

    #[test]
    fn a_status_is_read_from_the_first_line() {
        for (line, expected) in [
            ("HTTP/1.1 200 OK\r\n", Some(200)),
            ("HTTP/1.0 503 Service Unavailable\r\n", Some(503)),
            ("HTTP/1.1 20", None),
            ("HTTP/1.1-200", None),
            ("SSH-2.0-OpenSSH\r\n", None),
            ("", None),
        ] {
            assert_eq!(status(line.as_bytes()), expected, "{line}");
        }
    }
}
