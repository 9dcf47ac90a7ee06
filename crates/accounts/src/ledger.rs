//! The books: double entry, never edited.
//!
//! What it leaves to others: why money moves (`pay`, `settle`).

use std::{fmt, str::FromStr};

use model::{AccountId, Money, TenantId};
use store::{Tx, params};

use crate::Error;

/// A book of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Book {
    /// What an account has.
    Account(AccountId),
    /// What a tenant has.
    Tenant(TenantId),
    /// Where payments come from.
    Outside,
    /// What the accounts of a tenant paid it.
    Earned(TenantId),
    /// What tenants paid the zone.
    EarnedZone,
}

impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Book::Account(id) => write!(f, "account:{id}"),
            Book::Tenant(id) => write!(f, "tenant:{id}"),
            Book::Outside => f.write_str("outside"),
            Book::Earned(id) => write!(f, "earned:{id}"),
            Book::EarnedZone => f.write_str("earned:zone"),
        }
    }
}

/// Says that a text names no book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownBook;

impl FromStr for Book {
    type Err = UnknownBook;

    fn from_str(text: &str) -> Result<Self, UnknownBook> {
        let book = match text.split_once(':') {
            None if text == "outside" => Some(Book::Outside),
            Some(("earned", "zone")) => Some(Book::EarnedZone),
            Some(("account", id)) => id.parse().ok().map(Book::Account),
            Some(("tenant", id)) => id.parse().ok().map(Book::Tenant),
            Some(("earned", id)) => id.parse().ok().map(Book::Earned),
            None | Some(_) => None,
        };
        book.ok_or(UnknownBook)
    }
}

/// All books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Each book with its balance, which is the sum of its entries.
    pub books: Vec<(Book, Money)>,
    /// The sum of all balances: always zero.
    pub sum: Money,
}

/// Makes a book with nothing in it.
pub(crate) fn open(tx: &mut Tx<'_>, book: &Book) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO ledger_books (book, balance, held) VALUES (?1, 0, 0)",
        params![book.to_string()],
    )?;
    Ok(())
}
