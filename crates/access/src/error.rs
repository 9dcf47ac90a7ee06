//! Everything that can go wrong in this room, and which of the twelve kinds it is.
//!
//! What it leaves to others: gRPC codes and HTTP statuses (crate `wire`). No text here ever holds a secret,
//! nor any part of one: faults tell lengths and field names only.

use std::{fmt, path::PathBuf};

use model::{ErrorKind, Span};

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field, as the caller named it.
    pub field: &'static str,
    /// What was wrong with it.
    pub what: String,
    /// What would be right.
    pub want: String,
}

/// Every fault of one request, so that the caller mends them in one go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Adds one fault.
    pub fn add(&mut self, field: &'static str, what: impl Into<String>, want: impl Into<String>) {
        let (what, want) = (what.into(), want.into());
        self.0.push(Fault { field, what, want });
    }

    /// Passes when nothing was added.
    ///
    /// # Errors
    /// `Invalid` with all faults.
    pub fn check(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(self))
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.0.iter().enumerate() {
            let gap = if place == 0 { "" } else { "; " };
            write!(f, "{gap}`{}` {}, want {}", fault.field, fault.what, fault.want)?;
        }
        Ok(())
    }
}

/// What is wrong with a login JWT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtFault {
    /// It is no JWT at all.
    NotJwt,
    /// Its header is not well formed.
    Header,
    /// It is not signed with Ed25519.
    Algorithm,
    /// One of its claims has another type than it should.
    Claims,
    /// This claim is missing.
    Missing(&'static str),
    /// No key of the issuer fits the signature, or there is no such issuer.
    Signature,
    /// Its end has passed.
    Expired,
    /// Its end lies more than a day ahead.
    TooLong,
    /// The key id and the issuer differ.
    KeyId,
    /// The issuer speaks for somebody else.
    Subject,
    /// It was written for somebody else.
    Audience,
    /// It is a token of this zone, which is carried on by refreshing it.
    OwnToken,
}

impl fmt::Display for JwtFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            JwtFault::NotJwt => "it is no JWT",
            JwtFault::Header => "its header is not well formed",
            JwtFault::Algorithm => "its algorithm is not EdDSA",
            JwtFault::Claims => "a claim is of the wrong type",
            JwtFault::Missing(claim) => return write!(f, "the claim `{claim}` is missing"),
            JwtFault::Signature => "its signature is not good",
            JwtFault::Expired => "it has ended",
            JwtFault::TooLong => "it ends more than a day from now",
            JwtFault::KeyId => "its key id is not its issuer",
            JwtFault::Subject => "its issuer may speak for nobody else",
            JwtFault::Audience => "it was written for another audience",
            JwtFault::OwnToken => "it is a token of this zone: refresh it instead",
        };
        f.write_str(text)
    }
}

