//! What a folder holds, and how a page of it travels in one frame's body.
//!
//! Per entry: length of the name (2 bytes), name, kind (1), time of change (8), mode (4), size (8); numbers
//! big-endian. What it leaves to others: names are bytes as the file system has them; how a name that is not
//! UTF-8 is shown is for the doors to say.

use model::Timestamp;

use crate::frame::BadFrame;

/// One entry of a folder, as the entry itself is: a link is not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name's bytes as the file system has them; neither `.` nor `..`.
    pub name: Vec<u8>,
    /// What the entry is.
    pub kind: EntryKind,
    /// When its content last changed.
    pub modified_at: Timestamp,
    /// The file type and permission bits, `st_mode` of stat(2).
    pub mode: u32,
    /// In bytes.
    pub size: u64,
}

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link, whatever it leads to.
    Link,
    /// A device, socket or named pipe.
    Special,
}

impl Entry {
    /// The name for people: what is not UTF-8 in it becomes U+FFFD. Such a text may not lead back to the entry,
    /// but leads to another entry only where that one really has this name.
    #[must_use]
    pub fn shown_name(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }

    /// How many bytes the entry takes in a page.
    pub(crate) fn encoded_length(&self) -> usize {
        self.name.len() + 2 + 1 + 8 + 4 + 8
    }

    /// Adds the entry to a page. A name is at most 255 bytes on every file system there is.
    pub(crate) fn encode(&self, page: &mut Vec<u8>) -> Result<(), BadFrame> {
        let length = u16::try_from(self.name.len()).map_err(|_too_long| BadFrame)?;
        page.extend_from_slice(&length.to_be_bytes());
        page.extend_from_slice(&self.name);
        page.push(match self.kind {
            EntryKind::Folder => 0,
            EntryKind::File => 1,
            EntryKind::Link => 2,
            EntryKind::Special => 3,
        });
        page.extend_from_slice(&self.modified_at.micros().to_be_bytes());
        page.extend_from_slice(&self.mode.to_be_bytes());
        page.extend_from_slice(&self.size.to_be_bytes());
        Ok(())
    }

    /// Takes a whole page apart.
    pub(crate) fn decode_page(page: &[u8]) -> Result<Vec<Entry>, BadFrame> {
        let mut rest = page;
        let mut entries = Vec::new();
        while !rest.is_empty() {
            entries.push(Self::decode(&mut rest)?);
        }
        Ok(entries)
    }

    fn decode(rest: &mut &[u8]) -> Result<Entry, BadFrame> {
        let length = usize::from(u16::from_be_bytes(take(rest)?));
        let (name, after) = rest.split_at_checked(length).ok_or(BadFrame)?;
        *rest = after;
        if name.is_empty() || name.contains(&b'/') || name.contains(&0) {
            return Err(BadFrame);
        }
        let kind = match take::<1>(rest)? {
            [0] => EntryKind::Folder,
            [1] => EntryKind::File,
            [2] => EntryKind::Link,
            [3] => EntryKind::Special,
            [_other] => return Err(BadFrame),
        };
        Ok(Entry {
            name: name.to_vec(),
            kind,
            modified_at: Timestamp::from_micros(i64::from_be_bytes(take(rest)?)),
            mode: u32::from_be_bytes(take(rest)?),
            size: u64::from_be_bytes(take(rest)?),
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BadFrame> {
    let (bytes, after) = rest.split_first_chunk::<N>().ok_or(BadFrame)?;
    *rest = after;
    Ok(*bytes)
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::{Entry, EntryKind};
    use crate::frame::BadFrame;

    fn entry(name: &[u8], kind: EntryKind) -> Entry {
        Entry {
            name: name.to_vec(),
            kind,
            modified_at: Timestamp::from_micros(-1),
            mode: 0o100_644,
            size: u64::MAX,
        }
    }

    #[test]
    fn a_page_comes_back_from_its_bytes() {
        let entries = vec![
            entry(b"a\xff b", EntryKind::Folder),
            entry(&[b'x'; 255], EntryKind::Special),
        ];
        let mut page = Vec::new();
        for entry in &entries {
            entry.encode(&mut page).expect("short names");
        }
        assert_eq!(
            page.len(),
            entries.iter().map(Entry::encoded_length).sum::<usize>()
        );
        assert_eq!(Entry::decode_page(&page), Ok(entries));
    }

    #[test]
    fn a_page_that_is_cut_or_holds_impossible_names_is_refused() {
        let mut page = Vec::new();
        entry(b"abc", EntryKind::Link)
            .encode(&mut page)
            .expect("a short name");
        for length in 1..page.len() {
            assert_eq!(Entry::decode_page(&page[..length]), Err(BadFrame), "{length}");
        }
        for name in [&b""[..], b"a/b", b"a\0b"] {
            let mut page = Vec::new();
            entry(name, EntryKind::File)
                .encode(&mut page)
                .expect("a short name");
            assert_eq!(Entry::decode_page(&page), Err(BadFrame), "{name:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_utf8_is_shown_with_replacement_characters() {
        assert_eq!(entry(b"a\xffb", EntryKind::File).shown_name(), "a\u{fffd}b");
    }
}
