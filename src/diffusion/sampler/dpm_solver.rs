//! The steps that all solvers of the DPM-Solver family share: x̂₀ or the noise is extrapolated in λ, and the rest of the
//! equation is integrated exactly.
//!
//! Source: Lu et al. 2022, <https://arxiv.org/abs/2206.00927> (noise prediction) and
//! <https://arxiv.org/abs/2211.01095> (data prediction and the stochastic equation), in diffusers' midpoint and Heun
//! forms.

use crate::diffusion::NoiseLevel;
use crate::diffusion::combine::combine;
use crate::latent::Latent;

/// What is extrapolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extrapolated {
    /// x̂₀ (DPM-Solver++).
    Data,
    /// The noise (DPM-Solver).
    Noise,
}

/// The equation that is solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Equation {
    pub(super) extrapolated: Extrapolated,
    /// Whether it is the stochastic equation; only for [`Extrapolated::Data`].
    pub(super) stochastic: bool,
    /// Whether a linear change is integrated exactly (Heun's form) instead of to the second order (the midpoint's).
    pub(super) heun: bool,
}

/// The factors of one step.
pub(super) struct Factors {
    /// Of the latent at the start.
    pub(super) kept: f64,
    /// Of what is extrapolated.
    pub(super) constant: f64,
    /// Of its first divided difference, in units of the step.
    pub(super) linear: f64,
    /// The same, exactly integrated.
    pub(super) exact_linear: f64,
    /// Of its second one.
    pub(super) quadratic: f64,
    /// Of fresh noise.
    pub(super) fresh: f64,
}

impl Equation {
    /// The factors of a step over `h` in λ; `from` has some signal where noise is extrapolated.
    pub(super) fn factors(self, from: NoiseLevel, to: NoiseLevel) -> Factors {
        let h = to.lambda() - from.lambda();
        match self.extrapolated {
            Extrapolated::Data => {
                // The stochastic equation forgets twice as fast.
                let x = if self.stochastic { 2.0 * h } else { h };
                let constant = -to.alpha * (-x).exp_m1();
                let curvature = ((-x).exp_m1() + x) / (x * x);
                Factors {
                    kept: to.sigma / from.sigma * if self.stochastic { (-h).exp() } else { 1.0 },
                    constant,
                    linear: 0.5 * constant,
                    exact_linear: to.alpha * ((-x).exp_m1() / x + 1.0),
                    // diffusers adds the half in the stochastic equation, where the mathematics would subtract it.
                    quadratic: -to.alpha * if self.stochastic { curvature + 0.5 } else { curvature - 0.5 },
                    fresh: if self.stochastic { to.sigma * (-(-2.0 * h).exp_m1()).sqrt() } else { 0.0 },
                }
            }
            Extrapolated::Noise => {
                // σ · (e^h − 1), which is finite for a step to no noise.
                let grown = to.alpha * from.sigma / from.alpha - to.sigma;
                Factors {
                    kept: to.alpha / from.alpha,
                    constant: -grown,
                    linear: -0.5 * grown,
                    exact_linear: -(grown / h - to.sigma),
                    quadratic: -((grown - to.sigma * h) / (h * h) - 0.5 * to.sigma),
                    fresh: 0.0,
                }
            }
        }
    }
}

/// A latent with the level at which it is, or what the network made of it there.
pub(super) type At = (NoiseLevel, Latent);

/// λ's distance from one level to another.
pub(super) fn distance(from: NoiseLevel, to: NoiseLevel) -> f64 {
    to.lambda() - from.lambda()
}

/// A step by at most the order of `outputs`, from the level of the newest of them; newest first.
pub(super) fn multistep(
    equation: Equation,
    noisy: &Latent,
    outputs: &[At],
    to: NoiseLevel,
    fresh: Option<&Latent>,
) -> Latent {
    let (from, m0) = &outputs[0];
    let factors = equation.factors(*from, to);
    let mut terms = vec![(factors.kept, noisy), (factors.constant, m0)];
    let h = distance(*from, to);
    if let [_, (newer, m1), older @ ..] = outputs
        && h != 0.0
    {
        let r0 = distance(*newer, *from) / h;
        // Factors of the two divided differences (m0 − m1) / r0 and (m1 − m2) / r1.
        let (first_difference, second_difference) = match older {
            [(oldest, m2), ..] => {
                let r1 = distance(*oldest, *newer) / h;
                let curved = (factors.exact_linear * r0 + factors.quadratic) / (r0 + r1);
                (factors.exact_linear + curved, Some((-curved / r1, m2)))
            }
            [] => (if equation.heun { factors.exact_linear } else { factors.linear }, None),
        };
        terms.extend([(first_difference / r0, m0), (-first_difference / r0, m1)]);
        if let Some((factor, m2)) = second_difference {
            terms.extend([(factor, m1), (-factor, m2)]);
        }
    }
    terms.extend(fresh.map(|fresh| (factors.fresh, fresh)));
    combine(&terms)
}

/// A step from the level of the oldest of `outputs` over all of them to `to`; newest first, at most three.
pub(super) fn singlestep(equation: Equation, start: &Latent, outputs: &[At], to: NoiseLevel) -> Latent {
    let Some(((from, oldest), later)) = outputs.split_last() else {
        unreachable!("a step has at least one output");
    };
    let factors = equation.factors(*from, to);
    let h = distance(*from, to);
    // Where each later output lies in the step.
    let place = |at: &At| distance(*from, at.0) / h;
    let differences = match later {
        [] => vec![],
        [newest] => {
            vec![(if equation.heun { factors.exact_linear } else { factors.linear }, newest)]
        }
        [newest, middle, ..] if equation.heun => {
            let (r0, r1) = (place(newest), place(middle));
            // D1 = (r0·D10 − r1·D11) / (r0 − r1) and D2 = 2·(D11 − D10) / (r0 − r1).
            let of_middle = (r0 * factors.exact_linear - 2.0 * factors.quadratic) / (r0 - r1);
            let of_newest = (2.0 * factors.quadratic - r1 * factors.exact_linear) / (r0 - r1);
            vec![(of_middle, middle), (of_newest, newest)]
        }
        [newest, ..] => vec![(factors.exact_linear, newest)],
    };
    let mut terms = vec![(factors.kept, start), (factors.constant, oldest)];
    for (factor, at) in differences {
        let share = factor / place(at);
        terms.extend([(share, &at.1), (-share, oldest)]);
    }
    combine(&terms)
}
