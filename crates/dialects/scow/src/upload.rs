//! The frames of `Upload` as the opening and the bytes of a file.
//!
//! What it leaves to others: putting the file there (`files`). SCOW's own server writes in place, so that a cut upload
//! leaves half a file; here it leaves what was there before.

use bytes::Bytes;
use files::Error;
use futures::{StreamExt as _, stream};
use model::ErrorKind;
use tonic::{Status, Streaming};
use wire::scow::portal::{
    UploadRequest,
    upload_request::{Info, Message},
};

/// The first frame, which says where the file goes. SCOW's own words where it is another one.
pub(crate) async fn opening(frames: &mut Streaming<UploadRequest>) -> Result<Info, Status> {
    match frames.message().await?.and_then(|frame| frame.message) {
        Some(Message::Info(info)) => Ok(info),
        Some(Message::Chunk(_)) | None => Err(wire::status(
            ErrorKind::Invalid,
            "The first message is not file info",
        )),
    }
}

/// What all other frames hold, until the client has no more.
pub(crate) fn bytes(frames: Streaming<UploadRequest>) -> files::Stream<Bytes> {
    let next = |mut frames: Streaming<UploadRequest>| async move {
        match frames.message().await {
            Ok(Some(frame)) => match frame.message {
                Some(Message::Chunk(chunk)) => Ok(Some((chunk, frames))),
                Some(Message::Info(_)) => Err(wrong("a frame after the first one is file info again")),
                None => Err(wrong("a frame is empty")),
            },
            Ok(None) => Ok(None),
            Err(status) => Err(Error::Sender {
                kind: wire::kind(status.code()).unwrap_or(ErrorKind::Unavailable),
                text: format!("the file has not come whole: {}", status.message()),
            }),
        }
    };
    stream::try_unfold(frames, next).boxed()
}

fn wrong(what: &str) -> Error {
    Error::Sender {
        kind: ErrorKind::Invalid,
        text: format!("{what}: every frame after the first one is a chunk"),
    }
}
