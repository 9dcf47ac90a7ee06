//! The frames between a node's server half and a user's process, on one stream socket.
//!
//! A frame is two lengths of four bytes each (big-endian), a head as JSON of the first length, and a body of
//! raw bytes of the second. Both lengths are bounded, and a breach ends the connection: the other side runs
//! as a user, who may put anything on the wire. What it leaves to others: who asks what, and in which order.
//!
//! The server half asks with [`Ask`] and paces each answer by itself: an answer begins with
//! [`WINDOW`] parts that may be sent, and [`What::More`] grants more as they are taken. So a slow reader of one
//! answer never holds up another one on the same socket. What is written flows the other way by the same pace: the
//! first part of the answer to [`What::Write`] says that the file is open and [`WINDOW`] chunks may come, and each
//! further part that one of them is written and one more may come.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The most bytes of a frame's body.
pub(crate) const MOST_BODY: usize = 256 * 1024;
/// The most bytes of a frame's head.
pub(crate) const MOST_HEAD: usize = 1024;
/// How many parts of one answer may be under way untaken.
pub(crate) const WINDOW: u32 = 4;
/// How many answers may be under way at once on one connection.
pub(crate) const MOST_AT_ONCE: usize = 16;
/// The bytes before each frame: the two lengths.
pub(crate) const PREFIX: usize = 8;

/// From the server half to the user's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ask {
    pub(crate) id: u64,
    pub(crate) what: What,
}

/// What is asked. The body of [`What::List`], [`What::Read`] and [`What::Write`] is the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// Give the home's path.
    Home,
    /// Give the entries of a folder.
    List,
    /// Give the bytes of a regular file from an offset on.
    Read { offset: u64 },
    /// Put a file there whose bytes follow. It is there once the answer is done, and nothing is before.
    Write,
    /// The body is the next bytes for that file.
    Chunk,
    /// That was all of the file.
    Whole,
    /// So many more parts of that answer may be sent.
    More { parts: u32 },
    /// Nobody wants the rest of that answer.
    End,
}

/// From the user's process to the server half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) id: u64,
    pub(crate) say: Say,
}

/// One step of an answer. [`Say::Done`] and [`Say::Failed`] are the last of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Say {
    /// The body is a part of what was asked for.
    Part,
    /// That was all.
    Done,
    /// It cannot be done.
    Failed { why: Why },
}

/// Why the user's process cannot do a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Nothing is there.
    NotFound,
    /// The system does not let this user.
    Denied,
    /// The path leads to something else than a folder.
    NotAFolder,
    /// The path leads to something else than a regular file.
    NotAFile,
    /// The system does not take the path: a part of it is too long, or its links run in a circle.
    BadPath,
    /// The user's process has no descriptor, thread or memory left for this.
    Busy,
    /// The system does not let this user write there.
    NotWritable,
    /// The disk, or the user's share of it, has no room left.
    Full,
    /// The folder is a temporary one of this process alone.
    NotKept,
    /// The system failed to read or write.
    Broken,
}

/// A frame breaks the bounds or is not of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the frame is not of this protocol")]
pub(crate) struct BadFrame;

/// Lays out a whole frame. The body is at most [`MOST_BODY`] bytes.
pub(crate) fn encode(head: &impl Serialize, body: &[u8]) -> Result<Vec<u8>, BadFrame> {
    let head = serde_json::to_vec(head).map_err(|_unlikely| BadFrame)?;
    if head.len() > MOST_HEAD || body.len() > MOST_BODY {
        return Err(BadFrame);
    }
    let lengths = [u32_of(head.len())?, u32_of(body.len())?];
    let mut frame = Vec::with_capacity(PREFIX + head.len() + body.len());
    for length in lengths {
        frame.extend_from_slice(&length.to_be_bytes());
    }
    frame.extend_from_slice(&head);
    frame.extend_from_slice(body);
    Ok(frame)
}

fn u32_of(length: usize) -> Result<u32, BadFrame> {
    u32::try_from(length).map_err(|_too_large| BadFrame)
}

/// Takes the lengths of head and body from a prefix, within the bounds.
pub(crate) fn lengths(prefix: [u8; PREFIX]) -> Result<(usize, usize), BadFrame> {
    let [a, b, c, d, e, f, g, h] = prefix;
    let size = |bytes| usize::try_from(u32::from_be_bytes(bytes)).map_err(|_too_large| BadFrame);
    let (head, body) = (size([a, b, c, d])?, size([e, f, g, h])?);
    if head > MOST_HEAD || body > MOST_BODY {
        return Err(BadFrame);
    }
    Ok((head, body))
}

/// Parses a head.
pub(crate) fn head<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BadFrame> {
    serde_json::from_slice(bytes).map_err(|_not_ours| BadFrame)
}

#[cfg(test)]
mod tests {
    use super::{Answer, Ask, BadFrame, MOST_BODY, PREFIX, Say, What, Why, encode, head, lengths};

    fn prefix(frame: &[u8]) -> [u8; PREFIX] {
        frame[..PREFIX]
            .try_into()
            .expect("a frame begins with its prefix")
    }

    #[test]
    fn a_frame_comes_back_from_its_bytes() {
        let ask = Ask {
            id: u64::MAX,
            what: What::Read { offset: u64::MAX },
        };
        let frame = encode(&ask, b"/a\xff").expect("within the bounds");
        let (head_length, body_length) = lengths(prefix(&frame)).expect("within the bounds");
        let (head_bytes, body) = frame[PREFIX..].split_at(head_length);
        assert_eq!((head(head_bytes), body.len()), (Ok(ask), body_length));
        assert_eq!(body, b"/a\xff");
    }

    #[test]
    fn each_step_of_an_answer_has_one_spelling() {
        let failed = Answer {
            id: 7,
            say: Say::Failed { why: Why::NotAFile },
        };
        let text = serde_json::to_string(&failed).expect("plain data");
        assert_eq!(text, r#"{"id":7,"say":{"failed":{"why":"not_a_file"}}}"#);
    }

    #[test]
    fn frames_beyond_the_bounds_or_in_another_language_are_refused() {
        let done = Answer {
            id: 1,
            say: Say::Done,
        };
        assert_eq!(encode(&done, &vec![0; MOST_BODY + 1]), Err(BadFrame));
        for prefix in [[0, 0, 4, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, 4, 0, 1], [0xff; PREFIX]] {
            assert_eq!(lengths(prefix), Err(BadFrame), "{prefix:?}");
        }
        for text in [
            &b""[..],
            b"{}",
            br#"{"id":1,"say":"shout"}"#,
            br#"{"id":-1,"say":"done"}"#,
        ] {
            assert_eq!(head::<Answer>(text), Err(BadFrame));
        }
    }
}
