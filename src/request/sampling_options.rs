//! Settings of sampling that most pictures leave to the sampler and the model.

use std::str::FromStr;

/// What may be asked of a run beyond sampler, schedule and steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplingOptions {
    /// How much of the noise each step draws anew, 0..=1; `None` is the sampler's default.
    pub eta: Option<f64>,
    /// How far guidance is scaled back to the prediction's own spread (Lin et al. 2023), 0..=1; 0 is not at all.
    pub guidance_rescale: f64,
    /// Shift of a flow's times towards high noise; `None` is the model's.
    pub shift: Option<f64>,
    /// The noise levels themselves, in place of a schedule.
    pub levels: Option<NoiseLevels>,
}

/// A list of noise levels, falling.
#[derive(Clone, Debug, PartialEq)]
pub enum NoiseLevels {
    /// k-diffusion's sigmas, or the times of a flow as they are, not shifted; without the 0 at the end.
    Sigmas(Vec<f64>),
    /// Training timesteps, which may be fractional.
    Timesteps(Vec<f64>),
}

/// Why a typed list is not a list of noise levels.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LevelsError {
    /// A word that is not a finite number.
    #[error("‘{0}’ is not a number")]
    NotANumber(String),
    /// No numbers, or too many.
    #[error("use 1 to {most} numbers between commas", most = NoiseLevels::MOST)]
    Count,
    /// A number and the next one, which is not smaller.
    #[error("use falling numbers: {0} is followed by {1}")]
    NotFalling(f64, f64),
    /// A sigma that is not above 0.
    #[error("use sigmas above 0; the 0 at the end may be left out")]
    Sigma,
    /// A timestep below 0.
    #[error("use timesteps from 0 on")]
    Timestep,
}

impl NoiseLevels {
    /// The largest number of levels.
    pub const MOST: usize = 1000;

    /// The numbers.
    pub fn values(&self) -> &[f64] {
        match self {
            Self::Sigmas(values) | Self::Timesteps(values) => values,
        }
    }

    /// The numbers as text, with this between them.
    pub fn joined(&self, between: &str) -> String {
        let values: Vec<String> = self.values().iter().map(f64::to_string).collect();
        values.join(between)
    }

    /// Sigmas as they are typed: numbers between commas or spaces. A 0 at the end may be there or not.
    ///
    /// # Errors
    /// For a text that is not a falling list of positive numbers.
    pub fn of_sigmas(typed: &str) -> Result<Self, LevelsError> {
        let mut sigmas = falling_numbers(typed)?;
        sigmas.pop_if(|last| *last == 0.0);
        match sigmas.last() {
            Some(last) if *last > 0.0 => Ok(Self::Sigmas(sigmas)),
            _ => Err(LevelsError::Sigma),
        }
    }

    /// Timesteps as they are typed: numbers between commas or spaces.
    ///
    /// # Errors
    /// For a text that is not a falling list of timesteps.
    pub fn of_timesteps(typed: &str) -> Result<Self, LevelsError> {
        let timesteps = falling_numbers(typed)?;
        match timesteps.last() {
            Some(last) if *last >= 0.0 => Ok(Self::Timesteps(timesteps)),
            _ => Err(LevelsError::Timestep),
        }
    }
}

/// At least one number, each smaller than the one before.
fn falling_numbers(typed: &str) -> Result<Vec<f64>, LevelsError> {
    let words = typed.split([',', ' ', ';']).map(str::trim).filter(|word| !word.is_empty());
    let numbers: Vec<f64> = words
        .map(|word| {
            let number = f64::from_str(word).ok().filter(|number| number.is_finite());
            number.ok_or_else(|| LevelsError::NotANumber(word.to_owned()))
        })
        .collect::<Result<_, _>>()?;
    if numbers.is_empty() || numbers.len() > NoiseLevels::MOST {
        return Err(LevelsError::Count);
    }
    if let Some([larger, next]) = numbers.array_windows().find(|[first, second]| first <= second) {
        return Err(LevelsError::NotFalling(*larger, *next));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_they_are_typed() {
        let sigmas = NoiseLevels::Sigmas(vec![14.6, 3.0, 0.5]);
        assert_eq!(NoiseLevels::of_sigmas(&sigmas.joined(", ")), Ok(sigmas.clone()));
        for typed in ["14.6,3,0.5", " 14.6 3 0.5 0 ", "14.6, 3.0, 0.5, 0.0"] {
            assert_eq!(NoiseLevels::of_sigmas(typed), Ok(sigmas.clone()), "{typed}");
        }
        assert_eq!(
            NoiseLevels::of_timesteps("999,500,0"),
            Ok(NoiseLevels::Timesteps(vec![999.0, 500.0, 0.0]))
        );
        for (wrong, says) in [
            ("", "use 1 to 1000 numbers"),
            ("3,x", "‘x’ is not a number"),
            ("3,nan", "‘nan’ is not a number"),
            ("1,2", "1 is followed by 2"),
            ("0", "above 0"),
            ("3,-1", "above 0"),
        ] {
            let error = NoiseLevels::of_sigmas(wrong).unwrap_err().to_string();
            assert!(error.contains(says), "{wrong}: {error}");
        }
        assert!(NoiseLevels::of_timesteps("3,-1").is_err());
    }
}
