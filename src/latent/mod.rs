//! What a latent is: shape, format, trajectory, statistics, linear maps to RGB.
