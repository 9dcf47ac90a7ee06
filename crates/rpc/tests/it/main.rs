//! Listeners, channels and calls over real sockets, in one process.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod support;
#[cfg(test)]
mod trust;
