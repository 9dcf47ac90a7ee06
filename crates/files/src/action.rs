//! The actions of this slice, as the table of roles and the audit trail name them.
//!
//! What it leaves to others: who may do them (`access`).

access::actions! {
    /// Tells where the caller's home is.
    Home "files.home" false
    /// Lists a folder as the caller.
    List "files.list" false
    /// Reads a file as the caller.
    Read "files.read" false
    /// Writes a file as the caller.
    Write "files.write" true
}
