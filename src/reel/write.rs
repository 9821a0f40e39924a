//! Making the file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::development::{Development, PreviewProjection, Still};
use super::options::{ReelKind, ReelOptions, Shown};
use super::sheet::sheet;
use super::timing::{PlannedFrame, plan};
use crate::formats::SheetError;
use crate::formats::animation::{AnimationError, AnimationFrame, AnimationSettings, write_animation};
use crate::formats::picture::{WriteOptions, WritePictureError, write_picture};
use crate::projection::PreviewImage;
use crate::reason::{Reason, ReasonKind};
use crate::request::{CancelToken, Picture};

/// Why a reel could not be made. Nothing is left of it, and an older file is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum ReelError {
    /// The run has no steps.
    #[error("the run has no steps that could be shown: they were removed to save space, or none was taken")]
    NoSteps,
    /// It was stopped.
    #[error("stopped")]
    Stopped,
    /// The animation could not be written.
    #[error(transparent)]
    Animation(AnimationError),
    /// The sheet could not be drawn.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// The sheet could not be written.
    #[error(transparent)]
    Picture(#[from] WritePictureError),
}

impl From<AnimationError> for ReelError {
    fn from(error: AnimationError) -> Self {
        match error {
            AnimationError::Stopped => Self::Stopped,
            error => Self::Animation(error),
        }
    }
}

impl From<&ReelError> for Reason {
    fn from(error: &ReelError) -> Self {
        match error {
            ReelError::NoSteps => Self::new(ReasonKind::NoSteps, error),
            ReelError::Stopped => Self::new(ReasonKind::Stopped, error),
            ReelError::Animation(error) => error.into(),
            ReelError::Sheet(error) => error.into(),
            ReelError::Picture(error) => error.into(),
        }
    }
}

/// How far a reel is, and its end. A clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct ReelProgress {
    done: Arc<[AtomicUsize; 2]>,
    /// Stops it.
    pub cancel: CancelToken,
}

impl ReelProgress {
    /// The number of frames that are made, and of all; 0 until that is known.
    pub fn frames(&self) -> [usize; 2] {
        [0, 1].map(|at| self.done[at].load(Ordering::Relaxed))
    }

    /// Sets the number of all frames, none of which is made.
    pub fn begin(&self, frames: usize) {
        self.done[0].store(0, Ordering::Relaxed);
        self.done[1].store(frames, Ordering::Relaxed);
    }

    /// A frame is made.
    ///
    /// # Errors
    /// [`AnimationError::Stopped`] if it is to end.
    pub fn step(&self) -> Result<(), AnimationError> {
        self.done[0].fetch_add(1, Ordering::Relaxed);
        if self.cancel.is_stopped() { Err(AnimationError::Stopped) } else { Ok(()) }
    }
}

/// The size of the frames, pixels; `None` for a run without steps.
pub fn size_of(development: &Development, options: &ReelOptions) -> Option<[usize; 2]> {
    Some(options.size.of(development.size()?, options.kind))
}

/// A decode as [`Development::decodes`] takes it: in the size of the frames, since a run may have many.
pub fn decode_to_keep(decode: &Picture, [width, height]: [usize; 2]) -> Picture {
    let image = PreviewImage::from_bytes(decode.width(), decode.height(), decode.rgb());
    picture([width, height], image.resampled(width, height).bytes())
}

fn picture([width, height]: [usize; 2], bytes: Vec<u8>) -> Picture {
    Picture::new(width, height, bytes).unwrap_or_else(|error| unreachable!("{error}"))
}

/// Checks before the work whether a file of this kind can be written there.
///
/// # Errors
/// [`ReelError::Animation`].
pub fn check(path: &Path, kind: ReelKind) -> Result<(), ReelError> {
    match kind.animation() {
        Some(format) => Ok(format.check(path)?),
        None => Ok(()),
    }
}

