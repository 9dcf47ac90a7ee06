//! The books: double entry, never edited.
//!
//! What it leaves to others: why money moves (`pay`, `settle`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use access::{Permit, Scope};
use model::{AccountId, Money, TenantId, Timestamp};
use store::{Tx, params};

use crate::{Charges, Error, Handle, numbers, words};

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

impl Handle {
    /// Shows all books, after comparing each with its entries.
    ///
    /// # Errors
    /// `NotFound` for who does not reach over the zone. Internal: [`Error::Unbalanced`].
    pub async fn ledger(&self, permit: &Permit<Charges>) -> Result<Ledger, Error> {
        if !permit.covers(&Scope::Zone) {
            return Err(Error::NotFound { what: "the books" });
        }
        permit.read(&self.inner.store, add_up).await
    }
}

/// All books, each compared with its entries.
fn add_up(tx: &mut Tx<'_>) -> Result<Ledger, Error> {
    let sums = words::sum_columns("e.amount");
    let rows = tx.rows(
        &format!(
            "SELECT b.book, b.balance, {sums} FROM ledger_books b \
             LEFT JOIN ledger_entries e ON e.book = b.book GROUP BY b.book, b.balance ORDER BY b.book"
        ),
        &[],
    )?;
    let (mut books, mut all) = (Vec::with_capacity(rows.len()), 0_i128);
    for row in rows {
        let (word, balance): (String, Money) = (row.get(0)?, row.get(1)?);
        let entries = words::sum(&row, 2)?;
        if entries != i128::from(balance.ten_thousandths()) {
            let book = word;
            return Err(Error::Unbalanced {
                book,
                balance,
                entries,
            });
        }
        all += entries;
        let book: Book = word.parse().map_err(|UnknownBook| Error::Row { what: "book" })?;
        books.push((book, balance));
    }
    let sum = words::money(all, "add up the books")?;
    Ok(Ledger { books, sum })
}

/// What a book holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) balance: Money,
    /// What of it unfinished jobs may still cost.
    pub(crate) held: Money,
}

impl Balance {
    /// What is left down to a threshold beside what is held; below zero where it is not enough.
    pub(crate) fn free(self, threshold: Money) -> i128 {
        let amount = |money: Money| i128::from(money.ten_thousandths());
        amount(self.balance) - amount(self.held) - amount(threshold)
    }
}

/// Makes a book with nothing in it.
pub(crate) fn open(tx: &mut Tx<'_>, book: &Book) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO ledger_books (book, balance, held) VALUES (?1, 0, 0)",
        params![book.to_string()],
    )?;
    Ok(())
}

/// What a book holds now.
pub(crate) fn balance(tx: &mut Tx<'_>, book: &Book) -> Result<Balance, Error> {
    let sql = "SELECT balance, held FROM ledger_books WHERE book = ?1";
    let row = tx.row(sql, params![book.to_string()])?;
    let row = row.ok_or(Error::Row { what: "book" })?;
    Ok(Balance {
        balance: row.get(0)?,
        held: row.get(1)?,
    })
}

/// What a book holds, which nobody else changes until the transaction ends.
pub(crate) fn locked(tx: &mut Tx<'_>, book: &Book) -> Result<Balance, Error> {
    tx.lock_row("ledger_books", "book", book.to_string().into())?;
    balance(tx, book)
}

/// Writes how much of a book is held, which was read under its lock.
pub(crate) fn write_held(tx: &mut Tx<'_>, book: &Book, held: Money) -> Result<(), Error> {
    let sql = "UPDATE ledger_books SET held = ?2 WHERE book = ?1";
    tx.execute(sql, params![book.to_string(), held])?;
    Ok(())
}

/// An amount that goes from one book to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transfer {
    pub(crate) kind: &'static str,
    pub(crate) from: Book,
    pub(crate) to: Book,
    pub(crate) amount: Money,
}

/// Writes transfers, all or none, and gives their numbers. The books are locked in one order, so that no two
/// transactions wait for each other.
///
/// # Errors
/// [`Error::Overflow`], before anything is written: a balance would leave 64 bits.
pub(crate) fn post(
    tx: &mut Tx<'_>,
    transfers: &[Transfer],
    now: Timestamp,
    step: &'static str,
) -> Result<Vec<i64>, Error> {
    let books: BTreeSet<Book> = transfers.iter().flat_map(|one| [one.from, one.to]).collect();
    let mut balances = BTreeMap::new();
    for book in books {
        let now = locked(tx, &book)?.balance;
        balances.insert(book, i128::from(now.ten_thousandths()));
    }
    for transfer in transfers {
        let amount = i128::from(transfer.amount.ten_thousandths());
        for (book, change) in [(transfer.from, -amount), (transfer.to, amount)] {
            balances.entry(book).and_modify(|balance| *balance += change);
        }
    }
    let mut fits = Vec::with_capacity(balances.len());
    for (book, balance) in balances {
        fits.push((book, words::money(balance, step)?));
    }
    // The other side of the smallest amount there is cannot be kept.
    let both = |one: &Transfer| {
        let back = Money::ZERO.checked_sub(one.amount);
        back.ok_or(Error::Overflow { step })
    };
    let backs: Result<Vec<Money>, Error> = transfers.iter().map(both).collect();
    let mut numbers = Vec::with_capacity(transfers.len());
    for (transfer, back) in transfers.iter().zip(backs?) {
        numbers.push(enter(tx, transfer, back, now)?);
    }
    for (book, balance) in fits {
        let sql = "UPDATE ledger_books SET balance = ?2 WHERE book = ?1";
        tx.execute(sql, params![book.to_string(), balance])?;
    }
    Ok(numbers)
}

fn enter(tx: &mut Tx<'_>, transfer: &Transfer, back: Money, now: Timestamp) -> Result<i64, Error> {
    let number = numbers::next(tx, "transfer")?;
    tx.execute(
        "INSERT INTO ledger_transfers (number, kind, at) VALUES (?1, ?2, ?3)",
        params![number, transfer.kind, now],
    )?;
    for (book, amount) in [(transfer.from, back), (transfer.to, transfer.amount)] {
        tx.execute(
            "INSERT INTO ledger_entries (transfer, book, amount) VALUES (?1, ?2, ?3)",
            params![number, book.to_string(), amount],
        )?;
    }
    Ok(number)
}

#[cfg(test)]
mod tests;
