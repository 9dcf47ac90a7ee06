//! The same services in JSON: a second way to write the messages of a call, chosen by its content type.
//!
//! What it is for: whoever has no protobuf calls a generated service all the same, with `application/grpc+json`. The
//! messages are protobuf's canonical JSON ("ProtoJSON Format"), found by the descriptors of the methods; the frames
//! around them, metadata, deadlines, compression and status are as in every call. What it leaves to others: the
//! services and clients, which stay the generated ones and see protobuf only.

use std::{
    collections::BTreeMap,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, Request, Response, header::CONTENT_TYPE};
use http_body::{Body as HttpBody, Frame};
use model::ErrorKind;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, prost::Message as _};
use tonic::{Status, body::Body};
use tower::Service;

use crate::{
    Error,
    form::Form,
    framing::{HEAD, framed},
};

/// What JSON needs to know of services: their methods and messages. Clones share it.
#[derive(Clone)]
pub struct Json(Arc<BTreeMap<String, Method>>);

/// The messages of one method.
#[derive(Debug, Clone)]
pub(crate) struct Method {
    pub(crate) asked: MessageDescriptor,
    pub(crate) answered: MessageDescriptor,
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Json")
            .field("methods", &self.0.len())
            .finish_non_exhaustive()
    }
}

impl Json {
    /// Takes an encoded `FileDescriptorSet` with the files of the services and of all that they import.
    ///
    /// # Errors
    /// Invalid when the bytes are none.
    pub fn new(descriptors: &[u8]) -> Result<Self, Error> {
        let pool = DescriptorPool::decode(descriptors).map_err(|fault| Error::Material {
            what: "descriptor set",
            fault: fault.to_string(),
        })?;
        let mut methods = BTreeMap::new();
        for service in pool.services() {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                let (asked, answered) = (method.input(), method.output());
                methods.insert(path, Method { asked, answered });
            }
        }
        Ok(Self(Arc::new(methods)))
    }

    /// Has a generated client's calls go over `channel` in JSON.
    #[must_use]
    pub fn over<S>(&self, channel: S) -> JsonChannel<S> {
        JsonChannel {
            json: self.clone(),
            channel,
        }
    }

    pub(crate) fn method(&self, path: &str) -> Option<&Method> {
        self.0.get(path)
    }
}

/// A channel whose calls go out in JSON; give it to a generated client. [`Json::over`] makes it.
#[derive(Debug, Clone)]
pub struct JsonChannel<S> {
    json: Json,
    channel: S,
}

type Calling<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

impl<S> Service<Request<Body>> for JsonChannel<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Calling<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.channel.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Some(method) = self.json.method(request.uri().path()).cloned() else {
            let text = "the descriptors that this channel was given do not have this method";
            let refused = wire::status(ErrorKind::Unimplemented, text).into_http();
            return Box::pin(async move { Ok(refused) });
        };
        request
            .headers_mut()
            .insert(CONTENT_TYPE, Form::Json.content_type());
        let Method { asked, answered } = method;
        let request = request.map(|body| Translated::body(body, Translator::to_json(asked), Fault::Error));
        let calling = self.channel.call(request);
        Box::pin(async move {
            let response = calling.await?;
            if Form::of(response.headers()) != Some(Form::Json) {
                return Ok(response);
            }
            let translator = Translator::from_json(answered, u32::MAX);
            Ok(response.map(|body| Translated::body(body, translator, Fault::Error)))
        })
    }
}

/// Which way messages are translated.
#[derive(Debug, Clone, Copy)]
enum Way {
    ToJson,
    /// To at most so many bytes.
    FromJson(u32),
}

/// Translates the messages of one body.
pub(crate) struct Translator {
    message: MessageDescriptor,
    way: Way,
    rest: BytesMut,
}

impl Translator {
    pub(crate) fn to_json(message: MessageDescriptor) -> Self {
        Self::new(message, Way::ToJson)
    }

    pub(crate) fn from_json(message: MessageDescriptor, most: u32) -> Self {
        Self::new(message, Way::FromJson(most))
    }

    fn new(message: MessageDescriptor, way: Way) -> Self {
        Self {
            message,
            way,
            rest: BytesMut::new(),
        }
    }

