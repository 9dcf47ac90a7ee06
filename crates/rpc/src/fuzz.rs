//! What strangers' bytes reach before anybody knows who they are, each as one function of bytes.
//!
//! What it is for: the tests beside it, and `make fuzz`, which searches for new paths by coverage; no other build has
//! it. Each function holds what it looks at to a second, simpler reading, and panics where the two differ. What it
//! leaves to others: where inputs come from.

mod text;

use std::{
    pin::{Pin, pin},
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker},
};

use bytes::{Buf as _, Bytes, BytesMut};
use futures::Stream as _;
use http_body::{Body as HttpBody, Frame};
use tonic::{
    Status, Streaming,
    body::Body,
    codec::{DecodeBuf, Decoder},
};

use crate::{
    Call, CallLimits, Json,
    body::Incoming,
    framing::{HEAD, Messages, Refusal, framed},
    gzip,
    held::Allowance,
    json::{Fault, Translated, Translator},
    strict::{Follower, Switch},
    unpacker::Unpacker,
};

pub use text::{metadata, status, timeout};

/// A function of bytes, under the name of its folder in `fuzz/corpus`.
pub type Target = (&'static str, fn(&[u8]));

/// Every function of bytes that there is.
pub const TARGETS: [Target; 6] = [
    ("frames", frames),
    ("http1", http1),
    ("json", json),
    ("timeout", timeout),
    ("metadata", metadata),
    ("status", status),
];

/// Length-prefixed messages: limit, compression and cuts from the first four bytes, the body behind them.
///
/// Whatever way the body is cut, the same messages come out, or the same refusal.
pub fn frames(input: &[u8]) {
    let [options, cut, a, b, body @ ..] = input else {
        return;
    };
    let most = u32::from(u16::from_be_bytes([*a, *b]));
    let packed = options & 1 == 1;
    let cut = usize::from(*cut) + 1;
    let (messages, end) = read_plainly(body, most, packed);
    let mut cuts = Messages::new(most, packed, Allowance::new(usize::MAX));
    let (came, refused) = pieces(&mut cuts, body, cut);
    assert_eq!(refused, end.refusal(), "cut at {cut}");
    assert_eq!(refused.is_none() && cuts.is_inside(), end == End::Inside);
    let whole: Vec<u8> = messages.iter().flat_map(Message::framed).collect();
    assert!(came.starts_with(&whole), "cut at {cut}");
    assert!(end != End::Whole || came.len() == whole.len(), "cut at {cut}");
    // The library refuses what is marked as compressed and was not announced so, and every other mark.
    let sound = messages.iter().take_while(|message| message.mark == 0);
    let sound: Vec<Bytes> = sound.map(|message| message.bytes.clone()).collect();
    let ends_well = end == End::Whole && sound.len() == messages.len();
    assert_eq!(
        decode(body, cut, most, packed),
        (sound, ends_well),
        "cut at {cut}"
    );
}

/// A message as it goes on to the decoder.
struct Message {
    mark: u8,
    bytes: Bytes,
}

impl Message {
    fn framed(&self) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).expect("within the limit of this input");
        let mut framed = vec![self.mark];
        framed.extend(length.to_be_bytes());
        framed.extend(&self.bytes);
        framed
    }
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Inside,
    Refused(Refusal),
}

impl End {
    const fn refusal(self) -> Option<Refusal> {
        match self {
            End::Refused(refusal) => Some(refusal),
            End::Whole | End::Inside => None,
        }
    }
}

