//! Listeners, channels and calls over real sockets, in one process.

#![expect(clippy::disallowed_methods, reason = "a test owns its tasks by their handles")]

#[cfg(test)]
mod abuse;
#[cfg(test)]
mod age;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod arguments;
#[cfg(test)]
mod blocking;
#[cfg(test)]
mod busy;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod channel;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod guard;
/// The examples of docs/grpc.md.
#[cfg(test)]
#[path = "../../examples/hello/main.rs"]
#[expect(dead_code, reason = "its own main is for people")]
mod hello;
#[cfg(test)]
mod inherited;
#[cfg(test)]
mod json;
#[cfg(test)]
mod late;
#[cfg(test)]
mod link;
#[cfg(test)]
mod link_calls;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod options;
#[cfg(test)]
mod own_time;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod python;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod retry;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod support;
#[cfg(test)]
mod talker;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod two_sided;
#[cfg(test)]
mod workers;
