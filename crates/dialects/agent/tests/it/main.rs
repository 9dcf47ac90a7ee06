//! Machines that join a zone over real sockets, keep their link, and are put out.

#[cfg(test)]
mod bed;
#[cfg(test)]
mod join;
#[cfg(test)]
mod life;
#[cfg(test)]
mod tunnel;
