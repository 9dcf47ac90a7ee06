//! The greeter over real sockets: four kinds of call, reflection in both versions, health, and refusals.

#[cfg(test)]
mod greeter;
