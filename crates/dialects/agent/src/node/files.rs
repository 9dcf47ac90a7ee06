//! `FileAgentService`: the files of a user on this machine, for the zone's server.
//!
//! What it leaves to others: the reading as that user (`files::LocalNode`).

use std::sync::Arc;

use bytes::Bytes;
use confine::Account;
use files::{Entry, EntryKind, Error, FilePath, OnNode, Why};
use futures::{StreamExt as _, stream};
use model::ErrorKind;
use tonic::{Request, Response, Status, Streaming, codegen::BoxStream, service::RoutesBuilder};
use wire::{
    FieldFaults,
    soke::agent::v1::{
        self, FileRefusal,
        file_agent_service_server::{FileAgentService, FileAgentServiceServer},
        find_home_response, read_file_response, write_file_request,
    },
};

use crate::account;

/// Adds the files of users on this machine to what it does for its zone.
pub fn add_files(services: &mut RoutesBuilder, node: Arc<dyn OnNode>) {
    services.add_service(FileAgentServiceServer::new(Files { node }));
}

struct Files {
    node: Arc<dyn OnNode>,
}

/// What the user's process refuses is an answer; everything else is a status, whose text the server passes on.
fn refusal(error: &Error) -> Result<FileRefusal, Status> {
    if let Error::Unfit { reason } = error {
        return Err(wire::status(ErrorKind::Precondition, reason.as_str()));
    }
    let Error::Refused { why } = error else {
        tracing::info!(
            error = model::chain(error),
            "a user's files could not be read or written"
        );
        return Err(wire::status(error.kind(), error.to_string()));
    };
    Ok(match why {
        Why::NotFound => FileRefusal::NotFound,
        Why::Denied => FileRefusal::Denied,
        Why::NotAFolder => FileRefusal::NotAFolder,
        Why::NotAFile => FileRefusal::NotAFile,
        Why::BadPath => FileRefusal::BadPath,
        Why::Busy => FileRefusal::Busy,
        Why::NotWritable => FileRefusal::NotWritable,
        Why::Full => FileRefusal::Full,
        Why::NotKept => FileRefusal::NotKept,
        Why::Broken => FileRefusal::Broken,
    })
}

fn place(account: Option<v1::Account>, path: &str) -> Result<(Account, FilePath), Status> {
    let mut faults = FieldFaults::new();
    let account = account::decode(account, &mut faults);
    let path = FilePath::new(path);
    if let Err(fault) = &path {
        faults.add("path", fault.to_string(), files::BadPath::wanted());
    }
    match (account, path) {
        (Some(account), Ok(path)) => Ok((account, path)),
        _ => Err(faults.into_status()),
    }
}

#[tonic::async_trait]
impl FileAgentService for Files {
    async fn find_home(
        &self,
        request: Request<v1::FindHomeRequest>,
    ) -> Result<Response<v1::FindHomeResponse>, Status> {
        let mut faults = FieldFaults::new();
        let account = account::decode(request.into_inner().account, &mut faults);
        let account = account.ok_or_else(|| faults.into_status())?;
        let found = match self.node.home(&account).await {
            Ok(path) => find_home_response::Found::Path(path),
            Err(error) => find_home_response::Found::Refused(refusal(&error)?.into()),
        };
        Ok(Response::new(v1::FindHomeResponse { found: Some(found) }))
    }

    async fn read_folder(
        &self,
        request: Request<v1::ReadFolderRequest>,
    ) -> Result<Response<BoxStream<v1::ReadFolderResponse>>, Status> {
        let message = request.into_inner();
        let (account, path) = place(message.account, &message.path)?;
        let page = |page: Result<Vec<Entry>, Error>| {
            Ok(match page {
                Ok(entries) => v1::ReadFolderResponse {
                    entries: entries.into_iter().map(entry).collect(),
                    refused: None,
                },
                Err(error) => v1::ReadFolderResponse {
                    entries: Vec::new(),
                    refused: Some(refusal(&error)?.into()),
                },
            })
        };
        Ok(Response::new(self.node.list(&account, &path).map(page).boxed()))
    }

    async fn read_file(
        &self,
        request: Request<v1::ReadFileRequest>,
    ) -> Result<Response<BoxStream<v1::ReadFileResponse>>, Status> {
        let message = request.into_inner();
        let (account, path) = place(message.account, &message.path)?;
        let chunk = |chunk: Result<Bytes, Error>| {
            let given = match chunk {
                Ok(chunk) => read_file_response::Given::Chunk(chunk),
                Err(error) => read_file_response::Given::Refused(refusal(&error)?.into()),
            };
            Ok(v1::ReadFileResponse { given: Some(given) })
        };
        let chunks = self.node.read(&account, &path, message.offset);
        Ok(Response::new(chunks.map(chunk).boxed()))
    }

    async fn write_file(
        &self,
        request: Request<Streaming<v1::WriteFileRequest>>,
    ) -> Result<Response<v1::WriteFileResponse>, Status> {
        let mut steps = request.into_inner();
        let first = steps.message().await?.and_then(|first| first.step);
        let Some(write_file_request::Step::Opening(opening)) = first else {
            return Err(wire::status(ErrorKind::Invalid, "the first step is the opening"));
        };
        let (account, path) = place(opening.account, &opening.path)?;
        let refused = match self.node.write(&account, &path, bytes(steps)).await {
            Ok(()) => None,
            Err(error) => Some(refusal(&error)?.into()),
        };
        Ok(Response::new(v1::WriteFileResponse { refused }))
    }
}

/// The bytes of a file until its end is said. Where the server goes away, or says anything else, it has not come whole.
fn bytes(steps: Streaming<v1::WriteFileRequest>) -> files::Stream<Bytes> {
    let next = |mut steps: Streaming<v1::WriteFileRequest>| async move {
        let cut = |kind: ErrorKind, text: &str| Error::Sender {
            kind,
            text: text.to_owned(),
        };
        match steps.message().await {
            Ok(Some(step)) => match step.step {
                Some(write_file_request::Step::Chunk(chunk)) => Ok(Some((chunk, steps))),
                Some(write_file_request::Step::End(_)) => Ok(None),
                Some(write_file_request::Step::Opening(_)) | None => {
                    Err(cut(ErrorKind::Invalid, "a step is neither bytes nor the end"))
                }
            },
            Ok(None) => Err(cut(ErrorKind::Unavailable, "the file has not come whole")),
            Err(status) => Err(cut(ErrorKind::Unavailable, status.message())),
        }
    };
    stream::try_unfold(steps, next).boxed()
}

fn entry(entry: Entry) -> v1::FolderEntry {
    let kind = match entry.kind {
        EntryKind::Folder => v1::folder_entry::Kind::Folder,
        EntryKind::File => v1::folder_entry::Kind::File,
        EntryKind::Link => v1::folder_entry::Kind::Link,
        EntryKind::Special => v1::folder_entry::Kind::Special,
    };
    v1::FolderEntry {
        name: entry.name,
        kind: kind.into(),
        modified_micros: entry.modified_at.micros(),
        mode: entry.mode,
        size: entry.size,
    }
}
