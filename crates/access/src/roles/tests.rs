//! The data file, and what a broken one says.

use super::{Reach, Role, Table};

#[test]
fn the_shipped_table_is_well_formed_and_has_a_line_for_each_action_of_this_room() {
    let table = Table::shipped().expect("well formed");
    for action in crate::ACTIONS {
        assert!(table.actions().any(|line| line == *action), "{action}");
    }
    assert_eq!(table.reach(Role::Member, "jobs.get"), Some(Reach::Own));
    assert_eq!(table.reach(Role::Member, "user.create"), None);
}

#[test]
fn no_role_reaches_further_than_one_above_it() {
    let table = Table::shipped().expect("well formed");
    for action in table.actions() {
        for pair in Role::ALL.windows(2) {
            let (lower, higher) = (table.reach(pair[0], action), table.reach(pair[1], action));
            assert!(lower <= higher, "{action}: {} and {}", pair[0], pair[1]);
        }
    }
}

#[test]
fn z10_a_table_with_an_unknown_double_or_misspelt_line_is_refused() {
    let cases = [
        "[actions]\n'a.b' = { owner = 'zone', boss = 'own' }",
        "[actions]\n'a.b' = { owner = 'zones' }",
        "[actions]\n'a.b' = { owner = '*' }",
        "[actions]\n'a.b' = { owner = 'zone' }\n'a.b' = { owner = 'own' }",
        "[actions]\n'a.b' = { owner = 'zone', owner = 'own' }",
        "[actions]\n'a.b' = 'zone'",
        "[action]\n'a.b' = { owner = 'zone' }",
        "[actions]\n[more]\n",
        "",
    ];
    for text in cases {
        assert!(Table::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_widest_of_several_roles_counts() {
    let table = Table::parse("[actions]\n'a.b' = { admin = 'zone', member = 'own' }").expect("well formed");
    assert_eq!(
        table.widest(&[Role::Member, Role::Admin], "a.b"),
        Some(Reach::Zone)
    );
    assert_eq!(table.widest(&[Role::Member], "a.b"), Some(Reach::Own));
    assert_eq!(
        table.widest(&[Role::Owner], "a.b"),
        None,
        "absent means denied, whatever the rank"
    );
    assert_eq!(table.widest(&[], "a.b"), None);
}
