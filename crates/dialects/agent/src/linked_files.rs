//! The files of users on one machine of the zone, read and written over its link.
//!
//! What it leaves to others: who may ask (`files`), and the work itself (`node::files` on the machine).

use bytes::Bytes;
use confine::Account;
use files::{Entry, EntryKind, Error, FilePath, OnNode, Stream, Why};
use futures::{StreamExt as _, future::BoxFuture, stream};
use model::{ErrorKind, Timestamp};
use rpc::link::Reach;
use tokio::sync::oneshot;
use tonic::Status;
use wire::soke::agent::v1::{
    self, FileRefusal, file_agent_service_client::FileAgentServiceClient, find_home_response,
    read_file_response, write_file_request::Step,
};

use crate::{Machines, account};

/// The most bytes of one step of a file on its way.
const MOST_STEP: usize = 256 * 1024;

/// Reads and writes the files that lie on the machine of the zone itself.
#[derive(Clone)]
pub struct LinkedFiles {
    nodes: nodes::Handle,
    machines: Machines,
}

impl LinkedFiles {
    /// Reaches the zone's own machine, from the moment on at which that is one.
    #[must_use]
    pub const fn new(nodes: nodes::Handle, machines: Machines) -> Self {
        Self { nodes, machines }
    }

    fn client(&self) -> Result<FileAgentServiceClient<Reach>, Error> {
        let own = self.nodes.own().ok_or_else(|| Error::Away {
            kind: ErrorKind::Unavailable,
            text: "the zone's own machine is not up yet: try again".to_owned(),
        })?;
        Ok(FileAgentServiceClient::new(self.machines.reach(own)))
    }
}

/// What a call that failed means: the node's own words, or that it cannot be asked.
fn failed(status: &Status) -> Error {
    let kind = wire::kind(status.code()).unwrap_or(ErrorKind::Internal);
    let text = status.message().to_owned();
    match kind {
        ErrorKind::Precondition => Error::Unfit { reason: text },
        ErrorKind::Exhausted => Error::Busy,
        ErrorKind::Deadline => Error::Stalled,
        ErrorKind::Invalid
        | ErrorKind::Unauthenticated
        | ErrorKind::Denied
        | ErrorKind::NotFound
        | ErrorKind::Exists
        | ErrorKind::Conflict
        | ErrorKind::Unavailable
        | ErrorKind::Unimplemented
        | ErrorKind::Internal => Error::Away { kind, text },
    }
}

fn refused(refusal: FileRefusal) -> Error {
    let why = match refusal {
        FileRefusal::NotFound => Why::NotFound,
        FileRefusal::Denied => Why::Denied,
        FileRefusal::NotAFolder => Why::NotAFolder,
        FileRefusal::NotAFile => Why::NotAFile,
        FileRefusal::BadPath => Why::BadPath,
        FileRefusal::Busy => Why::Busy,
        FileRefusal::NotWritable => Why::NotWritable,
        FileRefusal::Full => Why::Full,
        FileRefusal::NotKept => Why::NotKept,
        FileRefusal::Broken | FileRefusal::Unspecified => Why::Broken,
    };
    Error::Refused { why }
}

/// The answers of a call, with what goes wrong in the slice's words.
fn answers<T: Send + 'static>(
    opened: impl Future<Output = Result<tonic::Response<tonic::Streaming<T>>, Status>> + Send + 'static,
) -> Stream<T> {
    let parts = stream::once(opened).flat_map(|opened| match opened {
        Ok(answers) => answers.into_inner().boxed(),
        Err(status) => stream::iter([Err(status)]).boxed(),
    });
    parts.map(|part| part.map_err(|status| failed(&status))).boxed()
}

fn never<T: Send + 'static>(error: Error) -> Stream<T> {
    stream::iter([Err(error)]).boxed()
}

