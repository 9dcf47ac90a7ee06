//! Fetching a file through the file door.
//!
//! What it leaves to others: who may read it (the server).

use wire::{
    scow::portal::{DownloadRequest, file_service_client::FileServiceClient},
    soke::v1::Job,
};

use crate::{
    Error,
    args::Get,
    client::{Client, Surroundings},
    jobs::newest,
    terminal::pass_on,
};

/// The cluster whose nodes run the zone's own jobs.
const OWN_CLUSTER: &str = "local";

/// Writes a file to standard output.
pub(crate) async fn get(surroundings: &Surroundings, which: &Get) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let job: Option<Job> = newest(&client).await?;
    let cluster = job.map_or_else(|| OWN_CLUSTER.to_owned(), |job| job.cluster);
    download(&client, &cluster, &which.path, |bytes| pass_on(bytes, false)).await
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
