//! Files put by the real half of the user, on a thread, through a real connection.

use std::{
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use model::ErrorKind;
use rustix::io::Errno;
use tasks::Tasks;
use testbed::eventually;
use tokio::sync::mpsc;

use super::{Fresh, Hidden, Stop, Target, why_not};
use crate::{
    Error, Stream,
    connection::{self, Connection, tests::connected},
    frame::{Ask, MOST_BODY, WINDOW, What, Why, encode},
};

const LONG: Duration = Duration::from_secs(30);

async fn put(connection: &Connection, path: &str, chunks: Stream<Bytes>) -> Result<(), Error> {
    let mut reply = connection.ask(What::Write, path.as_bytes()).await?;
    reply.next().await?.expect("it is ready");
    connection::write(reply, chunks).await
}

fn chunks(parts: &[&[u8]]) -> Stream<Bytes> {
    let parts: Vec<_> = parts
        .iter()
        .map(|part| Ok(Bytes::copy_from_slice(part)))
        .collect();
    stream::iter(parts).boxed()
}

/// Chunks that come when the test sends them.
fn by_hand() -> (mpsc::Sender<Result<Bytes, Error>>, Stream<Bytes>) {
    let (sender, receiver) = mpsc::channel(1);
    let next = |mut receiver: mpsc::Receiver<_>| async { Some((receiver.recv().await?, receiver)) };
    (sender, stream::unfold(receiver, next).boxed())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_is_put_there_whole_whatever_its_size() {
    let home = tempfile::tempdir().expect("a folder");
    let connection = connected(home.path(), &Tasks::new());
    let large: Vec<u8> = (0..MOST_BODY * 9 + 17).map(|i| (i % 251) as u8).collect();
    let (front, back) = large.split_at(MOST_BODY + 1);
    for (name, parts) in [
        ("empty", vec![]),
        ("nothing", vec![&b""[..], b""]),
        ("small", vec![b"a", b"", b"bc"]),
        ("large", vec![front, back]),
    ] {
        put(&connection, name, chunks(&parts)).await.expect("put");
        let path = home.path().join(name);
        assert!(std::fs::read(&path).expect("there") == parts.concat(), "{name}");
        assert_eq!(path.metadata().expect("there").mode() & 0o133, 0, "{name}");
    }
    let absolute = home.path().join("absolute");
    put(&connection, &absolute.to_string_lossy(), chunks(&[b"1"]))
        .await
        .expect("put");
    assert_eq!(
        names(home.path()),
        ["absolute", "empty", "large", "nothing", "small"]
    );
    assert!(connection.is_idle());
}

#[tokio::test]
async fn what_was_there_stays_until_the_new_file_is_whole_and_hands_on_its_mode() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("f");
    std::fs::write(&path, "before").expect("written");
    for mode in [0o600, 0o640, 0o755] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("ours");
        let before = std::fs::read(&path).expect("there");
        let connection = connected(home.path(), &Tasks::new());
        let (sender, chunks) = by_hand();
        let sending = async {
            for _chunk in 0..2 * WINDOW {
                sender
                    .send(Ok(Bytes::from(vec![1; MOST_BODY])))
                    .await
                    .expect("taken");
            }
            assert!(std::fs::read(&path).expect("there") == before, "{mode:o}");
            assert_eq!(names(home.path()), ["f"], "{mode:o}");
            drop(sender);
        };
        let (written, ()) = tokio::join!(put(&connection, "f", chunks), sending);
        written.expect("put");
        let facts = path.metadata().expect("there");
        assert_eq!(
            (facts.mode() & 0o777, facts.len()),
            (mode, 2 * u64::from(WINDOW) * MOST_BODY as u64)
        );
    }
}

#[tokio::test]
async fn a_link_stays_one_and_what_it_leads_to_is_put_there() {
    let home = tempfile::tempdir().expect("a folder");
    let at = |name: &str| home.path().join(name);
    std::fs::create_dir(at("folder")).expect("made");
    std::fs::write(at("folder/old"), "old").expect("written");
    symlink("folder/old", at("to-old")).expect("a link");
    symlink(at("to-old"), at("to-link")).expect("a link");
    symlink("folder/new", at("to-new")).expect("a link");
    symlink("folder", at("to-folder")).expect("a link");
    let connection = connected(home.path(), &Tasks::new());
    for (path, lands) in [
        ("to-old", "folder/old"),
        ("to-link", "folder/old"),
        ("to-new", "folder/new"),
        ("to-folder/third", "folder/third"),
    ] {
        put(&connection, path, chunks(&[path.as_bytes()]))
            .await
            .expect("put");
        assert_eq!(std::fs::read_to_string(at(lands)).expect("there"), path);
    }
    assert_eq!(names(&at("folder")), ["new", "old", "third"]);
    for link in ["to-old", "to-link", "to-new", "to-folder"] {
        assert!(at(link).is_symlink(), "{link}");
    }
}

