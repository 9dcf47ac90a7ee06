//! How services stand, whatever happens.
