//! Animations, read again by other decoders.

use std::io::BufReader;
use std::path::Path;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::LoopCount;
use image::{AnimationDecoder, DynamicImage};
use safelight::formats::animation::{
    AnimationError, AnimationFormat, AnimationFrame, AnimationSettings, write_animation,
};
use safelight::formats::metadata::{GenerationFacts, read_facts};
use safelight::request::{Picture, Seed};

const SIZE: [usize; 2] = [31, 18];

/// Frames of odd sizes: noise in which a square moves, one that is as before, and one of another picture.
fn frames() -> Vec<AnimationFrame> {
    let picture = |square: usize, seed: usize| {
        let rgb: Vec<u8> = (0..SIZE[0] * SIZE[1])
            .flat_map(|i| {
                let (x, y) = (i % SIZE[0], i / SIZE[0]);
                if (square..square + 4).contains(&x) && (5..9).contains(&y) {
                    [255, 40, square as u8]
                } else {
                    [0, 1, 2].map(|k| (((i * 7919 + k * 104_729 + seed) * 2_654_435_761) >> 13) as u8)
                }
            })
            .collect();
        Picture::new(SIZE[0], SIZE[1], rgb).unwrap()
    };
    [(3, 1, 100), (8, 1, 50), (8, 1, 33), (24, 1, 34), (0, 9, 1500)]
        .map(|(square, seed, millis)| AnimationFrame { picture: picture(square, seed), millis })
        .into()
}

fn facts() -> GenerationFacts {
    GenerationFacts {
        prompt: Some("여우".into()),
        seed: Some(Seed(7)),
        steps: Some(4),
        guidance_scale: Some(7.5),
        ..GenerationFacts::default()
    }
}

fn written(path: &Path, format: AnimationFormat, plays: u16, facts: Option<&GenerationFacts>) {
    let frames = frames();
    let settings =
        AnimationSettings { size: SIZE, frames: frames.len(), plays, frames_per_second: 20, facts };
    let mut frames = frames.into_iter().map(Ok);
    assert_eq!(write_animation(path, format, &settings, &mut frames).unwrap(), path);
}

/// The pictures and their times in milliseconds, and how often they are shown, 0 for without end.
fn read<'a>(decoder: impl AnimationDecoder<'a>) -> (Vec<(Vec<u8>, u32)>, u32) {
    let plays = match decoder.loop_count() {
        LoopCount::Infinite => 0,
        LoopCount::Finite(plays) => plays.get(),
    };
    let frames = decoder.into_frames().collect_frames().unwrap();
    let frame = |frame: image::Frame| {
        let (numerator, denominator) = frame.delay().numer_denom_ms();
        let rgb = DynamicImage::ImageRgba8(frame.into_buffer()).into_rgb8().into_raw();
        (rgb, numerator / denominator)
    };
    (frames.into_iter().map(frame).collect(), plays)
}

fn open(path: &Path) -> BufReader<std::fs::File> {
    BufReader::new(std::fs::File::open(path).unwrap())
}

fn expected() -> Vec<(Vec<u8>, u32)> {
    frames().into_iter().map(|frame| (frame.picture.rgb().to_vec(), frame.millis)).collect()
}

#[test]
fn animated_webp_comes_back_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.webp");
    for plays in [0, 3] {
        for facts in [None, Some(&facts())] {
            written(&path, AnimationFormat::Webp, plays, facts);
            assert_eq!(read(WebPDecoder::new(open(&path)).unwrap()), (expected(), u32::from(plays)));
            assert_eq!(read_facts(&path).and_then(|facts| facts.seed), facts.and_then(|facts| facts.seed));
        }
    }
    // What a reader that knows no animations needs not know: only the square is stored again.
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize, bytes.len() - 8);
    let sizes: Vec<u32> = (0..bytes.len() - 8)
        .filter(|at| &bytes[*at..at + 4] == b"ANMF")
        .map(|at| u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()))
        .collect();
    assert_eq!(sizes.len(), 5);
    assert!(sizes[1] < sizes[0] / 2 && sizes[2] < 60 && sizes[4] > sizes[0] / 2, "{sizes:?}");
}

#[test]
fn animated_png_comes_back_to_the_byte_and_begins_with_its_first_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    for plays in [0, 1] {
        written(&path, AnimationFormat::Apng, plays, Some(&facts()));
        assert_eq!(
            read(PngDecoder::new(open(&path)).unwrap().apng().unwrap()),
            (expected(), u32::from(plays))
        );
        assert_eq!(read_facts(&path), Some(facts()));
    }
    assert_eq!(image::open(&path).unwrap().into_rgb8().into_raw(), expected()[0].0);
}

#[test]
fn a_gif_comes_back_near_its_colours_and_takes_as_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gif");
    written(&path, AnimationFormat::Gif, 0, Some(&facts()));
    let (frames, plays) = read(GifDecoder::new(open(&path)).unwrap());
    assert_eq!(plays, 0);
    // Hundredths of a second, rounded from the beginning.
    let times: Vec<u32> = frames.iter().map(|(_, millis)| *millis).collect();
    assert_eq!(times, [100, 50, 30, 40, 1500]);
    for (at, ((rgb, _), (expected, _))) in frames.iter().zip(expected()).enumerate() {
        let squares: f64 =
            rgb.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        let off = (squares / rgb.len() as f64).sqrt();
        // 558 random colours in 256.
        assert!(off < 30.0, "{at}: {off}");
    }
    assert_eq!(frames[1].0, frames[2].0, "what stays does not flicker");
    let bytes = |plays| {
        written(&path, AnimationFormat::Gif, plays, None);
        std::fs::read(&path).unwrap()
    };
    let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(!has(&bytes(1), b"NETSCAPE"), "shown once");
    assert!(has(&bytes(4), b"NETSCAPE2.0\x03\x01\x03\0"), "three repetitions");
    written(&path, AnimationFormat::Gif, 1, Some(&facts()));
    assert!(has(&std::fs::read(&path).unwrap(), "여우".as_bytes()), "the settings are its comment");
}

