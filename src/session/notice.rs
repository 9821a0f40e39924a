//! Messages to the person.

/// How serious a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something failed.
    Error,
}

/// A message until it is dismissed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its name within the session.
    pub id: u64,
    /// How serious it is.
    pub severity: Severity,
    /// What happened.
    pub what: String,
    /// Why, and what to try.
    pub why: String,
}
