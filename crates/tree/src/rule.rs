//! Who may read and write which keys, until the zone's own policy text says more.
//!
//! - An owner or an administrator of the zone reads and writes every key (their permit covers the zone).
//! - Everybody else reads and writes below `users/<their name>/`, except `settings`, `doc` and `key` right there:
//!   these say who the person is, so other programs trust them, and the person only reads them.
//! - Everybody signed in reads what a client needs to find its way: `boot/...`, `services/<service>/info`,
//!   `agents/<agent>/doc`.
//! - Nothing else. A list is allowed at a place when every key below it may be read.
//!
//! Names compare byte for byte. What it leaves to others: roles (access).

use access::Cover;
use model::Name;

/// Keys of a user that say who the user is.
const SAYS_WHO: [&str; 3] = ["settings", "doc", "key"];

/// Tells whether `name`, with this cover, may read the key of these segments.
#[must_use]
pub fn may_read<'a>(cover: &Cover, name: &Name, segments: impl Iterator<Item = &'a str>) -> bool {
    let segments: Vec<&str> = segments.collect();
    match (cover, segments.as_slice()) {
        (Cover::Zone, _) | (_, ["boot", _, ..] | ["services", _, "info"] | ["agents", _, "doc"]) => true,
        (_, ["users", user, _, ..]) => *user == name.as_str(),
        _ => false,
    }
}

/// Tells whether `name`, with this cover, may write the key of these segments.
#[must_use]
pub fn may_write<'a>(cover: &Cover, name: &Name, segments: impl Iterator<Item = &'a str>) -> bool {
    let segments: Vec<&str> = segments.collect();
    match (cover, segments.as_slice()) {
        (Cover::Zone, _) => true,
        (_, ["users", user, own]) => *user == name.as_str() && !SAYS_WHO.contains(own),
        (_, ["users", user, _, _, ..]) => *user == name.as_str(),
        _ => false,
    }
}

/// Tells whether `name`, with this cover, may list the names at the place of these segments.
#[must_use]
pub fn may_list<'a>(cover: &Cover, name: &Name, segments: impl Iterator<Item = &'a str>) -> bool {
    let segments: Vec<&str> = segments.collect();
    match (cover, segments.as_slice()) {
        (Cover::Zone, _) | (_, ["boot", ..]) => true,
        (_, ["users", user, ..]) => *user == name.as_str(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use access::Cover;
    use model::{Name, Timestamp, UserId};

    use super::{may_list, may_read, may_write};

    #[test]
    fn the_rule_is_this_table() {
        let name: Name = "ada".parse().unwrap();
        let own = Cover::Own(UserId::fresh(Timestamp::from_secs(1)));
        // Place, and whether a member named `ada` may read, write and list there.
        let table = [
            ("users/ada/apps/files/settings", true, true, true),
            ("users/ada/profile", true, true, true),
            ("users/ada/settings", true, false, true),
            ("users/ada/doc", true, false, true),
            ("users/ada/key", true, false, true),
            ("users/ada/settings/x", true, true, true),
            ("users/ada", false, false, true),
            ("users", false, false, false),
            ("users/Ada/profile", false, false, false),
            ("users/adam/profile", false, false, false),
            ("users/bob/profile", false, false, false),
            ("boot/config", true, false, true),
            ("boot", false, false, true),
            ("services/kmsg/info", true, false, false),
            ("services/kmsg/settings", false, false, false),
            ("services/kmsg/info/x", false, false, false),
            ("agents/a/doc", true, false, false),
            ("agents/a/settings", false, false, false),
            ("devices/one/doc", false, false, false),
            ("system/rbac/policy", false, false, false),
            ("security/verify-hub/key", false, false, false),
            ("x", false, false, false),
        ];
        for (place, read, write, list) in table {
            let split = || place.split('/');
            assert_eq!(may_read(&own, &name, split()), read, "read {place}");
            assert_eq!(may_write(&own, &name, split()), write, "write {place}");
            assert_eq!(may_list(&own, &name, split()), list, "list {place}");
            assert!(may_read(&Cover::Zone, &name, split()) && may_write(&Cover::Zone, &name, split()));
            assert!(may_list(&Cover::Zone, &name, split()));
        }
        assert!(!may_list(&own, &name, std::iter::empty()));
    }
}
