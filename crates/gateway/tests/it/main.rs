//! The front door over real sockets, in one process.

#[cfg(test)]
mod hosts;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod support;
#[cfg(test)]
mod web;