#[tokio::test]
async fn a_file_that_does_not_come_whole_leaves_nothing() {
    for ending in ["an error", "dropped", "the process ends"] {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::write(home.path().join("old"), "old").expect("written");
        let tasks = Tasks::new();
        let connection = connected(home.path(), &tasks);
        for path in ["new", "old"] {
            let (sender, chunks) = by_hand();
            let mut writing = Box::pin(put(&connection, path, chunks));
            let sending = async {
                for _chunk in 0..2 * WINDOW {
                    sender
                        .send(Ok(Bytes::from(vec![1; MOST_BODY])))
                        .await
                        .expect("taken");
                }
            };
            tokio::select! {
                _early = &mut writing => panic!("it waits for its end"),
                () = sending => {}
            }
            if ending == "an error" {
                let error = Error::Sender {
                    kind: ErrorKind::Unavailable,
                    text: "the client went away".to_owned(),
                };
                let (written, sent) = tokio::join!(writing, sender.send(Err(error)));
                sent.expect("taken");
                assert!(matches!(written, Err(Error::Sender { .. })), "{written:?}");
            } else {
                drop(writing);
            }
        }
        if ending != "the process ends" {
            assert!(eventually(LONG, async || connection.is_idle()).await, "{ending}");
        }
        drop(connection);
        assert_eq!(tasks.stop(LONG).await.late, Vec::<String>::new());
        assert!(
            eventually(LONG, async || names(home.path()) == ["old"]).await,
            "{ending}"
        );
        assert_eq!(
            std::fs::read(home.path().join("old")).expect("there"),
            b"old",
            "{ending}"
        );
    }
}

#[tokio::test]
async fn only_regular_files_are_replaced_and_only_in_folders_that_are_there() {
    let home = tempfile::tempdir().expect("a folder");
    let at = |name: &str| home.path().join(name);
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).expect("a named pipe");
    symlink("circle", at("circle")).expect("a link");
    symlink("pipe", at("to-pipe")).expect("a link");
    std::fs::create_dir(at("folder")).expect("made");
    std::fs::write(at("file"), b"x").expect("written");
    let before = names(home.path());
    let long = "n".repeat(300);
    let connection = connected(home.path(), &Tasks::new());
    for (path, why) in [
        ("pipe", Why::NotAFile),
        ("to-pipe", Why::NotAFile),
        ("folder", Why::NotAFile),
        ("folder/", Why::NotAFile),
        (".", Why::NotAFile),
        ("folder/..", Why::NotAFile),
        ("/", Why::NotAFile),
        ("/dev/null", Why::NotAFile),
        ("missing/below", Why::NotFound),
        ("file/below", Why::NotFound),
        ("missing/", Why::NotFound),
        ("circle", Why::BadPath),
        ("/proc/none", Why::NotFound),
        ("/dev/shm/soke-of-a-test", Why::NotKept),
        (long.as_str(), Why::BadPath),
    ] {
        match put(&connection, path, chunks(&[b"y"])).await {
            Err(Error::Refused { why: seen }) => assert_eq!(seen, why, "{path}"),
            other => panic!("{path} is not refused: {other:?}"),
        }
    }
    assert_eq!(names(home.path()), before);
    assert_eq!(std::fs::read(at("file")).expect("there"), b"x");
}

#[test]
fn a_hidden_file_stands_in_where_a_file_system_has_none_without_names() {
    let home = tempfile::tempdir().expect("a folder");
    let target = Target::find(&home.path().join("f")).unwrap_or_else(|_stop| panic!("nothing is there"));
    let hidden = || Hidden {
        folder: home.path().to_owned(),
        id: 7,
    };
    let open = || Fresh::with_name(hidden()).unwrap_or_else(|_stop| panic!("the folder is ours"));
    let (left, mut fresh) = (open(), open());
    fresh.file.write_all(b"whole").expect("written");
    assert_eq!(
        names(home.path()).len(),
        2,
        "two names, though id and process are one"
    );
    assert!(fresh.take_name_of(&target).is_ok());
    drop((left, fresh));
    assert_eq!(names(home.path()), ["f"]);
    assert_eq!(std::fs::read(home.path().join("f")).expect("there"), b"whole");
}

#[test]
fn what_the_system_says_has_one_meaning_each() {
    for (errno, why) in [
        (Errno::ACCESS, Why::NotWritable),
        (Errno::PERM, Why::NotWritable),
        (Errno::ROFS, Why::NotWritable),
        (Errno::NOSPC, Why::Full),
        (Errno::DQUOT, Why::Full),
        (Errno::FBIG, Why::Full),
        (Errno::NOENT, Why::NotFound),
        (Errno::NAMETOOLONG, Why::BadPath),
        (Errno::IO, Why::Broken),
    ] {
        let stop = why_not(io::Error::from(errno));
        assert!(matches!(stop, Stop::Failed(seen) if seen == why), "{errno:?}");
    }
}

#[tokio::test]
async fn a_server_that_sends_more_than_was_asked_for_is_no_server_of_ours() {
    let home = tempfile::tempdir().expect("a folder");
    let (mut server, process) = std::os::unix::net::UnixStream::pair().expect("a socket pair");
    let path = home.path().to_owned();
    let tasks = Tasks::new();
    tasks
        .thread("process", tasks::Policy::MayEnd, move || {
            crate::agent::serve(process, path, &[]).expect_err("a breach ends it");
        })
        .expect("a thread starts");
    // A named pipe is never ready, so nothing is taken; `/dev/full` would do for the disk.
    let ask = |what, body: &[u8]| encode(&Ask { id: 0, what }, body).expect("within the bounds");
    server.write_all(&ask(What::Write, b"f")).expect("sent");
    for _ in 0..10_000 {
        if server.write_all(&ask(What::Chunk, &[0; 4096])).is_err() {
            break;
        }
    }
    assert_eq!(tasks.stop(LONG).await.late, Vec::<String>::new());
}