/// The messages of a body that is there as a whole.
fn read_plainly(mut body: &[u8], most: u32, packed: bool) -> (Vec<Message>, End) {
    let mut messages = Vec::new();
    while let Some((&[mark, a, b, c, d], rest)) = body.split_first_chunk::<HEAD>() {
        let length = u32::from_be_bytes([a, b, c, d]);
        if length > most {
            return (messages, End::Refused(Refusal::Long(length)));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some((bytes, rest)) = rest.split_at_checked(length) else {
            return (messages, End::Inside);
        };
        let message = match (mark, packed) {
            (1, true) => gzip::unpack(bytes, most).map(|bytes| (0, Bytes::from(bytes))),
            _ => Ok((mark, Bytes::copy_from_slice(bytes))),
        };
        match message {
            Ok((mark, bytes)) => messages.push(Message { mark, bytes }),
            Err(gzip::Fault::Long) => return (messages, End::Refused(Refusal::LongUnpacked)),
            Err(gzip::Fault::Malformed) => return (messages, End::Refused(Refusal::Malformed)),
        }
        body = rest;
    }
    let end = if body.is_empty() { End::Whole } else { End::Inside };
    (messages, end)
}

/// What comes out of a body in steps of `cut`, and why no more does.
fn pieces(messages: &mut Messages, body: &[u8], cut: usize) -> (Vec<u8>, Option<Refusal>) {
    let mut came = Vec::new();
    for data in body.chunks(cut) {
        messages.feed(Bytes::copy_from_slice(data));
        loop {
            match messages.next() {
                Ok(Some(piece)) => came.extend(&piece),
                Ok(None) => break,
                Err(refusal) => return (came, Some(refusal)),
            }
        }
    }
    (came, None)
}

/// The messages that a handler would see, and whether its stream ends well.
fn decode(body: &[u8], cut: usize, most: u32, packed: bool) -> (Vec<Bytes>, bool) {
    let parts = Parts(body.chunks(cut).map(Bytes::copy_from_slice).collect());
    let messages = Messages::new(most, packed, Allowance::new(usize::MAX));
    let limits = CallLimits {
        message_bytes: most,
        ..CallLimits::default()
    };
    let call = Call::new(None, None);
    let incoming = Incoming::new(Body::new(parts), &limits, messages, Unpacker::default(), call);
    let mut stream = pin!(Streaming::new_request(Whole, incoming, None, None));
    let mut cx = Context::from_waker(Waker::noop());
    let mut seen = Vec::new();
    loop {
        match stream.as_mut().poll_next(&mut cx) {
            Poll::Ready(Some(Ok(message))) => seen.push(message),
            Poll::Ready(Some(Err(_status))) => return (seen, false),
            Poll::Ready(None) => return (seen, true),
            Poll::Pending => panic!("a body that is there is waited for"),
        }
    }
}

/// A body that is there in parts.
struct Parts(std::collections::VecDeque<Bytes>);

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
    }
}

/// Messages as they are.
struct Whole;

impl Decoder for Whole {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}

/// One message in JSON. What is read of it is written and read again, and is the same.
pub fn json(input: &[u8]) {
    static JSON: LazyLock<Json> =
        LazyLock::new(|| Json::new(wire::DESCRIPTORS).expect("our own descriptors can be read"));
    let method = JSON.method("/grpc.testing.TestService/StreamingOutputCall");
    let asked = method.expect("it is among them").asked.clone();
    let translate = |message: &[u8], translator: Translator| {
        let length = u32::try_from(message.len()).expect("an input is short");
        let parts = Parts([framed(false, length, message)].into());
        let body = Translated::body(Body::new(parts), translator, Fault::Error);
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(body).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().ok().map(|data| data.slice(HEAD..)),
            Poll::Ready(Some(Err(_status))) => None,
            Poll::Ready(None) | Poll::Pending => panic!("a message that is there is waited for"),
        }
    };
    let Some(read) = translate(input, Translator::from_json(asked.clone(), u32::MAX)) else {
        return;
    };
    let written = translate(&read, Translator::to_json(asked.clone())).expect("what was read can be written");
    let again = translate(&written, Translator::from_json(asked, u32::MAX));
    assert_eq!(again.expect("what was written can be read"), read);
}

/// Heads and bodies of HTTP/1.1 for a strict listener: the cut from the first byte, the connection behind it.
///
/// Whatever way the connection is cut, the same bytes pass; and what has passed, passes again as it is.
pub fn http1(input: &[u8]) {
    let [cut, connection @ ..] = input else { return };
    let cut = usize::from(*cut) + 1;
    let whole = follow(connection, connection.len().max(1));
    assert_eq!(follow(connection, cut), whole, "cut at {cut}");
    if !whole.refused && !whole.torn {
        assert_eq!(follow(&whole.passed, cut), whole, "cut at {cut}");
    }
}

/// What a follower has let through.
#[derive(Debug, PartialEq, Eq)]
struct Followed {
    passed: BytesMut,
    refused: bool,
    torn: bool,
}

fn follow(connection: &[u8], cut: usize) -> Followed {
    // The longest head is no matter here: it depends on the cuts.
    let mut follower = Follower::new(usize::MAX, Arc::<Switch>::default());
    let mut passed = BytesMut::new();
    for bytes in connection.chunks(cut) {
        follower.follow(bytes, &mut passed);
    }
    Followed {
        passed,
        refused: follower.is_refused(),
        torn: follower.is_torn(),
    }
}

#[cfg(test)]
mod tests;
