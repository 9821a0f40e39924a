//! How the window looks.