/// Makes the file: an animation, or a sheet. Returns the path written, of a sheet with `.png` added if it had no extension.
/// `metadata`: whether it holds the settings.
///
/// # Errors
/// [`ReelError`]. Nothing is left of what was written, and an older file is unchanged.
///
/// # Panics
/// If decodes are to be shown and there is not one for each step.
pub fn write(
    path: &Path,
    development: &Development,
    options: &ReelOptions,
    projection: &PreviewProjection,
    metadata: bool,
    progress: &ReelProgress,
) -> Result<PathBuf, ReelError> {
    let is_decoded = options.shown == Shown::Decoded;
    assert!(!is_decoded || development.decodes.len() == development.steps.len(), "every step is decoded");
    let size = size_of(development, options).ok_or(ReelError::NoSteps)?;
    let facts = development.facts.as_ref().filter(|_| metadata);
    let Some(format) = options.kind.animation() else {
        progress.begin(development.stills(options.shown).len());
        let watch = || Ok::<(), ReelError>(progress.step()?);
        let picture = sheet(development, options.shown, size, projection, watch)?;
        let as_written = WriteOptions { metadata, ..WriteOptions::default() };
        return Ok(write_picture(path, &picture, facts, &as_written)?);
    };
    let stills = development.stills(options.shown);
    let weights = development.weights(&stills, options.pace, projection);
    let frames = plan(&weights, options.easing, options.seconds, options.hold, options.frames_per_second);
    progress.begin(frames.len());
    let settings = AnimationSettings {
        size,
        frames: frames.len(),
        plays: options.plays,
        frames_per_second: options.frames_per_second,
        facts,
    };
    let mut drawer = Drawer { stills: &stills, projection, size, seen: Vec::new() };
    let mut drawn = frames.into_iter().map(|frame| {
        progress.step()?;
        Ok(drawer.draw(frame))
    });
    Ok(write_animation(path, format, &settings, &mut drawn)?)
}

/// Draws frames; the stills between which they are, are kept.
struct Drawer<'a> {
    stills: &'a [Still<'a>],
    projection: &'a PreviewProjection,
    size: [usize; 2],
    seen: Vec<(usize, PreviewImage)>,
}

