//! Fetching and putting files through the file door.
//!
//! What it leaves to others: who may read and write them (the server).

use std::{
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::json;
use tokio::{fs::File, io::AsyncReadExt as _, sync::oneshot};
use wire::{
    scow::portal::{
        DownloadRequest, UploadRequest, UploadResponse,
        file_service_client::FileServiceClient,
        upload_request::{Info, Message},
    },
    soke::v1::Job,
};

use crate::{
    Error,
    args::{Get, Put},
    client::{Client, Surroundings},
    jobs::newest,
    terminal::{pass_on, say},
};

/// The cluster whose nodes run the zone's own jobs.
pub(crate) const OWN_CLUSTER: &str = "local";
/// The bytes of one frame of an upload.
const FRAME: usize = 256 * 1024;

/// Writes a file to standard output.
pub(crate) async fn get(surroundings: &Surroundings, which: &Get) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let cluster = cluster(&client).await?;
    download(&client, &cluster, &which.path, |bytes| pass_on(bytes, false)).await
}

/// Puts a file of this machine into the zone.
pub(crate) async fn put(surroundings: &Surroundings, what: &Put) -> Result<(), Error> {
    let path = target(what)?;
    // Before the zone is asked for anything: a file that is not there is the caller's own affair.
    let place = PathBuf::from(&what.file);
    let file = match what.file.as_str() {
        // By its number: whoever runs this need not have the right to open it by a name.
        "-" => File::from_std(std::io::stdin().as_fd().try_clone_to_owned()?.into()),
        _ => File::open(&place).await.map_err(unreadable(&place))?,
    };
    let client = Client::open(surroundings).await?;
    let info = Info {
        user_id: client.user_name().await.ok_or(Error::NotSignedIn)?,
        cluster: cluster(&client).await?,
        path,
    };
    let path = info.path.clone();
    let written = upload(&client, info, file, &place).await?.written_bytes;
    if what.json {
        say(json!({ "path": path, "written_bytes": written }))
    } else {
        say(format_args!("{path}: {written} bytes"))
    }
}

/// Where the file goes: a name of its own unless a path was given.
fn target(what: &Put) -> Result<String, Error> {
    if let Some(path) = &what.path {
        return Ok(path.clone());
    }
    let name = Path::new(&what.file).file_name().and_then(|name| name.to_str());
    match name {
        Some(name) if what.file != "-" => Ok(name.to_owned()),
        Some(_) | None => Err(Error::Usage {
            what: "the file has no name to take in the zone".to_owned(),
            want: "soke put FILE PATH".to_owned(),
        }),
    }
}

fn unreadable(place: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = place.to_owned();
    move |source| Error::File { path, source }
}

async fn cluster(client: &Client) -> Result<String, Error> {
    let job: Option<Job> = newest(client).await?;
    Ok(job.map_or_else(|| OWN_CLUSTER.to_owned(), |job| job.cluster))
}

/// Sends a whole file. One that cannot be read to its end gives the call up, so that nothing of it is there.
async fn upload(client: &Client, info: Info, file: File, place: &Path) -> Result<UploadResponse, Error> {
    let frame = |message| UploadRequest {
        message: Some(message),
    };
    let (cut, was_cut) = oneshot::channel();
    let next = move |(mut file, cut): (File, oneshot::Sender<std::io::Error>)| async move {
        let mut bytes = vec![0; FRAME];
        match file.read(&mut bytes).await {
            Ok(0) => None,
            Ok(length) => {
                bytes.truncate(length);
                Some((frame(Message::Chunk(Bytes::from(bytes))), (file, cut)))
            }
            Err(error) => {
                // Whoever would hear it has given the call up already.
                drop(cut.send(error));
                std::future::pending().await
            }
        }
    };
    let frames = stream::iter([frame(Message::Info(info))]).chain(stream::unfold((file, cut), next));
    let mut files = FileServiceClient::new(client.channel());
    tokio::select! {
        biased;
        Ok(error) = was_cut => Err(unreadable(place)(error)),
        answer = client.call(frames, |request| files.upload(request)) => answer,
    }
}

/// Fetches a file of the caller and hands on its bytes in order.
pub(crate) async fn download(
    client: &Client,
    cluster: &str,
    path: &str,
    mut take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let message = DownloadRequest {
        user_id: client.user_name().await.ok_or(Error::NotSignedIn)?,
        cluster: cluster.to_owned(),
        path: path.to_owned(),
    };
    let mut files = FileServiceClient::new(client.channel());
    let mut parts = client.call(message, |request| files.download(request)).await?;
    while let Some(part) = parts.message().await.map_err(|status| client.refused(&status))? {
        take(&part.chunk)?;
    }
    Ok(())
}
