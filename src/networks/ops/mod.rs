//! The operations the networks are made of.