impl Drawer<'_> {
    fn draw(&mut self, frame: PlannedFrame) -> AnimationFrame {
        let at = (frame.place as usize).min(self.stills.len() - 1);
        let share = frame.place - at as f64;
        self.seen.retain(|(known, _)| (at..=at + 1).contains(known));
        let bytes = if share > 0.0 && at + 1 < self.stills.len() {
            let (from, to) = (self.see(at), self.see(at + 1));
            self.seen[from].1.blended_bytes(&self.seen[to].1, share as f32)
        } else {
            let at = self.see(at);
            self.seen[at].1.bytes()
        };
        AnimationFrame { picture: picture(self.size, bytes), millis: frame.millis }
    }

    /// The place of a still among those that are kept.
    fn see(&mut self, still: usize) -> usize {
        if let Some(at) = self.seen.iter().position(|(known, _)| *known == still) {
            return at;
        }
        self.seen.push((still, self.stills[still].seen(self.projection, self.size)));
        self.seen.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::metadata::GenerationFacts;
    use crate::formats::picture::{ReadOptions, read_picture};
    use crate::latent::{Latent, LatentFormat, LatentShape, TrajectoryStep};
    use crate::reel::{Easing, Pace, ReelSize};
    use crate::request::Seed;

    const FORMAT: LatentFormat = LatentFormat::STABLE_DIFFUSION;

    fn latent(seed: f32) -> Latent {
        let shape = LatentShape::new(4, 4, 6);
        Latent::new(shape, (0..96u8).map(|i| (f32::from(i) * seed).sin()).collect::<Vec<_>>()).unwrap()
    }

    /// A run whose steps have these numbers, of eight.
    fn run(numbers: &[usize]) -> Development {
        let step = |number: &usize| {
            let denoised = latent(*number as f32);
            let outputs = vec![denoised.clone()];
            let (noisy, sigma) = (latent(50.0 + *number as f32), 8.0 - *number as f64);
            TrajectoryStep { step: *number, steps: 8, sigma, noisy, denoised, outputs, elapsed_secs: 0.1 }
                .into()
        };
        Development {
            steps: numbers.iter().map(step).collect(),
            latent: Some(latent(0.4)),
            picture: Some(
                Picture::new(48, 32, (0..48 * 32 * 3).map(|i| (i % 251) as u8).collect::<Vec<_>>()).unwrap(),
            ),
            decodes: Vec::new(),
            format: FORMAT,
            facts: Some(GenerationFacts {
                prompt: Some("여우, a fox".to_owned()),
                seed: Some(Seed(7)),
                steps: Some(8),
                guidance_scale: Some(7.5),
                ..GenerationFacts::default()
            }),
        }
    }

    fn frames_of(folder: &Path) -> Vec<Picture> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "png"));
        files.sort();
        files.iter().map(|file| read_picture(file, &ReadOptions::default()).unwrap().picture).collect()
    }

    fn options(easing: Easing, pace: Pace) -> ReelOptions {
        ReelOptions {
            kind: ReelKind::Frames,
            easing,
            pace,
            seconds: 1.6,
            hold: 0.5,
            ..ReelOptions::default()
        }
    }

    /// The frames, and the list of their durations.
    fn made(development: &Development, options: &ReelOptions) -> (Vec<Picture>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frames");
        let progress = ReelProgress::default();
        let projection = PreviewProjection::for_format(&FORMAT);
        write(&path, development, options, &projection, true, &progress).unwrap();
        let frames = frames_of(&path);
        assert_eq!(progress.frames(), [frames.len(); 2]);
        (frames, std::fs::read_to_string(path.join("frames.ffconcat")).unwrap())
    }

    /// The preview of a latent in the size of the picture.
    fn preview(latent: &Latent) -> Vec<u8> {
        PreviewProjection::for_format(&FORMAT).render(latent, 48, 32).bytes()
    }

    #[test]
    fn every_step_is_shown_and_the_picture_is_the_last() {
        let run = run(&[1, 2, 3, 4]);
        let (frames, list) = made(&run, &options(Easing::None, Pace::Even));
        let expected: Vec<Vec<u8>> = run.steps.iter().map(|step| preview(&step.denoised)).collect();
        assert_eq!(frames[..4].iter().map(|frame| frame.rgb().to_vec()).collect::<Vec<_>>(), expected);
        assert_eq!(Some(&frames[4]), run.picture.as_ref(), "to the byte");
        assert_eq!(list.matches("duration 0.400").count(), 4, "{list}");
        assert!(list.ends_with("file frame-0005.png\nduration 0.500\nfile frame-0005.png\n"), "{list}");
        let noisy = ReelOptions { shown: Shown::Noisy, ..options(Easing::None, Pace::Even) };
        assert_eq!(made(&run, &noisy).0[1].rgb(), preview(&run.steps[1].noisy));
    }

    #[test]
    fn frames_between_steps_are_the_previews_of_the_latents_between_them() {
        let run = run(&[1, 2, 3, 4]);
        let (frames, _) = made(&run, &options(Easing::Linear, Pace::Even));
        assert_eq!(frames.len(), 33);
        for (at, frame) in frames[..24].iter().enumerate() {
            let (from, share) = (at / 8, (at % 8) as f32 / 8.0);
            let [a, b] = [from, from + 1].map(|at| &run.steps[at].denoised);
            let values: Vec<f32> =
                a.values().iter().zip(b.values()).map(|(a, b)| a + share * (b - a)).collect();
            let expected = preview(&a.with_values(values));
            let off = frame.rgb().iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max();
            assert!(off <= Some(1), "{at}: {off:?}");
        }
        assert_eq!(Some(&frames[32]), run.picture.as_ref());
    }

    #[test]
    fn a_gap_takes_the_time_of_the_steps_that_are_missing() {
        let (_, list) = made(&run(&[1, 2, 6, 7]), &options(Easing::None, Pace::Even));
        let durations: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("duration ")).collect();
        // Shares of 1, 4, 1 and 1 of 1.6 seconds.
        assert_eq!(durations, ["0.229", "0.914", "0.228", "0.229", "0.500"]);
    }

    #[test]
    fn a_step_that_changes_little_takes_little_time() {
        let mut run = run(&[1, 2, 3]);
        let mut third = (*run.steps[1]).clone();
        third.step = 3;
        third.denoised = third.denoised.map(|_, value| value * 1.001);
        run.steps[2] = third.into();
        let (_, list) = made(&run, &options(Easing::None, Pace::Change));
        let durations: Vec<f64> =
            list.lines().filter_map(|line| line.strip_prefix("duration ")?.parse().ok()).collect();
        assert!(durations[1] < 0.15 && durations[0] > 0.4 && durations[2] > 0.4, "{durations:?}");
        assert!((durations.iter().sum::<f64>() - 2.1).abs() < 0.002);
    }

    #[test]
    fn runs_of_one_step_and_without_a_picture_are_shown() {
        let mut one = run(&[1]);
        let all = options(Easing::Smooth, Pace::Change);
        assert_eq!(made(&one, &all).0.len(), 33);
        one.picture = None;
        let (frames, _) = made(&one, &all);
        assert_eq!((frames.len(), frames[32].rgb()), (33, &preview(&latent(0.4))[..]), "the final latent");
        one.latent = Some(one.steps[0].denoised.clone());
        let (frames, list) = made(&one, &all);
        assert_eq!((frames.len(), frames[0].rgb()), (1, &preview(&latent(1.0))[..]));
        assert!(list.ends_with("duration 0.500\nfile frame-0001.png\n"), "{list}");
        one.steps.clear();
        let progress = ReelProgress::default();
        let error =
            write(Path::new("x"), &one, &all, &PreviewProjection::for_format(&FORMAT), true, &progress);
        assert!(error.unwrap_err().to_string().contains("has no steps"));
    }

    #[test]
    fn decodes_are_shown_in_place_of_previews() {
        let mut run = run(&[1, 2]);
        let decode = |value: u8| Picture::new(48, 32, vec![value; 48 * 32 * 3]).unwrap();
        run.decodes = vec![decode(10), decode(90)];
        let shown = ReelOptions { shown: Shown::Decoded, ..options(Easing::Linear, Pace::Even) };
        let (frames, _) = made(&run, &shown);
        let seen: Vec<u8> = frames[..17].iter().map(|frame| frame.pixel(5, 5)[0]).collect();
        assert_eq!((seen[0], seen[8], seen[16]), (10, 50, 90));
        assert_eq!(Some(&frames[32]), run.picture.as_ref());
        assert_eq!(decode_to_keep(&decode(7), [24, 16]), Picture::new(24, 16, vec![7; 24 * 16 * 3]).unwrap());
    }

    #[test]
    fn a_reel_that_is_stopped_leaves_nothing_and_keeps_an_older_file() {
        let folder = tempfile::tempdir().unwrap();
        for kind in [ReelKind::Webp, ReelKind::Gif, ReelKind::Apng, ReelKind::Frames, ReelKind::Sheet] {
            let path = folder.path().join(if kind == ReelKind::Frames { "new" } else { "a.png" });
            std::fs::write(folder.path().join("a.png"), b"older").unwrap();
            let progress = ReelProgress::default();
            progress.cancel.stop();
            let options = ReelOptions { kind, ..ReelOptions::default() };
            let made = write(
                &path,
                &run(&[1, 2]),
                &options,
                &PreviewProjection::for_format(&FORMAT),
                true,
                &progress,
            );
            assert!(matches!(made, Err(ReelError::Stopped)), "{kind:?}: {made:?}");
            assert_eq!(std::fs::read(folder.path().join("a.png")).unwrap(), b"older");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{kind:?}");
        }
    }

    #[test]
    fn a_sheet_has_every_step_and_the_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps");
        let run = run(&[1, 2, 4]);
        let options = ReelOptions { kind: ReelKind::Sheet, ..ReelOptions::default() };
        let projection = PreviewProjection::for_format(&FORMAT);
        let made = write(&path, &run, &options, &projection, true, &ReelProgress::default()).unwrap();
        assert_eq!(made, folder.path().join("steps.png"));
        let read = read_picture(&made, &ReadOptions::default()).unwrap();
        let facts = read.facts.unwrap();
        assert_eq!((facts.prompt.as_deref(), facts.seed), (Some("여우, a fox"), Some(Seed(7))));
        // The pictures are smaller than their cells, and stay as they are.
        let has = |wanted: &[u8]| {
            let sheet = &read.picture;
            let row = |x: usize, y: usize| &sheet.rgb()[(y * sheet.width() + x) * 3..][..48 * 3];
            (0..sheet.height()).any(|y| (0..sheet.width() - 48).any(|x| row(x, y) == &wanted[..48 * 3]))
        };
        for step in &run.steps {
            assert!(has(&preview(&step.denoised)), "{}", step.step);
        }
        assert!(has(run.picture.unwrap().rgb()));
    }

    #[test]
    fn frames_are_drawn_in_their_size() {
        let half = ReelOptions { size: ReelSize::Scale(0.5), ..options(Easing::None, Pace::Even) };
        let run = run(&[1, 2]);
        let (frames, _) = made(&run, &half);
        assert!(frames.iter().all(|frame| (frame.width(), frame.height()) == (24, 16)));
        let expected = PreviewProjection::for_format(&FORMAT).render(&run.steps[0].denoised, 24, 16).bytes();
        assert_eq!(frames[0].rgb(), expected);
    }
}
