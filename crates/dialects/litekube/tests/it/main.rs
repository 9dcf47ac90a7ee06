//! LiteKube's doors as their clients see them, on a real store and over real TLS.

#[cfg(test)]
mod bad_inputs;
#[cfg(test)]
mod bed;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod numbering;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod reflection;
#[cfg(test)]
mod story;
