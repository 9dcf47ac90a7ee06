//! The connection against the real other half on a thread, and against a process that breaks the protocol.

use std::{os::unix::fs::symlink, path::Path, time::Duration};

use bytes::Bytes;
use tasks::{Policy, Tasks};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use super::{Connection, Reply};
use crate::{
    Error, agent,
    entry::{Entry, EntryKind},
    frame::{Answer, MOST_AT_ONCE, MOST_BODY, Say, WINDOW, What, Why, encode},
};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn connected(home: &Path, tasks: &Tasks) -> Connection {
    let (server, process) = std::os::unix::net::UnixStream::pair().expect("a socket pair");
    server.set_nonblocking(true).expect("a socket");
    let home = home.to_owned();
    tasks
        .thread("process", Policy::MayEnd, move || {
            agent::serve(process, home, &["/dev/shm"]).expect("the server half keeps to the protocol");
        })
        .expect("a thread starts");
    let server = UnixStream::from_std(server).expect("within a runtime");
    Connection::new(server, tasks, PATIENCE)
}

async fn whole(connection: &Connection, what: What, path: &str) -> Result<Vec<u8>, Error> {
    let mut reply = connection.ask(what, path.as_bytes()).await?;
    let mut all = Vec::new();
    while let Some(part) = reply.next().await? {
        all.extend_from_slice(&part);
    }
    Ok(all)
}

fn refusal(result: Result<Vec<u8>, Error>) -> Why {
    match result {
        Err(Error::Refused { why }) => why,
        other => panic!("not refused: {:?}", other.map(|all| all.len())),
    }
}

#[tokio::test]
async fn a_file_comes_whole_and_from_any_offset_on() {
    let home = tempfile::tempdir().expect("a folder");
    let content: Vec<u8> = (0..MOST_BODY * 3 + 17).map(|i| (i % 251) as u8).collect();
    std::fs::write(home.path().join("f"), &content).expect("written");
    std::fs::write(home.path().join("empty"), b"").expect("written");
    let connection = connected(home.path(), &Tasks::new());
    for (path, offset, wanted) in [
        ("f", 0, &content[..]),
        ("./f", 5, &content[5..]),
        ("f", content.len() as u64 + 1, b""),
        ("f", u64::MAX, b""),
        ("empty", 0, b""),
    ] {
        let got = whole(&connection, What::Read { offset }, path)
            .await
            .expect("read");
        assert!(got == wanted, "{path} from {offset}");
    }
    assert!(connection.is_idle());
}

#[tokio::test]
async fn only_regular_files_are_read_and_nothing_hangs() {
    let home = tempfile::tempdir().expect("a folder");
    let at = |name: &str| home.path().join(name);
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).expect("a named pipe");
    symlink("circle", at("circle")).expect("a link");
    symlink("pipe", at("to-pipe")).expect("a link");
    std::fs::write(at("file"), b"x").expect("written");
    let long = "n".repeat(300);
    let connection = connected(home.path(), &Tasks::new());
    for (path, why) in [
        ("pipe", Why::NotAFile),
        ("to-pipe", Why::NotAFile),
        (".", Why::NotAFile),
        ("/dev/zero", Why::NotAFile),
        ("missing", Why::NotFound),
        ("file/below", Why::NotFound),
        ("circle", Why::BadPath),
        (long.as_str(), Why::BadPath),
    ] {
        let result = whole(&connection, What::Read { offset: 0 }, path).await;
        assert_eq!(refusal(result), why, "{path}");
    }
    for (path, why) in [
        ("file", Why::NotAFolder),
        ("pipe", Why::NotAFolder),
        ("missing", Why::NotFound),
    ] {
        let result = whole(&connection, What::List, path).await;
        assert_eq!(refusal(result), why, "{path}");
    }
}

#[tokio::test]
async fn a_folder_is_listed_with_what_each_entry_itself_is() {
    let home = tempfile::tempdir().expect("a folder");
    let at = |name: &[u8]| {
        use std::os::unix::ffi::OsStrExt as _;
        home.path().join(std::ffi::OsStr::from_bytes(name))
    };
    std::fs::create_dir(at(b"folder")).expect("made");
    std::fs::write(at(b"odd\xff\n"), b"123").expect("written");
    symlink("/etc/passwd", at(b"link")).expect("a link");
    let connection = connected(home.path(), &Tasks::new());
    let page = whole(&connection, What::List, ".").await.expect("listed");
    let mut entries = Entry::decode_page(&page).expect("our own page");
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (&entry.name[..], entry.kind, entry.mode & 0o170_000))
        .collect();
    assert_eq!(
        seen,
        [
            (&b"folder"[..], EntryKind::Folder, 0o040_000),
            (b"link", EntryKind::Link, 0o120_000),
            (b"odd\xff\n", EntryKind::File, 0o100_000),
        ]
    );
    assert_eq!(entries[2].size, 3);
    let home_path = whole(&connection, What::Home, "").await.expect("told");
    assert_eq!(home_path, home.path().as_os_str().as_encoded_bytes());
}

