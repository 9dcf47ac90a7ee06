//! What may be done with the tree, as types for permits.
//!
//! What it leaves to others: who may do it (access's table of roles) and with which keys (`rule`).

access::actions! {
    /// Reads a value.
    Get "tree.get" false
    /// Writes a value, whether or not there is one.
    Set "tree.set" true
    /// Writes a value where there is none.
    Create "tree.create" true
    /// Removes a value.
    Delete "tree.delete" true
    /// Lists the names below a key.
    List "tree.list" false
}
