//! The typed list of noise levels.

use super::Language;
use super::words::{draft_words, levels_words};
use crate::catalog::ModelProfile;
use crate::request::NoiseLevels;

/// Where the noise levels of a run come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LevelsKind {
    #[default]
    Schedule,
    Sigmas,
    Timesteps,
}

/// The list of noise levels as it is typed, which may be wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct LevelsField {
    pub(super) kind: LevelsKind,
    pub(super) typed: String,
}

impl LevelsField {
    /// The typed levels, if there are any.
    ///
    /// # Errors
    /// A sentence for a list that is wrong or does not fit the model.
    pub(super) fn read(
        &self,
        profile: &ModelProfile,
        language: Language,
    ) -> Result<Option<NoiseLevels>, String> {
        let typed = self.typed.trim();
        let levels = match self.kind {
            LevelsKind::Sigmas if !typed.is_empty() => NoiseLevels::of_sigmas(typed),
            LevelsKind::Timesteps if !typed.is_empty() => NoiseLevels::of_timesteps(typed),
            _ => return Ok(None),
        };
        let levels = levels.map_err(|error| levels_words(&error, language))?;
        levels.check(profile).map_err(|error| draft_words(&error, language))?;
        Ok(Some(levels))
    }

    /// Takes over levels that were set elsewhere, such as by a picture's settings or another model.
    pub(super) fn follow(&mut self, levels: Option<&NoiseLevels>, profile: &ModelProfile) {
        let ours = self.read(profile, Language::English).ok().flatten();
        if ours.as_ref() == levels {
            return;
        }
        *self = match levels {
            None => Self::default(),
            Some(levels) => Self {
                kind: match levels {
                    NoiseLevels::Sigmas(_) => LevelsKind::Sigmas,
                    NoiseLevels::Timesteps(_) => LevelsKind::Timesteps,
                },
                typed: levels.joined(", "),
            },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_follows_what_was_set_elsewhere_and_keeps_what_is_being_typed() {
        let profile = ModelProfile::made_up();
        let mut field = LevelsField::default();
        let sigmas = NoiseLevels::Sigmas(vec![14.6, 0.5]);
        field.follow(Some(&sigmas), &profile);
        assert_eq!((field.kind, field.typed.as_str()), (LevelsKind::Sigmas, "14.6, 0.5"));
        field.typed = "14.6 0.5 0".into();
        field.follow(Some(&sigmas), &profile);
        assert_eq!(field.typed, "14.6 0.5 0", "the same levels");
        for (wrong, says) in [("14.6, x", "‘x’ is not a number"), ("9999", "9999 is not a sigma")] {
            field.typed = wrong.into();
            assert!(field.read(&profile, Language::English).unwrap_err().contains(says));
            assert!(!field.read(&profile, Language::Korean).unwrap_err().contains("not a"));
            field.follow(None, &profile);
            assert_eq!(field.typed, wrong);
        }
        field.typed = "14.6".into();
        field.follow(None, &profile);
        assert_eq!((field.kind, field.typed.as_str()), (LevelsKind::Schedule, ""));
    }
}
