//! Uploads: whole or not at all, and what is refused.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use tonic::{Code, Response, Status};
use wire::scow::portal::{
    GetHomeDirectoryRequest, UploadRequest, UploadResponse,
    upload_request::{Info, Message},
};

use crate::zone::{Refusal, Zone, bearing, refusal};

const LONG: Duration = Duration::from_secs(30);

fn info(user_id: &str, cluster: &str, path: &str) -> Message {
    Message::Info(Info {
        user_id: user_id.to_owned(),
        cluster: cluster.to_owned(),
        path: path.to_owned(),
    })
}

fn chunk(bytes: impl Into<Bytes>) -> Message {
    Message::Chunk(bytes.into())
}

fn frames(messages: Vec<Message>) -> impl Stream<Item = UploadRequest> + Send + 'static {
    let frame = |message| UploadRequest {
        message: Some(message),
    };
    stream::iter(messages.into_iter().map(frame))
}

async fn upload(
    zone: &Zone,
    frames: impl Stream<Item = UploadRequest> + Send + 'static,
) -> Result<Response<UploadResponse>, Status> {
    let mut files = zone.files();
    let answer = files.upload(bearing(&zone.ada, frames));
    tokio::time::timeout(LONG, answer)
        .await
        .expect("it answers in time")
}

/// A zone whose home of ada is there.
async fn zone() -> Zone {
    let zone = Zone::new().await;
    let message = GetHomeDirectoryRequest {
        user_id: "ada".to_owned(),
        cluster: "local".to_owned(),
    };
    let answer = zone.files().get_home_directory(bearing(&zone.ada, message)).await;
    answer.expect("a home");
    zone
}

fn names(zone: &Zone) -> Vec<String> {
    let entries = std::fs::read_dir(zone.home(".")).expect("a home").flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_is_there_once_the_answer_says_how_many_bytes_it_has() {
    let zone = zone().await;
    let large: Vec<u8> = (0..3_000_000).map(|i| (i % 251) as u8).collect();
    for (path, chunks) in [
        ("empty", vec![]),
        ("small", vec![b"ab".to_vec(), vec![], b"c".to_vec()]),
        ("large", vec![large.clone(), large]),
        ("small", vec![b"other".to_vec()]),
    ] {
        let content = chunks.concat();
        let chunks = chunks.into_iter().map(chunk);
        let messages = [info("ada", "local", path)].into_iter().chain(chunks).collect();
        let written = upload(&zone, frames(messages)).await.expect("put").into_inner();
        assert_eq!(written.written_bytes, content.len() as u64, "{path}");
        assert!(
            std::fs::read(zone.home(path)).expect("there") == content,
            "{path}"
        );
    }
    assert_eq!(names(&zone), ["empty", "large", "small"]);
}

#[tokio::test]
async fn an_upload_that_is_cut_leaves_what_was_there() {
    let zone = zone().await;
    std::fs::write(zone.home("old"), "old").expect("written");
    for path in ["new", "old"] {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let next =
            |mut receiver: tokio::sync::mpsc::Receiver<_>| async { Some((receiver.recv().await?, receiver)) };
        let mut client = zone.files();
        let mut call = Box::pin(client.upload(bearing(&zone.ada, stream::unfold(receiver, next))));
        let sending = async {
            for message in [info("ada", "local", path)]
                .into_iter()
                .chain((0..32).map(|_| chunk(vec![7; 256 * 1024])))
            {
                let frame = UploadRequest {
                    message: Some(message),
                };
                sender.send(frame).await.expect("taken");
            }
        };
        let early = tokio::time::timeout(LONG, async {
            tokio::select! {
                answer = &mut call => Some(answer),
                () = sending => None,
            }
        });
        assert!(early.await.expect("it goes on").is_none(), "it waits for the end");
        drop(call);
    }
    // Whatever was under way is over once a later upload of the same process is through.
    let messages = vec![info("ada", "local", "last"), chunk("last")];
    upload(&zone, frames(messages)).await.expect("put");
    let settled = testbed::eventually(LONG, async || names(&zone) == ["last", "old"]).await;
    assert!(settled, "{:?}", names(&zone));
    assert_eq!(std::fs::read(zone.home("old")).expect("there"), b"old");
}

#[tokio::test]
async fn what_cannot_be_uploaded_is_refused_and_leaves_nothing() {
    let zone = zone().await;
    std::fs::create_dir(zone.home("folder")).expect("made");
    rustix::fs::mkfifoat(rustix::fs::CWD, zone.home("pipe"), rustix::fs::Mode::RUSR).expect("a named pipe");
    let (long, name) = ("a".repeat(4096), "n".repeat(300));
    let path = Refusal::fields(&["path"]);
    let denied = Refusal::of(Code::PermissionDenied);
    let invalid = Refusal::of(Code::InvalidArgument);
    let good = info("ada", "local", "f");
    let to = |target: &str| vec![info("ada", "local", target), chunk("x")];
    let mut table = vec![
        (vec![], invalid),
        (vec![chunk("x")], Refusal::of(Code::InvalidArgument)),
        (
            vec![good.clone(), good.clone()],
            Refusal::of(Code::InvalidArgument),
        ),
        (
            vec![good.clone(), chunk("x"), good.clone()],
            Refusal::of(Code::InvalidArgument),
        ),
        (vec![info("", "local", "f")], Refusal::fields(&["user_id"])),
        (vec![info("", "", "")], Refusal::fields(&["path", "user_id"])),
        (vec![info("bob", "local", "f")], denied),
        (
            vec![info("root", "local", "f")],
            Refusal::of(Code::PermissionDenied),
        ),
        (vec![info("ada", "hpc01", "f")], Refusal::unknown_cluster()),
        (to("missing/f"), Refusal::of(Code::PermissionDenied)),
    ];
    for target in [
        "",
        "a\0b",
        long.as_str(),
        name.as_str(),
        "folder",
        ".",
        "/",
        "pipe",
        "/dev/null",
    ] {
        let same = Refusal {
            code: path.code,
            fields: path.fields.clone(),
            trailers: path.trailers.clone(),
        };
        table.push((to(target), same));
    }
    let large = (0..21).map(|_| chunk(vec![0; 1 << 20]));
    let large = [good].into_iter().chain(large).collect();
    table.push((large, Refusal::of(Code::ResourceExhausted)));
    for (messages, expected) in table {
        let what = format!("{:?}", messages.first());
        assert_eq!(refusal(upload(&zone, frames(messages)).await), expected, "{what}");
    }
    let empty = stream::iter([UploadRequest { message: None }]);
    assert_eq!(
        refusal(upload(&zone, empty).await),
        Refusal::of(Code::InvalidArgument)
    );
    let first = frames(vec![info("ada", "local", "f")]);
    let then_empty = first.chain(stream::iter([UploadRequest { message: None }]));
    assert_eq!(
        refusal(upload(&zone, then_empty).await),
        Refusal::of(Code::InvalidArgument)
    );
    let settled = testbed::eventually(LONG, async || names(&zone) == ["folder", "pipe"]).await;
    assert!(settled, "{:?}", names(&zone));
    let text = upload(&zone, frames(vec![chunk("x")]))
        .await
        .expect_err("refused");
    assert_eq!(text.message(), "The first message is not file info");
    let nobody = zone.files().upload(bearing("x.y.z", frames(to("f")))).await;
    assert_eq!(refusal(nobody), Refusal::of(Code::Unauthenticated));
}
