//! When which step is shown: pure arithmetic on times.

use super::options::Easing;

/// What a segment between two steps takes at least, as a share of an even one, so that none is skipped.
const MIN_SHARE: f64 = 0.2;

/// A frame before it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedFrame {
    /// What it shows: the index of a picture, and the share of the next one.
    pub place: f64,
    /// For how long, milliseconds.
    pub millis: u32,
}

/// The shares of the time that the segments between pictures take. `weights`: of each segment, none negative. Weights that
/// say nothing give even shares.
pub fn shares(weights: &[f64]) -> Vec<f64> {
    let count = weights.len() as f64;
    let sum: f64 = weights.iter().sum();
    if !(sum > 0.0 && sum.is_finite()) {
        return vec![1.0 / count; weights.len()];
    }
    let raised: Vec<f64> = weights.iter().map(|weight| (weight / sum).max(MIN_SHARE / count)).collect();
    let sum: f64 = raised.iter().sum();
    raised.into_iter().map(|share| share / sum).collect()
}

/// The share of the next picture after this share of the time between both.
pub fn eased(easing: Easing, time: f64) -> f64 {
    match easing {
        Easing::None => 0.0,
        Easing::Linear => time,
        Easing::Smooth => time * time * (3.0 - 2.0 * time),
    }
}

/// The frames from the first picture to the last one, which then stands for `hold` seconds, or one frame if that is longer.
///
/// `weights`: of the segments between pictures, one fewer than there are pictures. `seconds`: from the first picture to
/// the last. Without easing a picture is one frame, which stands for its segment's share, or one of `frames_per_second` if
/// that is longer. Times are rounded from the beginning, so that the whole takes as long as it should.
pub fn plan(
    weights: &[f64],
    easing: Easing,
    seconds: f64,
    hold: f64,
    frames_per_second: u32,
) -> Vec<PlannedFrame> {
    let rate = f64::from(frames_per_second.max(1));
    let end = weights.len();
    let last = PlannedFrame { place: end as f64, millis: (hold.max(1.0 / rate) * 1000.0).round() as u32 };
    if end == 0 {
        return vec![last];
    }
    let shares = shares(weights);
    let frames: Vec<(f64, f64)> = if easing == Easing::None {
        shares.iter().enumerate().map(|(at, share)| (at as f64, (share * seconds).max(1.0 / rate))).collect()
    } else {
        let count = ((seconds * rate).round() as usize).max(1);
        let place = |frame: usize| place_at(&shares, easing, frame as f64 / count as f64);
        (0..count).map(|frame| (place(frame), seconds / count as f64)).collect()
    };
    let (mut until, mut planned) = (0.0, 0u64);
    let timed = frames.into_iter().map(|(place, secs)| {
        until += secs * 1000.0;
        let millis = (until.round() as u64).saturating_sub(planned);
        planned += millis;
        PlannedFrame { place, millis: millis as u32 }
    });
    timed.chain([last]).collect()
}

/// What is shown at a time, 0..1 from the first picture to the last.
fn place_at(shares: &[f64], easing: Easing, time: f64) -> f64 {
    let mut begin = 0.0;
    for (at, share) in shares.iter().enumerate() {
        if time < begin + share || at + 1 == shares.len() {
            return at as f64 + eased(easing, ((time - begin) / share).clamp(0.0, 1.0));
        }
        begin += share;
    }
    shares.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(frames: &[PlannedFrame]) -> u32 {
        frames.iter().map(|frame| frame.millis).sum()
    }

    #[test]
    fn an_even_reel_passes_every_picture_at_its_time() {
        let frames = plan(&[1.0; 4], Easing::Linear, 4.0, 1.5, 20);
        assert_eq!((frames.len(), total(&frames)), (81, 5500));
        for (at, frame) in frames[..80].iter().enumerate() {
            assert!((frame.place - at as f64 / 20.0).abs() < 1e-9, "{at}");
            assert_eq!(frame.millis, 50);
        }
        assert_eq!(frames[80], PlannedFrame { place: 4.0, millis: 1500 });
    }

    #[test]
    fn a_smooth_reel_is_slow_at_the_pictures() {
        let frames = plan(&[1.0; 2], Easing::Smooth, 2.0, 0.0, 10);
        assert_eq!((frames.len(), frames[20].millis), (21, 100), "the last picture stands for a frame");
        let places: Vec<f64> = frames.iter().map(|frame| frame.place).collect();
        for (at, place) in [(0, 0.0), (1, 0.028), (5, 0.5), (9, 0.972), (10, 1.0), (15, 1.5), (20, 2.0)] {
            assert!((places[at] - place).abs() < 1e-9, "{at}: {places:?}");
        }
        assert!(places.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn without_easing_a_picture_stands_for_its_share() {
        let frames = plan(&[3.0, 1.0], Easing::None, 4.0, 1.0, 20);
        let expected = [(0.0, 3000), (1.0, 1000), (2.0, 1000)];
        assert_eq!(frames, expected.map(|(place, millis)| PlannedFrame { place, millis }));
        let many = plan(&[1.0; 1000], Easing::None, 1.0, 0.0, 20);
        assert!(many.iter().all(|frame| frame.millis == 50), "none is shorter than a frame");
    }

    #[test]
    fn a_segment_that_changes_nothing_is_not_skipped() {
        let shares = shares(&[0.0, 1.0, 3.0]);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((shares[0] - 0.0625).abs() < 1e-12 && shares[2] > 2.9 * shares[1], "{shares:?}");
        assert_eq!(super::shares(&[0.0; 4]), [0.25; 4]);
        assert_eq!(super::shares(&[f64::NAN, 1.0]), [0.5; 2]);
        let frames = plan(&[0.0, 100.0], Easing::Linear, 10.0, 0.0, 20);
        assert!(frames.iter().filter(|frame| frame.place < 1.0).count() > 10);
    }

    #[test]
    fn times_that_are_no_whole_milliseconds_add_up() {
        let frames = plan(&[1.0; 7], Easing::Linear, 1.0, 0.0, 30);
        assert_eq!(frames.len(), 31);
        assert_eq!(total(&frames[..30]), 1000);
        assert!(frames.iter().all(|frame| (33..=34).contains(&frame.millis)));
    }

    #[test]
    fn one_picture_stands() {
        assert_eq!(plan(&[], Easing::Smooth, 4.0, 1.5, 20), [PlannedFrame { place: 0.0, millis: 1500 }]);
    }
}
