//! What may be done with machines, as types for permits.
//!
//! What it leaves to others: who may do it (access's table of roles).

access::actions! {
    /// Makes a join token.
    MakeToken "node.token" true
    /// Lists join tokens.
    ListTokens "node.tokens" false
    /// Ends a join token.
    RevokeToken "node.revoke" true
    /// Joins the zone, with a token.
    Join "node.join" true
    /// Lists machines.
    List "node.list" false
    /// Puts a machine out of the zone.
    Remove "node.remove" true
    /// Says that a machine lives.
    Heartbeat "node.heartbeat" false
    /// Gets a machine its next certificate.
    Renew "node.renew" true
    /// Tells a machine what the zone knows of it.
    State "node.state" false
    /// Ends a machine's part in the zone, by itself.
    Leave "node.leave" true
}