#[tokio::test]
async fn a_large_folder_comes_in_bounded_pages() {
    let home = tempfile::tempdir().expect("a folder");
    let count = 3_000;
    for number in 0..count {
        let name = format!("{number:0>200}");
        std::fs::write(home.path().join(name), b"").expect("written");
    }
    let connection = connected(home.path(), &Tasks::new());
    let mut reply = connection.ask(What::List, b".").await.expect("asked");
    let (mut pages, mut seen) = (0, 0);
    while let Some(page) = reply.next().await.expect("listed") {
        assert!(page.len() <= MOST_BODY);
        pages += 1;
        seen += Entry::decode_page(&page).expect("our own page").len();
    }
    assert_eq!(seen, count);
    assert!(pages > 1, "{pages}");
}

#[tokio::test]
async fn readers_who_take_nothing_do_not_hold_up_another_one() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("large"), vec![7; MOST_BODY * 8]).expect("written");
    std::fs::write(home.path().join("small"), b"small").expect("written");
    let connection = connected(home.path(), &Tasks::new());
    let mut slow: Vec<Reply> = Vec::new();
    for _ in 0..MOST_AT_ONCE - 1 {
        let what = What::Read { offset: 0 };
        slow.push(connection.ask(what, b"large").await.expect("asked"));
    }
    let quick = whole(&connection, What::Read { offset: 0 }, "small").await;
    assert_eq!(quick.expect("read"), b"small");
    // Those who give up make room at once; those who come back later get everything.
    let mut last = slow.pop().expect("one is there");
    drop(slow);
    let mut length = 0;
    while let Some(part) = last.next().await.expect("read") {
        length += part.len();
    }
    assert_eq!(length, MOST_BODY * 8);
    for _ in 0..MOST_AT_ONCE {
        let again = whole(&connection, What::Read { offset: 0 }, "small").await;
        assert_eq!(again.expect("read"), b"small");
    }
}

/// A connection whose other half is in the test's hand.
fn by_hand(tasks: &Tasks, patience: Duration) -> (Connection, UnixStream) {
    let (server, process) = UnixStream::pair().expect("a socket pair");
    (Connection::new(server, tasks, patience), process)
}

#[tokio::test]
async fn a_process_that_breaks_the_protocol_loses_its_connection() {
    let part = |id| {
        let body = Bytes::from_static(b"x");
        encode(&Answer { id, say: Say::Part }, &body).expect("within the bounds")
    };
    let too_many = part(0).repeat(usize::try_from(WINDOW).expect("small") + 2);
    for breach in [vec![0xff; 8], part(9), too_many, b"\0\0\0\x02\0\0\0\0{}".to_vec()] {
        let tasks = Tasks::new();
        let (connection, mut process) = by_hand(&tasks, PATIENCE);
        let mut reply = connection.ask(What::Home, b"").await.expect("asked");
        process.write_all(&breach).await.expect("sent");
        let closed = connection.closed();
        tokio::time::timeout(PATIENCE, closed.cancelled())
            .await
            .expect("the connection is closed");
        let last = loop {
            match reply.next().await {
                Ok(Some(_part)) => {}
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert!(matches!(last, Some(Error::Lost)), "{last:?}");
        assert!(matches!(connection.ask(What::Home, b"").await, Err(Error::Lost)));
    }
}

#[tokio::test]
async fn a_process_that_says_nothing_is_given_up_after_the_patience() {
    let (connection, mut process) = by_hand(&Tasks::new(), Duration::from_millis(30));
    let mut reply = connection.ask(What::Home, b"").await.expect("asked");
    assert!(matches!(reply.next().await, Err(Error::Stalled)));
    assert!(connection.is_stalled());
    drop(reply);
    let mut seen = vec![0; 512];
    let mut length = 0;
    while !String::from_utf8_lossy(&seen[..length]).contains("end") {
        let more = process.read(&mut seen[length..]).await.expect("open");
        assert!(more > 0, "closed before the end was told");
        length += more;
    }
}

#[tokio::test]
async fn a_dropped_connection_ends_its_process() {
    let home = tempfile::tempdir().expect("a folder");
    let tasks = Tasks::new();
    let connection = connected(home.path(), &tasks);
    whole(&connection, What::Home, "").await.expect("told");
    drop(connection);
    let stopped = tasks.stop(PATIENCE).await;
    assert_eq!(stopped.late, Vec::<String>::new());
}
