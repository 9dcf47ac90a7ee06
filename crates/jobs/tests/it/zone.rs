//! The slice as a whole, with a store and permits.