/// A GIF of a picture with few colours has exactly these.
#[test]
fn a_gif_of_few_colours_comes_back_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gif");
    let frame = |value: u8| AnimationFrame {
        picture: Picture::new(16, 16, (0..=255).flat_map(|i| [i, value, 7]).collect::<Vec<u8>>()).unwrap(),
        millis: 100,
    };
    let settings =
        AnimationSettings { size: [16, 16], frames: 2, plays: 0, frames_per_second: 10, facts: None };
    let mut frames = [frame(1), frame(200)].into_iter().map(Ok);
    write_animation(&path, AnimationFormat::Gif, &settings, &mut frames).unwrap();
    let (read, _) = read(GifDecoder::new(open(&path)).unwrap());
    assert_eq!([&read[0].0, &read[1].0], [frame(1).picture.rgb(), frame(200).picture.rgb()]);
}

#[test]
fn numbered_pictures_fill_a_new_or_empty_folder_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frames.of a run");
    std::fs::create_dir(&path).unwrap();
    written(&path, AnimationFormat::Frames, 0, Some(&facts()));
    let mut names: Vec<String> = std::fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let pictures = [1, 2, 3, 4, 5].map(|number| format!("frame-000{number}.png"));
    assert_eq!((&names[..5], names[5].as_str()), (&pictures[..], "frames.ffconcat"));
    for (name, (expected, _)) in names.iter().zip(expected()) {
        assert_eq!(image::open(path.join(name)).unwrap().into_rgb8().into_raw(), expected);
    }
    assert_eq!(read_facts(&path.join("frame-0005.png")), Some(facts()));
    let list = std::fs::read_to_string(path.join("frames.ffconcat")).unwrap();
    assert!(list.starts_with("ffconcat version 1.0\nfile frame-0001.png\nduration 0.100\nfile frame-0002"));
    assert!(list.ends_with("file frame-0005.png\nduration 1.500\nfile frame-0005.png\n"), "{list}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is beside it");

    let refused = |path: &Path| {
        let settings =
            AnimationSettings { size: SIZE, frames: 5, plays: 0, frames_per_second: 20, facts: None };
        let mut frames = frames().into_iter().map(Ok);
        write_animation(path, AnimationFormat::Frames, &settings, &mut frames).unwrap_err().to_string()
    };
    assert!(refused(&path).contains("is not empty: choose a new one"));
    let file = folder.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    assert!(refused(&file).contains("a file has the name"));
    assert!(refused(&folder.path().join("no/where")).contains("choose a folder that exists"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let plain = folder.path().join("plain");
        std::fs::create_dir(&plain).unwrap();
        assert_eq!(mode(&path), mode(&plain), "as any new folder");
    }
}

#[test]
fn an_error_of_the_frames_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for format in
        [AnimationFormat::Webp, AnimationFormat::Gif, AnimationFormat::Apng, AnimationFormat::Frames]
    {
        let path = folder.path().join("x");
        let settings =
            AnimationSettings { size: SIZE, frames: 5, plays: 0, frames_per_second: 20, facts: None };
        let mut frames = frames().into_iter().take(2).map(Ok).chain([Err(AnimationError::Stopped)]);
        let error = write_animation(&path, format, &settings, &mut frames).unwrap_err();
        assert!(matches!(error, AnimationError::Stopped), "{format:?}: {error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{format:?}");
    }
}

#[test]
fn a_path_says_its_format() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| AnimationFormat::of_path(&folder.path().join(name));
    for (name, format) in [
        ("a.webp", AnimationFormat::Webp),
        ("a.GIF", AnimationFormat::Gif),
        ("a.png", AnimationFormat::Apng),
        ("a.apng", AnimationFormat::Apng),
        ("a.Mp4", AnimationFormat::Mp4),
        ("a", AnimationFormat::Frames),
        (".", AnimationFormat::Frames),
    ] {
        assert_eq!(of(name).unwrap(), format, "{name}");
    }
    std::fs::create_dir(folder.path().join("a.folder")).unwrap();
    assert_eq!(of("a.folder").unwrap(), AnimationFormat::Frames);
    let error = of("a.mov").unwrap_err().to_string();
    assert!(error.contains("‘.mov’: use .webp, .gif, .png or .mp4") && error.ends_with("a.mov"), "{error}");
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused() {
    let settings = AnimationSettings { size: SIZE, frames: 5, plays: 0, frames_per_second: 20, facts: None };
    for format in [AnimationFormat::Webp, AnimationFormat::Gif, AnimationFormat::Apng] {
        let mut frames = frames().into_iter().map(Ok);
        let error = write_animation(Path::new("/dev/null"), format, &settings, &mut frames).unwrap_err();
        assert!(error.to_string().contains("not written into a pipe or a device"), "{error}");
    }
}
