//! What can be done with money and those who pay, as the table of roles names it.
//!
//! What it leaves to others: who may do it (crate `access`).

access::actions! {
    /// Shows people, tenants and accounts.
    Look "accounts.look" false
    /// Makes a user of a tenant.
    Enrol "accounts.enrol" true
    /// Makes the first administrators, and ends the initialisation.
    Initialise "accounts.initialise" true
    /// Makes a tenant.
    CreateTenant "accounts.create_tenant" true
    /// Makes an account.
    Create "accounts.create" true
    /// Takes a user into an account.
    Join "accounts.join" true
    /// Pays into an account or a tenant, or takes out of it.
    Pay "accounts.pay" true
    /// Sets a price.
    Price "accounts.price" true
    /// Lists prices.
    Prices "accounts.prices" false
    /// Lists charges, payments, jobs with their prices, and the books.
    Charges "accounts.charges" false
    /// Prices what waits, and tells how many jobs are new.
    Fetch "accounts.fetch" true
}
