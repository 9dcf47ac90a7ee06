//! The test server and the test client against each other, over real sockets: plain, TLS, both sides with certificates.

#[cfg(test)]
mod blocking;
#[cfg(test)]
mod features;
#[cfg(test)]
mod ours;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod support;
#[cfg(test)]
mod wrong;
