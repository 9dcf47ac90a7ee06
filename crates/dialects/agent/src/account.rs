//! As whom work is done on a node, between its message and the ground's own words.
//!
//! What it leaves to others: what an account is (`confine`).

use confine::Account;
use wire::{FieldFaults, soke::agent::v1};

pub(crate) fn encode(account: &Account) -> v1::Account {
    v1::Account {
        user_name: account.name.clone(),
        number: account.number,
        unix_name: account.unix_name.clone().unwrap_or_default(),
        owns_zone: account.owner,
    }
}

/// Reads an account; none where something is wrong with it, which is then among the faults.
pub(crate) fn decode(message: Option<v1::Account>, faults: &mut FieldFaults) -> Option<Account> {
    let Some(account) = message else {
        faults.add("account", "is missing", "as whom the work is done");
        return None;
    };
    let v1::Account {
        user_name,
        number,
        unix_name,
        owns_zone,
    } = account;
    // It becomes the name of a folder.
    let is_name = (1..=63).contains(&user_name.len())
        && !user_name.starts_with('.')
        && user_name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.@-".contains(c));
    faults.check(is_name, "account.user_name", "is no name", "a name of the zone");
    faults.check(
        number > 0,
        "account.number",
        "is 0",
        "the number of a user, from 1",
    );
    (is_name && number > 0).then(|| Account {
        name: user_name,
        number,
        unix_name: Some(unix_name).filter(|name| !name.is_empty()),
        owner: owns_zone,
    })
}

#[cfg(test)]
mod tests {
    use confine::Account;
    use wire::FieldFaults;

    use super::{decode, encode};

    fn account(name: &str, number: u32) -> Account {
        Account {
            name: name.to_owned(),
            number,
            unix_name: Some("ada".to_owned()),
            owner: true,
        }
    }

    #[test]
    fn an_account_comes_back_from_its_message() {
        let mut faults = FieldFaults::new();
        let given = account("w0a.b_c@d-e", 7);
        assert_eq!(decode(Some(encode(&given)), &mut faults), Some(given));
        assert!(faults.is_empty());
    }

    #[test]
    fn what_could_lead_out_of_a_home_is_no_account() {
        for (name, number) in [("", 1), ("..", 1), (".a", 1), ("a/b", 1), ("a\0", 1), ("a", 0)] {
            let mut faults = FieldFaults::new();
            assert_eq!(
                decode(Some(encode(&account(name, number))), &mut faults),
                None,
                "{name:?}"
            );
            assert!(!faults.is_empty(), "{name:?}");
        }
        let mut faults = FieldFaults::new();
        assert_eq!(decode(None, &mut faults), None);
        assert!(!faults.is_empty());
    }
}
