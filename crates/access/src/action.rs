//! What may be done, as types, so that a use case can ask for the right permit and no other compiles.
//!
//! What it leaves to others: who may do it (`roles.toml`). Slices declare their own actions the same way.

/// One action that needs a right. Implemented by a unit struct in the slice that does it.
pub trait Action: Send + Sync + 'static {
    /// The name in the table of roles and in the audit trail, such as "jobs.submit".
    const NAME: &'static str;
    /// Whether the action changes something and so leaves an audit row.
    const WRITES: bool;
}

/// Makes the unit structs of a room's actions, and the list of their names as `ACTIONS`: a doc comment, the type, its
/// name in the table of roles, and whether it writes. A room with several groups gives each a module.
#[macro_export]
macro_rules! actions {
    (@one $(#[$doc:meta])* $action:ident $name:literal $writes:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $action;

        impl $crate::Action for $action {
            const NAME: &'static str = $name;
            const WRITES: bool = $writes;
        }
    };
    ($($(#[$doc:meta])* $action:ident $name:literal $writes:literal)*) => {
        $($crate::actions!(@one $(#[$doc])* $action $name $writes);)*

        /// The names of this room's actions.
        pub const ACTIONS: &[&str] = &[$($name),*];
    };
    ($($vis:vis mod $module:ident { $($(#[$doc:meta])* $action:ident $name:literal $writes:literal)* })*) => {
        $($vis mod $module {
            //! Actions of this room.

            $($crate::actions!(@one $(#[$doc])* $action $name $writes);)*
        })*

        /// The names of this room's own actions.
        pub const ACTIONS: &[&str] = &[$($($name),*),*];
    };
}

crate::actions! {
    pub mod session {
        /// Ends the caller's session.
        SignOut "session.sign_out" true
        /// Tells who the caller is.
        WhoAmI "session.who_am_i" false
        /// Sets the caller's password.
        SetPassword "session.set_password" true
        /// Adds a key of the caller.
        AddKey "session.add_key" true
        /// Links a wallet to the caller.
        AddWallet "session.add_wallet" true
        /// Lists the caller's wallets.
        ListWallets "session.list_wallets" false
        /// Takes a wallet away from the caller.
        RemoveWallet "session.remove_wallet" true
        /// Gives the caller a certificate that shows a session.
        Certify "session.certify" true
    }
    pub mod user {
        /// Makes a user.
        Create "user.create" true
        /// Lists users.
        List "user.list" false
        /// Gives a one-time sign-in code for a user.
        Code "user.code" true
        /// Ends all sessions of a user.
        Revoke "user.revoke" true
    }
    pub mod zone {
        /// Tells how the zone is.
        Status "zone.status" false
    }
    pub(crate) mod trail {
        /// Reads and verifies the audit trail.
        Read "audit.read" false
    }
}
