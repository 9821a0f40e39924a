//! Safelight: a native desktop studio for latent diffusion.

pub mod latent;
pub mod request;
pub mod diffusion;
pub mod networks;
pub mod formats;
pub mod store;
pub mod preview;
pub mod models;
pub mod engine;
pub mod session;
pub mod panels;
pub mod app;
pub mod cli;
