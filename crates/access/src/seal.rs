//! Secrets at rest: AES-256-GCM under the one key of this machine's disk, `keys/seal.key`.
//!
//! Each record is bound to its name, to the zone and to the key that closed it, so that records cannot be
//! swapped, nor carried to another zone. What it leaves to others: what the records hold, and backups of the
//! key: without it the zone's secrets are lost.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use model::Timestamp;
use store::{Tx, params};
use zeroize::Zeroizing;

use crate::{Error, digest};

/// The first word of a key file, so that another file is not taken for one.
const MARK: &str = "soke-seal-key-1";

/// The key of `keys/seal.key`, ready for use.
#[derive(Clone)]
pub(crate) struct Seal {
    key: Arc<LessSafeKey>,
    id: Arc<str>,
    zone: Arc<str>,
}

/// The bytes of the key file.
pub(crate) struct KeyFile(Zeroizing<[u8; 32]>);

impl KeyFile {
    /// Reads the key in `folder`, or makes one where there is none and `may_make` is set.
    ///
    /// # Errors
    /// `Precondition` where the key is missing, not well formed, or readable by others than its owner.
    pub(crate) fn open(folder: &Path, may_make: bool) -> Result<Self, Error> {
        let path = folder.join("seal.key");
        let text = match fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound && may_make => {
                return Self::make(folder, &path);
            }
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                return Err(Error::SealKeyMissing { path });
            }
            Err(fault) if fault.kind() == io::ErrorKind::InvalidData => {
                return Err(Error::SealKeyBad { path });
            }
            Err(source) => {
                return Err(Error::File {
                    step: "read",
                    path,
                    source,
                });
            }
        };
        check_mode(folder, 0o700)?;
        check_mode(&path, 0o600)?;
        let mut key = Zeroizing::new([0; 32]);
        let digits = text.trim_end().strip_prefix(MARK).map(str::trim_start);
        match digits.map(|digits| hex::decode_to_slice(digits, &mut *key)) {
            Some(Ok(())) => Ok(Self(key)),
            _ => Err(Error::SealKeyBad { path }),
        }
    }

    fn make(folder: &Path, path: &Path) -> Result<Self, Error> {
        let at = |step, path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { step, path, source }
        };
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(at("make the folder", folder))?;
        check_mode(folder, 0o700)?;
        let key = Zeroizing::new(digest::random::<32>()?);
        let text = Zeroizing::new(format!("{MARK} {}\n", hex::encode(*key)));
        // Written whole under another name first: a crash leaves either no key or a good one.
        let fresh = folder.join("seal.key.new");
        let _absent: io::Result<()> = fs::remove_file(&fresh);
        let opened = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh);
        let mut file = opened.map_err(at("make", &fresh))?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(at("write", &fresh))?;
        fs::rename(&fresh, path).map_err(at("make", path))?;
        let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(at("sync the folder", folder))?;
        Ok(Self(key))
    }

    /// The key bound to a zone.
    pub(crate) fn for_zone(&self, zone_id: &str) -> Result<Seal, Error> {
        let unbound = UnboundKey::new(&AES_256_GCM, &*self.0);
        let key = unbound.map_err(|_unspecified| Error::Crypto {
            step: "take the seal key",
        })?;
        let mut marked = Zeroizing::new(b"soke seal key id\0".to_vec());
        marked.extend_from_slice(&*self.0);
        let id = digest::sha256_hex(&marked)[..16].to_owned();
        Ok(Seal {
            key: Arc::new(LessSafeKey::new(key)),
            id: id.into(),
            zone: zone_id.into(),
        })
    }
}

fn check_mode(path: &Path, want: u32) -> Result<(), Error> {
    let found = fs::metadata(path);
    let found = found.map_err(|source| Error::File {
        step: "look at",
        path: path.to_owned(),
        source,
    })?;
    let mode = found.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::SealKeyOpen {
        path: PathBuf::from(path),
        mode,
        want,
    })
}

impl Seal {
    /// What is authenticated beside the secret: the form, the zone, the key and the record's own name.
    fn bound_to(&self, name: &str) -> Aad<Vec<u8>> {
        Aad::from(format!("soke sealed 1\0{}\0{}\0{name}", self.zone, self.id).into_bytes())
    }

    /// Closes `secret` under `name` and stores it, in place of what was there.
    pub(crate) fn put(
        &self,
        tx: &mut Tx<'_>,
        name: &str,
        secret: &[u8],
        now: Timestamp,
    ) -> Result<(), Error> {
        let nonce = digest::random::<12>()?;
        let mut closed = secret.to_vec();
        let sealed = self.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            self.bound_to(name),
            &mut closed,
        );
        sealed.map_err(|_unspecified| Error::Crypto {
            step: "seal a record",
        })?;
        tx.execute(
            "INSERT INTO sealed (name, key_id, nonce, box, sealed_at) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (name) DO UPDATE SET key_id = excluded.key_id, nonce = excluded.nonce, \
             box = excluded.box, sealed_at = excluded.sealed_at",
            params![name, &*self.id, hex::encode(nonce), hex::encode(closed), now],
        )?;
        Ok(())
    }

    /// Opens the record `name`; none where there is no such record.
    ///
    /// # Errors
    /// `Internal` naming the record where it was closed with another key, changed, or moved.
    pub(crate) fn open(&self, tx: &mut Tx<'_>, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let row = tx.row(
            "SELECT key_id, nonce, box FROM sealed WHERE name = ?1",
            params![name],
        )?;
        let Some(row) = row else { return Ok(None) };
        let (key_id, nonce, closed): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let broken = || Error::SealBroken {
            name: name.to_owned(),
        };
        if key_id != *self.id {
            return Err(broken());
        }
        let mut number = [0; 12];
        hex::decode_to_slice(nonce, &mut number).map_err(|_bad_hex| broken())?;
        let mut bytes = Zeroizing::new(hex::decode(closed).map_err(|_bad_hex| broken())?);
        let nonce = Nonce::assume_unique_for_key(number);
        let opened = self.key.open_in_place(nonce, self.bound_to(name), &mut bytes);
        let length = opened.map_err(|_unspecified| broken())?.len();
        bytes.truncate(length);
        Ok(Some(bytes))
    }

    /// Tells whether there is a record `name`.
    pub(crate) fn holds(tx: &mut Tx<'_>, name: &str) -> Result<bool, Error> {
        Ok(tx
            .row("SELECT 1 FROM sealed WHERE name = ?1", params![name])?
            .is_some())
    }

    /// Removes the record `name`.
    pub(crate) fn remove(tx: &mut Tx<'_>, name: &str) -> Result<(), Error> {
        tx.execute("DELETE FROM sealed WHERE name = ?1", params![name])?;
        Ok(())
    }
}
