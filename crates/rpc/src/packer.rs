//! Messages of a body compressed one by one.
//!
//! What it leaves to others: which of them (`reply`, `channel`).

use bytes::{Buf as _, Bytes, BytesMut};

use crate::{
    framing::{HEAD, framed},
    gzip,
};

/// Compresses the messages for which it is told to.
#[derive(Default)]
pub(crate) struct Packer {
    rest: BytesMut,
}

impl Packer {
    /// Takes bytes and gives the messages that are whole; `compress` is asked once for each.
    pub(crate) fn pack(&mut self, data: &[u8], mut compress: impl FnMut() -> bool) -> Bytes {
        self.rest.extend_from_slice(data);
        let mut packed = BytesMut::new();
        while let Some(&[_, a, b, c, d]) = self.rest.first_chunk::<HEAD>() {
            let length = u32::from_be_bytes([a, b, c, d]);
            let whole = HEAD.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
            if self.rest.len() < whole {
                break;
            }
            let mut message = self.rest.split_to(whole);
            if !compress() {
                packed.unsplit(message);
                continue;
            }
            message.advance(HEAD);
            let small = gzip::pack(&message);
            // What does not fit into the head's length goes as it came.
            match u32::try_from(small.len()) {
                Ok(length) => packed.extend_from_slice(&framed(true, length, &small)),
                Err(_over_32_bits) => packed.extend_from_slice(&framed(false, length, &message)),
            }
        }
        packed.freeze()
    }
}
