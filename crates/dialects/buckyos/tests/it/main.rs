//! BuckyOS's doors over real HTTP, with real sign-in, rights, tree and store.

mod bed;
mod http;
mod logins;
mod password;
mod sessions;
mod tokens;
mod tree;
mod w11;