impl OnNode for LinkedFiles {
    fn home(&self, account: &Account) -> BoxFuture<'static, Result<String, Error>> {
        let (client, account) = (self.client(), account::encode(account));
        Box::pin(async move {
            let request = v1::FindHomeRequest {
                account: Some(account),
            };
            let answer = client?
                .find_home(request)
                .await
                .map_err(|status| failed(&status))?;
            match answer.into_inner().found {
                Some(find_home_response::Found::Path(path)) => Ok(path),
                Some(find_home_response::Found::Refused(refusal)) => {
                    Err(refused(FileRefusal::try_from(refusal).unwrap_or_default()))
                }
                None => Err(Error::Lost),
            }
        })
    }

    fn list(&self, account: &Account, path: &FilePath) -> Stream<Vec<Entry>> {
        let mut client = match self.client() {
            Ok(client) => client,
            Err(error) => return never(error),
        };
        let request = v1::ReadFolderRequest {
            account: Some(account::encode(account)),
            path: path.as_str().to_owned(),
        };
        let pages = answers(async move { client.read_folder(request).await });
        let page = |answer: Result<v1::ReadFolderResponse, Error>| {
            let answer = answer?;
            if answer.refused.is_some() {
                return Err(refused(answer.refused()));
            }
            let entries = answer.entries.into_iter().map(entry);
            entries.collect::<Option<Vec<Entry>>>().ok_or(Error::Lost)
        };
        pages.map(page).boxed()
    }

    fn read(&self, account: &Account, path: &FilePath, offset: u64) -> Stream<Bytes> {
        let mut client = match self.client() {
            Ok(client) => client,
            Err(error) => return never(error),
        };
        let request = v1::ReadFileRequest {
            account: Some(account::encode(account)),
            path: path.as_str().to_owned(),
            offset,
        };
        let chunks = answers(async move { client.read_file(request).await });
        let chunk = |answer: Result<v1::ReadFileResponse, Error>| match answer?.given {
            Some(read_file_response::Given::Chunk(chunk)) => Ok(chunk),
            Some(read_file_response::Given::Refused(refusal)) => {
                Err(refused(FileRefusal::try_from(refusal).unwrap_or_default()))
            }
            None => Err(Error::Lost),
        };
        chunks.map(chunk).boxed()
    }

    fn write(
        &self,
        account: &Account,
        path: &FilePath,
        chunks: Stream<Bytes>,
    ) -> BoxFuture<'static, Result<(), Error>> {
        let client = self.client();
        let opening = v1::WriteFileRequest {
            step: Some(Step::Opening(v1::WriteFileOpening {
                account: Some(account::encode(account)),
                path: path.as_str().to_owned(),
            })),
        };
        Box::pin(async move {
            let (cut, was_cut) = oneshot::channel();
            let sending = Sending {
                chunks,
                rest: Bytes::new(),
                cut,
            };
            let next = |sending: Option<Sending>| async { sending?.next().await };
            let steps = stream::iter([opening]).chain(stream::unfold(Some(sending), next));
            let mut client = client?;
            let answer = tokio::select! {
                biased;
                Ok(error) = was_cut => return Err(error),
                answer = client.write_file(steps) => answer.map_err(|status| failed(&status))?.into_inner(),
            };
            match answer.refused {
                Some(_) => Err(refused(answer.refused())),
                None => Ok(()),
            }
        })
    }
}

/// A file on its way to the node, step by step.
struct Sending {
    chunks: Stream<Bytes>,
    /// What is left of a chunk that is larger than a step.
    rest: Bytes,
    /// Takes the error of the chunks; what was sent then stays without an end, and the call is given up.
    cut: oneshot::Sender<Error>,
}

impl Sending {
    async fn next(mut self) -> Option<(v1::WriteFileRequest, Option<Self>)> {
        let step = |step| v1::WriteFileRequest { step: Some(step) };
        while self.rest.is_empty() {
            match self.chunks.next().await {
                Some(Ok(chunk)) => self.rest = chunk,
                Some(Err(error)) => {
                    // Nobody hears it where the call was given up already.
                    self.cut.send(error).unwrap_or_default();
                    return std::future::pending().await;
                }
                None => return Some((step(Step::End(v1::WriteFileEnd {})), None)),
            }
        }
        let part = self.rest.split_to(self.rest.len().min(MOST_STEP));
        Some((step(Step::Chunk(part)), Some(self)))
    }
}

/// An entry out of its message; none for a sort that this release does not know.
fn entry(message: v1::FolderEntry) -> Option<Entry> {
    let kind = match message.kind() {
        v1::folder_entry::Kind::Folder => EntryKind::Folder,
        v1::folder_entry::Kind::File => EntryKind::File,
        v1::folder_entry::Kind::Link => EntryKind::Link,
        v1::folder_entry::Kind::Special => EntryKind::Special,
        v1::folder_entry::Kind::Unspecified => return None,
    };
    Some(Entry {
        name: message.name,
        kind,
        modified_at: Timestamp::from_micros(message.modified_micros),
        mode: message.mode,
        size: message.size,
    })
}
