//! Messages followed through the bytes of a body, and cut so that no piece holds parts of two.
//!
//! What it leaves to others: decoding. Framing is that of the gRPC protocol over HTTP/2
//! ("Length-Prefixed-Message"): one byte of flags, four bytes of length, the message. Whoever decodes asks for
//! more only when a message is whole; since a piece ends where its message ends, the message that was decoded
//! last is the one that was handed out last.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::{
    gzip::{self, Fault},
    held::{Allowance, Full, Part},
};

/// The bytes before each message.
pub(crate) const HEAD: usize = 5;

/// Follows the messages of one body, unpacks those that are compressed, and holds them to a limit.
pub(crate) struct Messages {
    most: u32,
    gzip: bool,
    allowance: Allowance,
    part: Option<Part>,
    ahead: Bytes,
    head: [u8; HEAD],
    head_filled: usize,
    left: u32,
    packed: Option<BytesMut>,
    compressed: bool,
    /// Whether large messages are unpacked by others.
    beside: bool,
    large: Option<Bytes>,
}

/// What is unpacked at once: less than what a handler does with it.
const AT_ONCE: u32 = 64 * 1024;

/// Why a message may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is over the limit.
    Long(u32),
    /// It would be over the limit once unpacked.
    LongUnpacked,
    /// Too many large ones are on their way.
    Busy,
    /// It is marked as compressed and is not gzip.
    Malformed,
}

impl Messages {
    /// Messages of at most `most` bytes; `gzip` says that marked ones are compressed so.
    pub(crate) const fn new(most: u32, gzip: bool, allowance: Allowance) -> Self {
        Self {
            most,
            gzip,
            allowance,
            part: None,
            ahead: Bytes::new(),
            head: [0; HEAD],
            head_filled: 0,
            left: 0,
            packed: None,
            compressed: false,
            beside: false,
            large: None,
        }
    }

    /// Leaves large compressed messages to whoever asks for pieces: see [`Messages::take_large`].
    pub(crate) const fn unpacked_beside(mut self) -> Self {
        self.beside = true;
        self
    }

    /// The compressed message because of which there is no next piece. Its room is taken already.
    pub(crate) const fn take_large(&mut self) -> Option<Bytes> {
        self.large.take()
    }

    /// Takes the next bytes of the body. All pieces of those before must have been taken.
    pub(crate) fn feed(&mut self, data: Bytes) {
        self.ahead = data;
    }

    /// The next piece to hand out; nothing when more bytes are needed, or a large message is to be unpacked first.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        if !self.is_inside() {
            // Whoever asks for more has decoded the one that was unpacked.
            self.part = None;
        }
        while self.ahead.has_remaining() {
            if self.left == 0 {
                if let Some(piece) = self.begin()? {
                    return Ok(Some(piece));
                }
                continue;
            }
            let piece = self.step(0);
            match &mut self.packed {
                None => return Ok(Some(piece)),
                Some(packed) => packed.put(piece),
            }
            if self.left == 0 {
                return self.unpacked();
            }
        }
        Ok(None)
    }

    /// Tells whether the body ended inside a message.
    pub(crate) const fn is_inside(&self) -> bool {
        self.head_filled > 0 || self.left > 0
    }

    /// Tells whether every piece has been handed out and no message is half there.
    pub(crate) fn is_drained(&self) -> bool {
        !self.ahead.has_remaining() && !self.is_inside()
    }

    /// Tells whether the message that was handed out last came compressed.
    pub(crate) const fn was_compressed(&self) -> bool {
        self.compressed
    }

    /// Reads as much of a message's head as there is. Gives what can be handed out already.
    fn begin(&mut self) -> Result<Option<Bytes>, Refusal> {
        // Usually the head is there in one piece, and goes out together with what follows it.
        let whole = self.head_filled == 0 && self.ahead.len() >= HEAD;
        let take = (HEAD - self.head_filled).min(self.ahead.len());
        self.head[self.head_filled..self.head_filled + take].copy_from_slice(&self.ahead[..take]);
        if !whole {
            self.ahead.advance(take);
            self.head_filled += take;
            if self.head_filled < HEAD {
                return Ok(None);
            }
        }
        self.head_filled = 0;
        let [flags, a, b, c, d] = self.head;
        let length = u32::from_be_bytes([a, b, c, d]);
        if length > self.most {
            return Err(Refusal::Long(length));
        }
        self.part = self.allowance.take(length).map_err(|Full| Refusal::Busy)?;
        self.left = length;
        self.compressed = flags == 1;
        if self.compressed && self.gzip {
            if whole {
                self.ahead.advance(HEAD);
            }
            self.packed = Some(BytesMut::new());
            return if length == 0 { self.unpacked() } else { Ok(None) };
        }
        Ok(Some(if whole {
            self.step(HEAD)
        } else {
            self.only_a_head()
        }))
    }

    fn only_a_head(&mut self) -> Bytes {
        if self.left == 0 {
            self.part = None;
        }
        Bytes::copy_from_slice(&self.head)
    }

    /// Cuts off what there is of the present message, behind `before` bytes that are not counted.
    fn step(&mut self, before: usize) -> Bytes {
        let there = self.ahead.len() - before;
        let step = there.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= u32::try_from(step).unwrap_or(self.left);
        if self.left == 0 {
            self.part = None;
        }
        self.ahead.split_to(before + step)
    }

    fn unpacked(&mut self) -> Result<Option<Bytes>, Refusal> {
        let packed = self.packed.take().unwrap_or_default();
        let at_once = if self.beside {
            self.most.min(AT_ONCE)
        } else {
            self.most
        };
        let message = match gzip::unpack(&packed, at_once) {
            Err(Fault::Long) if at_once < self.most => {
                // How long it becomes is not known yet.
                self.part = self.allowance.take(self.most).map_err(|Full| Refusal::Busy)?;
                self.large = Some(packed.freeze());
                return Ok(None);
            }
            unpacked => unpacked?,
        };
        let length = u32::try_from(message.len()).map_err(|_over_32_bits| Refusal::LongUnpacked)?;
        // Held until more is asked for: only then is it known that this one was decoded.
        self.part = self.allowance.take(length).map_err(|Full| Refusal::Busy)?;
        Ok(Some(framed(false, length, &message)))
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Long => Refusal::LongUnpacked,
            Fault::Malformed => Refusal::Malformed,
        }
    }
}

