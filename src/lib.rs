//! Safelight: a native desktop studio for latent diffusion.

pub mod app;
pub mod cli;
pub mod diffusion;
pub mod engine;
pub mod formats;
pub mod latent;
pub mod models;
pub mod networks;
pub mod panels;
pub mod preview;
pub mod request;
pub mod session;
pub mod store;
