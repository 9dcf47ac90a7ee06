//! `scow.portal.FileService`: the home, folders, and files to download and upload.
//!
//! What it leaves to others: everything done with a file (`files`). The calls that are not written here answer
//! UNIMPLEMENTED. `update_access_time` is taken and changes nothing, as on SCOW's clusters with its own daemon.

use files::{Entry, EntryKind, FilePath};
use futures::{StreamExt as _, TryStreamExt as _};
use model::ErrorKind;
use prost::Message as _;
use tonic::{Request, Response, Status, Streaming, codegen::BoxStream};
use wire::{
    FieldFaults,
    scow::portal::{
        DownloadRequest, DownloadResponse, FileInfo, GetHomeDirectoryRequest, GetHomeDirectoryResponse,
        ReadDirectoryRequest, ReadDirectoryResponse, UploadRequest, UploadResponse, file_info::FileType,
        file_service_server::FileService,
    },
};

use crate::{MOST_ANSWER, fault, for_whom::Callers, text, upload};

/// Serves the file calls.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) callers: Callers,
    pub(crate) files: files::Handle,
}

#[tonic::async_trait]
impl FileService for Files {
    async fn get_home_directory(
        &self,
        request: Request<GetHomeDirectoryRequest>,
    ) -> Result<Response<GetHomeDirectoryResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let GetHomeDirectoryRequest { user_id, cluster } = message;
        let caller = self
            .callers
            .caller::<files::Home>(&metadata, &extensions, &user_id);
        let (permit, ()) = self.callers.check(caller.await?, &user_id, &cluster, Ok(()))?;
        let path = self.files.home(&permit).await.map_err(fault::file_or_folder)?;
        Ok(Response::new(GetHomeDirectoryResponse { path }))
    }

    async fn read_directory(
        &self,
        request: Request<ReadDirectoryRequest>,
    ) -> Result<Response<ReadDirectoryResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let (user_id, cluster) = (&message.user_id, &message.cluster);
        let caller = self
            .callers
            .caller::<files::List>(&metadata, &extensions, user_id);
        let path = path(&message.path);
        let (permit, path) = self.callers.check(caller.await?, user_id, cluster, path)?;
        let pages = self.files.list(&permit, &path).map_err(fault::folder);
        Ok(Response::new(collect(pages.boxed()).await?))
    }

    async fn download(
        &self,
        request: Request<DownloadRequest>,
    ) -> Result<Response<BoxStream<DownloadResponse>>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let (user_id, cluster) = (&message.user_id, &message.cluster);
        let caller = self
            .callers
            .caller::<files::Read>(&metadata, &extensions, user_id);
        let path = path(&message.path);
        let (permit, path) = self.callers.check(caller.await?, user_id, cluster, path)?;
        let chunks = self.files.read(&permit, &path, 0);
        let frames = chunks.map(|chunk| {
            let chunk = chunk.map_err(fault::file)?;
            Ok(DownloadResponse { chunk })
        });
        Ok(Response::new(frames.boxed()))
    }

    async fn upload(
        &self,
        request: Request<Streaming<UploadRequest>>,
    ) -> Result<Response<UploadResponse>, Status> {
        let (metadata, extensions, mut frames) = request.into_parts();
        let opening = upload::opening(&mut frames).await;
        let user_id = opening.as_ref().map_or("", |info| &info.user_id);
        let caller = self
            .callers
            .caller::<files::Write>(&metadata, &extensions, user_id);
        // What is wrong with the frame is told only to those who may ask.
        let (caller, info) = (caller.await?, opening?);
        let path = path(&info.path);
        let (permit, path) = self.callers.check(caller, &info.user_id, &info.cluster, path)?;
        let written = self.files.write(permit, &path, upload::bytes(frames)).await;
        let written_bytes = written.map_err(fault::file)?;
        Ok(Response::new(UploadResponse { written_bytes }))
    }
}

fn path(text: &str) -> Result<FilePath, FieldFaults> {
    FilePath::new(text).map_err(|wrong| {
        let mut faults = FieldFaults::new();
        faults.add("path", wrong.to_string(), files::BadPath::wanted());
        faults
    })
}

/// Puts the pages into one answer, by name, as long as it can be received.
async fn collect(mut pages: BoxStream<Vec<Entry>>) -> Result<ReadDirectoryResponse, Status> {
    let (mut results, mut length) = (Vec::new(), 0);
    while let Some(page) = pages.try_next().await? {
        for entry in page {
            let entry = encode(&entry);
            // One more for the field's key, four for the length.
            length += entry.encoded_len() + 5;
            if length > MOST_ANSWER {
                let text = "the folder holds more entries than fit into one answer (4 MiB)";
                return Err(wire::status(ErrorKind::Exhausted, text));
            }
            results.push(entry);
        }
    }
    results.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(ReadDirectoryResponse { results })
}

fn encode(entry: &Entry) -> FileInfo {
    let kind = match entry.kind {
        EntryKind::Folder => FileType::Dir,
        EntryKind::File | EntryKind::Link | EntryKind::Special => FileType::File,
    };
    FileInfo {
        name: entry.shown_name(),
        r#type: kind.into(),
        mtime: text::instant(entry.modified_at),
        mode: entry.mode,
        size: entry.size,
    }
}

#[cfg(test)]
mod tests {
    use files::{Entry, EntryKind};
    use futures::StreamExt as _;
    use model::Timestamp;
    use prost::Message as _;
    use tonic::Code;

    use super::{MOST_ANSWER, collect};

    /// Pages of a thousand entries with names of 200 bytes.
    fn pages(count: usize) -> tonic::codegen::BoxStream<Vec<Entry>> {
        let page = move |page: usize| {
            let entry = |number: usize| Entry {
                name: format!("{:0>200}", page * 1000 + number).into_bytes(),
                kind: EntryKind::File,
                modified_at: Timestamp::from_secs(1_700_000_000),
                mode: 0o100_644,
                size: 1 << 40,
            };
            Ok((0..1000).map(entry).collect())
        };
        futures::stream::iter((0..count).map(page)).boxed()
    }

    #[tokio::test]
    async fn an_answer_is_never_longer_than_clients_take() {
        let whole = collect(pages(15)).await.expect("it fits");
        assert_eq!(whole.results.len(), 15_000);
        assert!((MOST_ANSWER / 2..=MOST_ANSWER).contains(&whole.encoded_len()));
        let refused = collect(pages(20)).await.expect_err("it does not fit");
        assert_eq!(refused.code(), Code::ResourceExhausted);
    }
}