/// A message behind its head.
pub(crate) fn framed(compressed: bool, length: u32, message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEAD + message.len());
    bytes.put_u8(u8::from(compressed));
    bytes.put_u32(length);
    bytes.put_slice(message);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Messages, Refusal, framed};
    use crate::{gzip, held::Allowance};

    fn message(length: u32) -> Bytes {
        framed(false, length, &vec![b'x'; usize::try_from(length).unwrap()])
    }

    /// All pieces of `bytes`, which come in steps of `cut`.
    fn pieces(messages: &mut Messages, bytes: &[u8], cut: usize) -> Result<Vec<Bytes>, Refusal> {
        let mut pieces = Vec::new();
        for data in bytes.chunks(cut) {
            messages.feed(Bytes::copy_from_slice(data));
            while let Some(piece) = messages.next()? {
                pieces.push(piece);
            }
        }
        Ok(pieces)
    }

    #[test]
    fn messages_are_followed_however_they_are_cut_and_no_piece_holds_parts_of_two() {
        let each = [message(3), message(0), message(10), message(1)];
        let bytes = each.concat();
        for cut in 1..=bytes.len() {
            let mut messages = Messages::new(10, true, Allowance::new(0));
            let pieces = pieces(&mut messages, &bytes, cut).unwrap();
            assert_eq!(pieces.concat(), bytes, "cut at {cut}");
            assert!(!messages.is_inside());
            let mut ends = Vec::new();
            pieces.iter().fold(0, |at, piece| {
                ends.push(at + piece.len());
                at + piece.len()
            });
            assert!(
                [8, 13, 28, 34].iter().all(|end| ends.contains(end)),
                "cut at {cut}: {ends:?}"
            );
        }
    }

    #[test]
    fn a_message_over_the_limit_is_seen_at_its_head() {
        let bytes = [message(10), message(11)].concat();
        for cut in 1..=bytes.len() {
            let mut messages = Messages::new(10, false, Allowance::new(0));
            let found = pieces(&mut messages, &bytes, cut).unwrap_err();
            assert_eq!(found, Refusal::Long(11), "cut at {cut}");
        }
    }

    #[test]
    fn a_compressed_message_is_unpacked_between_others_however_it_is_cut() {
        let packed = gzip::pack(&[b'y'; 500]);
        let length = u32::try_from(packed.len()).unwrap();
        let bytes = [message(3), framed(true, length, &packed), message(4)].concat();
        let wanted = [message(3), framed(false, 500, &[b'y'; 500]), message(4)].concat();
        for cut in 1..=bytes.len() {
            let mut messages = Messages::new(1000, true, Allowance::new(0));
            assert_eq!(
                pieces(&mut messages, &bytes, cut).unwrap().concat(),
                wanted,
                "cut at {cut}"
            );
        }
        let mut messages = Messages::new(499, true, Allowance::new(0));
        assert_eq!(pieces(&mut messages, &bytes, 7), Err(Refusal::LongUnpacked));
        let mut messages = Messages::new(499, true, Allowance::new(0));
        assert_eq!(
            pieces(&mut messages, &framed(true, 3, b"abc"), 99),
            Err(Refusal::Malformed)
        );
        assert_eq!(
            pieces(&mut messages, &framed(true, 0, b""), 99),
            Err(Refusal::Malformed)
        );
    }

    #[test]
    fn a_body_that_ends_inside_a_message_is_told_apart() {
        let bytes = message(9);
        for end in 1..bytes.len() {
            let mut messages = Messages::new(10, false, Allowance::new(0));
            pieces(&mut messages, &bytes[..end], 4).unwrap();
            assert!(messages.is_inside(), "{end}");
        }
    }

    #[test]
    fn an_unpacked_message_holds_its_room_until_more_is_asked_for() {
        let allowance = Allowance::new(100_000);
        let mut messages = Messages::new(90_000, true, allowance.clone());
        let packed = gzip::pack(&[b'y'; 90_000]);
        messages.feed(framed(true, u32::try_from(packed.len()).unwrap(), &packed));
        assert_eq!(messages.next().unwrap().unwrap().len(), 90_005);
        assert!(allowance.take(90_000).is_err());
        assert!(messages.next().unwrap().is_none());
        assert!(allowance.take(90_000).is_ok());
    }
}
