//! Safelight: a native desktop studio for latent diffusion.
//!
//! You type a prompt and watch the latent become a picture; you drop a picture in and look at its
//! latent; you keep what you like. The latent is the document: it is kept at every step, saved
//! before it is decoded, and what you see while it develops is drawn from it by a shader.
//!
//! # Layers
//!
//! A module uses only modules of the rows above its own, and only those listed.
//! `tests/layering.rs` holds the sources to this table.
//!
//! | row | module | knows | uses |
//! |---|---|---|---|
//! | 0 | [`latent`] | what a latent is: shape, format, trajectory, statistics | |
//! | 0 | [`request`] | what a person may ask: draft → validated request; model families; the stop switch | `latent` |
//! | 0 | [`projection`] | latent → RGB on a processor: linear and patch maths, their fit, the reference of the shaders | `latent` |
//! | 1 | [`diffusion`] | noise, schedules, prediction types, guidance, samplers, the one sampling loop | `latent`, `request` |
//! | 1 | [`networks`] | CLIP, UNet, VAE, and the fast operations under them | `latent`, `request` |
//! | 1 | [`formats`] | files ↔ values: pictures, embedded metadata, latents | `latent`, `projection`, `request` |
//! | 1 | [`store`] | which models there are: the built-in one and folders | `latent`, `projection`, `request` |
//! | 1 | [`preview`] | latents ↔ GPU: pipelines, uniforms, paint callbacks | `latent`, `projection` |
//! | 2 | [`models`] | whole models: weights, tokenizer, text to embedding, denoiser, VAE | `latent`, `request`, `diffusion`, `networks`, `store` |
//! | 3 | [`engine`] | one thread: commands in, events out | `latent`, `projection`, `request`, `diffusion`, `networks` (threads), `models`, `formats`, `store` |
//! | 4 | [`session`] | what the window knows; pure updates, no egui | `latent`, `projection`, `request`, `engine`, `formats`, `store` |
//! | 5 | [`panels`] | how the window looks | `latent`, `projection`, `request`, `engine` (stages, failures), `formats` (facts), `session`, `preview` |
//! | 6 | [`app`] | eframe glue, dialogs, dropped files, saving, settings | all but `diffusion`, `networks`, `models` |
//! | 6 | [`cli`] | the same engine without a window | `latent`, `request`, `models`, `engine`, `formats`, `store` |
//!
//! # Message flow
//!
//! ```text
//! window thread (egui)                              thread "safelight-engine" (candle, one device)
//! panels ─Action→ session ─→ app ─Command::Generate→ worker: encode prompt → noise → sampling loop
//!                                                             → latent kept → VAE decode
//! session ←─ bounded channel ←─ Event::StepFinished (may be dropped when the window is slow)
//!         ←─                 ←─ every other event (never lost)
//! newest denoised latent → panels → preview → texture, if it changed → WGSL → pixels
//! ```
//!
//! What crosses the thread is plain data ([`latent::Latent`], [`request::Picture`]), never a tensor
//! and never a GPU handle. Stopping is a [`request::CancelToken`] looked at between network blocks.
//! The window and the command line are two clients of one engine.

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
pub mod projection;
pub mod request;
pub mod session;
pub mod store;
