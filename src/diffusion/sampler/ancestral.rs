//! How an ancestral step parts the noise at its end in old and fresh noise.

use crate::diffusion::ScheduleStep;

/// The shares of the noise at the end of a step that are kept and drawn anew; their squares add up to 1.
///
/// Source: k-diffusion, `get_ancestral_step`. `eta` 0 keeps all of it, 1 as little as Markov's chain allows.
pub(super) fn old_and_fresh(ScheduleStep { from, to }: ScheduleStep, eta: f64) -> [f64; 2] {
    // Ratio of the k-diffusion sigmas of end and start; 0 where the start has no signal.
    let share = to.sigma * from.alpha / (to.alpha * from.sigma);
    let fresh = (eta * (1.0 - share * share).max(0.0).sqrt()).min(1.0);
    [(1.0 - fresh * fresh).sqrt(), fresh]
}
