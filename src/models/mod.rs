//! Whole models: weights, tokenizer, text to embedding, denoiser, VAE.
