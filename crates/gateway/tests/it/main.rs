//! The front door over real sockets, in one process.

#[cfg(test)]
mod hosts;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod proxy_bed;
#[cfg(test)]
mod support;
#[cfg(test)]
mod web;
