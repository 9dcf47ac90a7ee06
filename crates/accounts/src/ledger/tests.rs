//! The words of books, and that no statement of this room changes or removes what was written once.

use std::{fs, path::Path};

use model::{AccountId, TenantId, Timestamp};

use super::Book;

#[test]
fn a_book_comes_back_from_its_word() {
    let now = Timestamp::from_secs(1_800_000_000);
    for book in [
        Book::Account(AccountId::fresh(now)),
        Book::Tenant(TenantId::fresh(now)),
        Book::Outside,
        Book::Earned(TenantId::fresh(now)),
        Book::EarnedZone,
    ] {
        assert_eq!(book.to_string().parse(), Ok(book));
    }
    for word in ["", "account", "account:", "earned:zones", "outside:", "tenant:x"] {
        assert!(word.parse::<Book>().is_err(), "{word}");
    }
}

/// Every Rust file and statement file of this room.
fn texts(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, found);
        } else if path.file_name().is_some_and(|name| name != "tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let one_line: Vec<&str> = text.split_whitespace().collect();
            found.push((
                path.display().to_string(),
                one_line.join(" ").to_ascii_lowercase(),
            ));
        }
    }
}

#[test]
fn what_was_booked_is_never_changed_and_never_removed() {
    let room = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    texts(&room.join("src"), &mut found);
    texts(&room.join("sql"), &mut found);
    assert!(
        found
            .iter()
            .any(|(_, text)| text.contains("insert into ledger_entries"))
    );
    for (path, text) in &found {
        for table in [
            "ledger_entries",
            "ledger_transfers",
            "payments",
            "charges",
            "price_items",
        ] {
            for verb in [
                "update",
                "delete from",
                "alter table",
                "drop table",
                "replace into",
            ] {
                assert!(
                    !text.contains(&format!("{verb} {table} ")),
                    "{path}: {verb} {table}"
                );
                assert!(
                    !text.contains(&format!("{verb} {table};")),
                    "{path}: {verb} {table}"
                );
            }
        }
        assert!(!text.contains("delete from ledger_books"), "{path}");
    }
}
