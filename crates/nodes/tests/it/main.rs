//! Machines that join, act and leave, on a real store.

#[cfg(test)]
mod bed;
#[cfg(test)]
mod join;
#[cfg(test)]
mod life;
#[cfg(test)]
mod registered;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod upgrade;