/// Says which step failed. The texts may be shown to the caller where [`Error::kind`] is not `Internal`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong.
    #[error("check the request: {0}")]
    Invalid(Faults),
    /// A name, password, key, signature or code is not good. It never says which.
    #[error("sign in: the proof is not good")]
    BadProof,
    /// The access or refresh token is missing, not ours, changed, or past its end.
    #[error("accept the token: it is not good or has ended, sign in again")]
    BadToken,
    /// The refresh token was used before, and so its session was ended.
    #[error("accept the refresh token: it was used before and its session has ended, sign in again")]
    RefreshReused,
    /// A login JWT, signed by a user's own key, is not accepted.
    #[error("accept the login JWT: {fault}")]
    BadJwt {
        /// What is wrong with it.
        fault: JwtFault,
    },
    /// The proof was good and came a second time.
    #[error("sign in: this nonce, login JWT or signature was used before")]
    ProofUsed,
    /// The nonce of a password proof lies too far from this zone's clock.
    #[error(
        "sign in: the nonce is not within {window_secs} s of this zone's clock, which reads {now_millis} ms"
    )]
    NonceAstray {
        /// The clock, in milliseconds since the epoch.
        now_millis: i64,
        /// How far a nonce may lie from it.
        window_secs: i64,
    },
    /// This zone keeps no verifiers for password proofs.
    #[error("sign in: password proofs are switched off in this zone")]
    ProofsOff,
    /// The app's id belongs to a part of the system, or to somebody.
    #[error("sign in for the app `{app_id}`: this id is not for apps of users")]
    AppReserved {
        /// The id as asked for.
        app_id: String,
    },
    /// The certificate was not given to a machine of this zone, has ended, or was taken back.
    #[error("accept the certificate: this zone knows no machine by it")]
    BadCertificate,
    /// A machine's certificate request cannot be used.
    #[error("read certificate_request: it {what}, want PKCS #10 in DER with a P-256 key")]
    BadRequest {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The caller has as many certificates as one may have.
    #[error("give a certificate: this user has {most} that count, revoke the sessions of some")]
    TooManyCertificates {
        /// How many may count.
        most: usize,
    },
    /// The session was ended.
    #[error("accept the session: it has ended, sign in again")]
    SessionEnded,
    /// The actor is known and may not do this.
    #[error("permit `{action}`: this user has no right to it")]
    Denied {
        /// The action that was asked for.
        action: &'static str,
    },
    /// A front end names a user who is not there.
    #[error("speak for `{name}`: this zone has no such user")]
    SpeaksForNobody {
        /// The name as given.
        name: String,
    },
    /// The actor's right became another one between the permit and the write.
    #[error("permit `{action}`: the rights of this user changed meanwhile, repeat the call")]
    RightsChanged {
        /// The action that was asked for.
        action: &'static str,
    },
    /// The thing is not there, or the actor may not know that it is.
    #[error("find {what}")]
    NotFound {
        /// What was looked for, such as "user `ada`".
        what: String,
    },
    /// The name belongs to somebody or something, now or formerly.
    #[error("take the name `{name}`: it was given before, and names are never given twice")]
    NameTaken {
        /// The name as asked for.
        name: String,
    },
    /// The name belongs to a role or to a part of the system.
    #[error("take the name `{name}`: it is reserved for the system")]
    NameReserved {
        /// The name as asked for.
        name: String,
    },
    /// The Unix account serves another user already.
    #[error("take the Unix account `{unix_name}`: another user of the zone has it")]
    UnixNameTaken {
        /// The account as asked for.
        unix_name: String,
    },
    /// The key signs in somebody already.
    #[error("add the key: it is in use already")]
    KeyTaken,
    /// The wallet signs in somebody else already.
    #[error("link the wallet: it signs in another user already")]
    WalletTaken,
    /// A wallet was named without a signature, and this is no zone for tests.
    #[error("sign in without a signature: this zone asks for one")]
    SignatureWanted,
    /// The zone would be left without an owner.
    #[error("take the role `owner`: the zone's last owner keeps it")]
    LastOwner,
    /// The old password was wanted and is not right.
    #[error("set the password: the old password is not right")]
    WrongOldPassword,
    /// Somebody changed the same thing meanwhile.
    #[error("{step}: it was changed meanwhile, repeat the call")]
    Raced {
        /// What was being done.
        step: &'static str,
    },
    /// Too many tries from one address, or for one name from one address.
    #[error("sign in: too many tries from this address, wait {} s", .wait.secs() + 1)]
    TooManyTries {
        /// How long until a try is heard again.
        wait: Span,
    },
    /// More sign-ins wait for a password check than this machine can do soon.
    #[error("check the password: too many sign-ins at once, try again soon")]
    Busy,
    /// The store holds a zone, and the key that opens its secrets is not on this machine.
    #[error(
        "open the zone's secrets: `{}` is missing; put the file back from a backup, \
         the zone cannot start without it", .path.display()
    )]
    SealKeyMissing {
        /// Where the key should lie.
        path: PathBuf,
    },
    /// Others than its owner may read the key or its folder.
    #[error(
        "open the zone's secrets: `{}` has mode {mode:04o}, which lets others in; \
         set it with: chmod {want:03o} {}", .path.display(), .path.display()
    )]
    SealKeyOpen {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        want: u32,
    },
    /// The key file does not hold a key.
    #[error("open the zone's secrets: `{}` is not a seal key", .path.display())]
    SealKeyBad {
        /// Where the key lies.
        path: PathBuf,
    },
    /// The record was sealed with another key than this machine's, or was changed, or belongs elsewhere.
    #[error("open the sealed record `{name}`: sealed with another key, or changed")]
    SealBroken {
        /// The record's name.
        name: String,
    },
    /// A file could not be read or written.
    #[error("{step} `{}`", .path.display())]
    File {
        /// What was being done.
        step: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The store failed.
    #[error("use the store")]
    Store(#[from] store::Error),
    /// The cryptographic library refused; no more is known.
    #[error("{step}")]
    Crypto {
        /// What was being done.
        step: &'static str,
    },
    /// A certificate could not be made.
    #[error("make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused our own certificate.
    #[error("make the TLS settings")]
    Tls(#[from] rustls::Error),
    /// The table of roles does not parse.
    #[error("read the table of roles")]
    Roles(#[source] toml::de::Error),
    /// A stored row does not hold what it should.
    #[error("read a stored {what}: it is not well formed")]
    Row {
        /// What the row is about.
        what: &'static str,
    },
    /// Work on another thread ended in a panic.
    #[error("finish the work on another thread")]
    Panicked(#[from] tasks::Panicked),
}

impl Error {
    /// Which of the twelve kinds this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Invalid(_) | Error::BadRequest { .. } => ErrorKind::Invalid,
            Error::BadProof
            | Error::BadToken
            | Error::RefreshReused
            | Error::BadJwt { .. }
            | Error::ProofUsed
            | Error::BadCertificate
            | Error::SessionEnded => ErrorKind::Unauthenticated,
            Error::NonceAstray { .. } => ErrorKind::Invalid,
            Error::Denied { .. }
            | Error::SpeaksForNobody { .. }
            | Error::WrongOldPassword
            | Error::AppReserved { .. } => ErrorKind::Denied,
            Error::RightsChanged { .. } | Error::Raced { .. } => ErrorKind::Conflict,
            Error::NotFound { .. } => ErrorKind::NotFound,
            Error::NameTaken { .. }
            | Error::NameReserved { .. }
            | Error::UnixNameTaken { .. }
            | Error::KeyTaken
            | Error::WalletTaken => ErrorKind::Exists,
            Error::LastOwner
            | Error::SignatureWanted
            | Error::ProofsOff
            | Error::SealKeyMissing { .. }
            | Error::SealKeyOpen { .. }
            | Error::SealKeyBad { .. } => ErrorKind::Precondition,
            Error::TooManyTries { .. } | Error::TooManyCertificates { .. } => ErrorKind::Exhausted,
            Error::Busy => ErrorKind::Unavailable,
            Error::Store(source) => source.kind(),
            Error::SealBroken { .. }
            | Error::File { .. }
            | Error::Crypto { .. }
            | Error::Certificate(_)
            | Error::Tls(_)
            | Error::Roles(_)
            | Error::Row { .. }
            | Error::Panicked(_) => ErrorKind::Internal,
        }
    }
}
