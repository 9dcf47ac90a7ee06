//! The protocol as a client meets it: the real services in the rules for every call, over a real store and real
//! sessions, without a network between.

mod session;
mod user;
mod zone;
