//! The tables of this room, as the numbered steps that make them.
//!
//! What it leaves to others: running the steps (`store`).

use store::Migration;

/// The steps, in order. A step that was ever released is never changed.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        room: "access",
        number: 1,
        sql: include_str!("../sql/0001_people.sql"),
    },
    Migration {
        room: "access",
        number: 2,
        sql: include_str!("../sql/0002_root.sql"),
    },
    Migration {
        room: "access",
        number: 3,
        sql: include_str!("../sql/0003_audit.sql"),
    },
    Migration {
        room: "access",
        number: 4,
        sql: include_str!("../sql/0004_nodes.sql"),
    },
    Migration {
        room: "access",
        number: 5,
        sql: include_str!("../sql/0005_wallets.sql"),
    },
    Migration {
        room: "access",
        number: 6,
        sql: include_str!("../sql/0006_certificates.sql"),
    },
    Migration {
        room: "access",
        number: 7,
        sql: include_str!("../sql/0007_greeted.sql"),
    },
];
