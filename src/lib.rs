//! Safelight: a native desktop studio for latent diffusion.
//!
//! You type a prompt and watch the latent become a picture; you drop a picture in and look at its
//! latent; you keep what you like. The latent is the document: it is kept at every step, saved
//! before it is decoded, and what you see while it develops is drawn from it by a shader.
//!
//! # Layers
//!
//! A module uses only modules of the rows above its own, and only those listed.
//! `tests/layering.rs` holds the sources to this table, and to this: no files use each other. `unsafe` stands in [`kernels`] and in the call of the allocator's
//! options, and nowhere else.
//!
//! | row | module | knows | uses |
//! |---|---|---|---|
//! | 0 | [`latent`] | what a latent is: shape, format, trajectory, statistics | |
//! | 0 | [`reason`] | why something failed, as a kind with details, which the window says in its own language | |
//! | 0 | [`catalog`] | the choices: models and their profiles, samplers, schedules | `latent` |
//! | 0 | [`request`] | what a user asks for: draft → validated request; the cancel token | `latent`, `catalog` |
//! | 0 | [`kernels`] | fast arithmetic of a processor on plain slices: GEMM, convolution, attention, norms, decoding of quantised weights; instruction sets, threads, scratch memory | `weights` |
//! | 0 | [`content`] | the kind of a foreign file by its content; JSON as Python writes it | `reason` |
//! | 0 | [`weights`] | tensors as files hold them: number formats, sources of tensors, files of weights | `content`, `reason` |
//! | 0 | [`projection`] | latent → RGB on a processor: linear and patch maths, their fit, the reference of the shaders | `latent` |
//! | 1 | [`diffusion`] | the mathematics on plain latents: noise and its processes, schedules, prediction types, guidance, samplers, the one sampling loop | `latent`, `catalog`, `request`, `reason` |
//! | 1 | [`networks`] | text encoders (CLIP, T5, Qwen3), UNet, diffusion transformers and VAE over neutral operations, which the kernels or a library such as candle compute; checks of every operation on a device | `latent`, `catalog`, `request`, `content`, `kernels`, `weights` |
//! | 1 | [`formats`] | files ↔ values: pictures, embedded metadata, latents | `latent`, `projection`, `catalog`, `request`, `content`, `weights`, `reason` |
//! | 1 | [`store`] | the files of models, wherever they are, as diffusers' layout: the built-in one, folders, single files, files for each part; layouts and names; the library of what is on the machine; fetching from the hub and its cache; the history of all runs | `latent`, `projection`, `catalog`, `request`, `content`, `weights`, `formats`, `reason` |
//! | 1 | [`preview`] | latents ↔ GPU: pipelines, uniforms, paint callbacks | `latent`, `projection` |
//! | 2 | [`reel`] | the development of a run taken along: when which step is shown, the frames, the sheet of all steps | `latent`, `projection`, `request`, `formats`, `reason` |
//! | 2 | [`models`] | whole models: tokenizer, text to embedding, denoiser, VAE; the devices they run on, and their checks | `latent`, `catalog`, `request`, `content`, `weights`, `diffusion`, `networks`, `store`, `reason` |
//! | 3 | [`engine`] | one thread: commands in, events out; the device that `auto` means | `latent`, `projection`, `catalog`, `request`, `weights`, `diffusion`, `models`, `formats`, `store`, `reason` |
//! | 4 | [`session`] | what the window knows; pure updates, no egui | `latent`, `projection`, `catalog`, `request`, `reel`, `engine`, `formats`, `store`, `reason` |
//! | 5 | [`panels`] | how the window looks | `latent`, `projection`, `catalog`, `request`, `reel`, `engine` (stages, failures, settings), `formats` (facts), `session`, `preview`, `reason` |
//! | 6 | [`app`] | eframe glue, dialogs, dropped files, saving, settings | all but `kernels`, `diffusion`, `networks`, `models` |
//! | 6 | [`cli`] | the same engine without a window | `latent`, `catalog`, `request`, `reel`, `content`, `weights`, `models`, `engine`, `formats`, `store` |
//!
//! # Message flow
//!
//! ```text
//! window thread (egui)                              thread "safelight-engine" (candle, one device)
//! panels ─Action→ session ─→ app ─Command::Run(job)→ worker: encode prompt → noise → sampling loop
//!                                                             → latent kept → VAE decode
//! session ←─ bounded channel ←─ Event::StepFinished (may be dropped when the window is slow)
//!         ←─                 ←─ every other event (never lost)
//! newest denoised latent → panels → preview → texture, if it changed → WGSL → pixels
//! ```
//!
//! What crosses the thread is plain data ([`latent::Latent`], [`request::Picture`]), never a tensor
//! and never a GPU handle. A job is stopped by a [`request::CancelToken`], which is checked between network blocks.
//! The window and the command line are two clients of one engine.
//!
//! # How one more comes in
//!
//! | one more | touches |
//! |---|---|
//! | model family | its folder in `models/families` and its row in [`models::FAMILIES`], networks if new, a fixture |
//! | file layout | a file in `store/layout` and one in `store/names`, a kind in [`weights::WeightsKind`], a fixture |
//! | file of weights | a [`weights::TensorSource`]; a number format is a variant of [`weights::BlockFormat`] and a decode routine in [`kernels::dequantise`] |
//! | adapter (LoRA) | a [`weights::TensorSource`] around the model's, and a field of [`models::Conditioning`] |
//! | model to fetch | its files and its row in `assets/models.json` |
//! | sampler | its file in `diffusion/sampler` with its row of `SAMPLERS`, its names in [`catalog::SamplerKind`], a fixture row |
//! | file of a foreign kind | [`content::Content`], and a reader in [`formats`] |
//! | view of the inside of a step | [`diffusion::Insight`] and [`request::Watched`] if the network takes part, a variant of [`session::InsideView`] |
//! | preview method | a variant, a shader, its processor reference in [`projection`], a row in the shader test |
//! | device | [`models::DeviceSource`] opens it; `tests/device_parity.rs` checks it |
//! | library that computes on devices | a variant of [`networks::backend::Tensor`] and of [`networks::backend::Device`], and what the compiler then asks for in that folder |
//! | panel | its file, a snapshot |
//! | language | one table of words; a missing word does not compile |
//!
//! # Glossary
//!
//! | word | means |
//! |---|---|
//! | latent | what the denoiser works on, `[C, H, W]`; **model space** is scaled to about unit variance, **VAE space** is as the autoencoder writes it |
//! | x_t, x̂₀ | the noisy latent of a step, and the denoised estimate made from it |
//! | schedule, sigma | the noise levels of a run; sigma is the noise's standard deviation over the signal's (k-diffusion) |
//! | sampler | the rule that takes a latent from one noise level to the next |
//! | denoiser | the network with a prompt, guidance included: noisy latent in, x̂₀ out |
//! | guidance | classifier-free guidance: `uncond + scale · (cond − uncond)`; 1 is off |
//! | chunk | the tokens that the text encoder takes at once, 77 for CLIP |
//! | VAE, posterior | the autoencoder between pictures and latents; the Gaussian that its encoder gives |
//! | profile | what is known of a model: family, latent format, prediction, defaults |
//! | checkpoint | the files of a model, wherever they are |
//! | library, entry | the models on the machine, found where they lie, and what the headers of one say |
//! | layout, part | how a model lies in files (a folder of diffusers, CompVis' one file, a file for each part), and one of its networks |
//! | projection | a linear map from latents to colours: the preview |
//! | tiny decoder | a small network that decodes the latents of one VAE, such as TAESD: a preview method where a shader draws it quickly enough, and quick decodes on the processor |
//! | fit | a projection computed by regression from a VAE's own decodes |
//! | draft, request | the settings as a user typed them, which may be invalid, and once validated |
//! | job, step, trajectory | one task of the engine, one step of its sampling, all steps of a run |
//! | run, part, fork | one sampling from its beginning to its picture, as the history keeps it; a stretch of it with one set of settings; a run that goes on from a step of another |
//! | reel, sheet | the steps of a run one after another as a moving picture; all of them on one picture |
//! | moment, family | what a run shows at one step or at its end; all runs that come from one by forks |
//! | grid, axis, cell | pictures that differ in one to three settings, as columns, rows and pages; a setting with its values; one of the pictures |
//! | pair, side | two results, files or steps that are compared; one of them |
//! | insight | what is seen inside a step: how strongly guidance pulls, where the tokens of the prompt act |
//! | facts | the settings that a picture's file holds |
//! | LHS, RHS, panel, epilogue, prologue | see [`kernels`] |

pub mod app;
pub mod catalog;
pub mod cli;
pub mod content;
pub mod diffusion;
pub mod engine;
pub mod formats;
pub mod kernels;
pub mod latent;
pub mod models;
pub mod networks;
pub mod panels;
pub mod preview;
pub mod projection;
pub mod reason;
pub mod reel;
pub mod request;
pub mod session;
pub mod store;
pub mod weights;