    /// Takes bytes and gives the messages that are whole.
    fn translate(&mut self, data: &[u8]) -> Result<Bytes, Status> {
        self.rest.extend_from_slice(data);
        let mut translated = BytesMut::new();
        while let Some(&[flags, a, b, c, d]) = self.rest.first_chunk::<HEAD>() {
            if flags != 0 {
                let text = "a message is marked as compressed, and its call says nothing of how";
                return Err(wire::status(ErrorKind::Internal, text));
            }
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            if self.rest.len() < HEAD.saturating_add(length) {
                break;
            }
            self.rest.advance(HEAD);
            let one = self.rest.split_to(length).freeze();
            let message = match self.way {
                Way::ToJson => self.written(one)?,
                Way::FromJson(most) => self.read(&one, most)?,
            };
            let length = u32::try_from(message.len()).map_err(|_over_32_bits| too_long())?;
            translated.extend_from_slice(&framed(false, length, &message));
        }
        Ok(translated.freeze())
    }

    /// Tells whether a message is half there.
    fn is_inside(&self) -> bool {
        !self.rest.is_empty()
    }

    fn written(&self, message: Bytes) -> Result<Vec<u8>, Status> {
        let unfit = |error: &dyn fmt::Display| {
            tracing::error!(message = self.message.full_name(), %error, "a message cannot be written as JSON");
            wire::status(ErrorKind::Internal, "")
        };
        let message = DynamicMessage::decode(self.message.clone(), message).map_err(|error| unfit(&error))?;
        serde_json::to_vec(&message).map_err(|error| unfit(&error))
    }

    fn read(&self, text: &[u8], most: u32) -> Result<Vec<u8>, Status> {
        // The reader's own words would repeat a value.
        let unfit = |error: &serde_json::Error| {
            let name = self.message.full_name();
            let (line, column) = (error.line(), error.column());
            wire::status(
                ErrorKind::Invalid,
                format!(
                    "a message is not the JSON form of {name}, at line {line}, column {column}: write one \
                     object with the fields of that message by their names"
                ),
            )
        };
        let mut reader = serde_json::Deserializer::from_slice(text);
        let message = DynamicMessage::deserialize(self.message.clone(), &mut reader);
        let message = message.map_err(|error| unfit(&error))?;
        reader.end().map_err(|error| unfit(&error))?;
        if message.encoded_len() > usize::try_from(most).unwrap_or(usize::MAX) {
            return Err(too_long());
        }
        Ok(message.encode_to_vec())
    }
}

fn too_long() -> Status {
    wire::status(ErrorKind::Exhausted, "a message in JSON is over the limit")
}

/// What becomes of a message that cannot be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The body ends in an error.
    Error,
    /// The body ends with the status in its trailers.
    Trailers,
}

/// A body whose messages come out in the other form.
pub(crate) struct Translated {
    /// Nothing once it has ended.
    body: Option<Body>,
    translator: Translator,
    fault: Fault,
}

impl Translated {
    pub(crate) fn body(body: Body, translator: Translator, fault: Fault) -> Body {
        Body::new(Self {
            body: Some(body),
            translator,
            fault,
        })
    }
}

impl HttpBody for Translated {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let translated = &mut *self;
        loop {
            let Some(body) = &mut translated.body else {
                return Poll::Ready(None);
            };
            let frame = ready!(Pin::new(body).poll_frame(cx)).transpose();
            let status = match frame.map(|frame| frame.map(Frame::into_data)) {
                Err(status) => status,
                Ok(Some(Ok(data))) => match translated.translator.translate(&data) {
                    Ok(messages) if messages.is_empty() => continue,
                    Ok(messages) => return Poll::Ready(Some(Ok(Frame::data(messages)))),
                    Err(status) => status,
                },
                Ok(Some(Err(_)) | None) if translated.translator.is_inside() => {
                    wire::status(ErrorKind::Internal, "")
                }
                Ok(Some(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Ok(None) => {
                    translated.body = None;
                    return Poll::Ready(None);
                }
            };
            translated.body = None;
            let mut trailers = HeaderMap::new();
            return Poll::Ready(Some(match translated.fault {
                Fault::Error => Err(status),
                Fault::Trailers => status
                    .add_header(&mut trailers)
                    .map(|()| Frame::trailers(trailers)),
            }));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

#[cfg(test)]
mod tests;
