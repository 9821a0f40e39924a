// What every decoding pass shares: the latent as a texture, and how to read it.
//
// The latent, [C, H, W] in model space, lies in a texture of one f32 for each value, `width` columns
// and `height * channels` rows, channel under channel. Textures of f32 cannot be filtered everywhere,
// so values are loaded and weighted here.
// The Rust twins are in src/latent/drawn.rs; the uniforms' twin is `Params` in src/preview/decoder.rs.

struct Params {
    // Latent columns, rows and channels.
    width: u32,
    height: u32,
    channels: u32,
    // Pixels of the result under the edge of one latent pixel.
    scale: u32,
    // Channel views: the value at each end of the colour map, latent units.
    low: f32,
    high: f32,
    // Channel views: which channel.
    channel: u32,
    // Bit 0: smooth (Catmull-Rom), else nearest. Bit 1: diverging colour map; bit 2: heat; else grey.
    flags: u32,
}

const SMOOTH: u32 = 1u;
const DIVERGING: u32 = 2u;
const HEAT: u32 = 4u;
// What is drawn where a value is not a number.
const ERROR_COLOUR: vec3<f32> = vec3<f32>(1.0, 0.0, 1.0);

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var latent: texture_2d<f32>;
// Linear: one column for each channel and the bias. Patch: a row for each input and the bias.
@group(0) @binding(2) var weights: texture_2d<f32>;

// One triangle that covers the target.
@vertex
fn cover(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    let corner = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    return vec4<f32>(corner * vec2<f32>(2.0, -2.0) + vec2<f32>(-1.0, 1.0), 0.0, 1.0);
}

// The value of a channel at a latent pixel; outside the latent, that of its edge.
fn value_at(x: i32, y: i32, channel: u32) -> f32 {
    let column = clamp(x, 0, i32(params.width) - 1);
    let row = clamp(y, 0, i32(params.height) - 1);
    return textureLoad(latent, vec2<i32>(column, row + i32(channel * params.height)), 0).r;
}

// Catmull-Rom weights of the four neighbours of a point `t` past the second.
fn cubic(t: f32) -> vec4<f32> {
    let t2 = t * t;
    let t3 = t2 * t;
    return 0.5 * vec4<f32>(
        -t3 + 2.0 * t2 - t,
        3.0 * t3 - 5.0 * t2 + 2.0,
        -3.0 * t3 + 4.0 * t2 + t,
        t3 - t2,
    );
}

// A channel between latent pixels. `at`: latent units, pixel centres at halves.
fn smooth_value(at: vec2<f32>, channel: u32) -> f32 {
    let from_centre = at - 0.5;
    let base = floor(from_centre);
    let wx = cubic(from_centre.x - base.x);
    let wy = cubic(from_centre.y - base.y);
    var sum = 0.0;
    for (var dy = 0; dy < 4; dy++) {
        for (var dx = 0; dx < 4; dx++) {
            sum += wx[dx] * wy[dy] * value_at(i32(base.x) + dx - 1, i32(base.y) + dy - 1, channel);
        }
    }
    return sum;
}

fn nearest_value(at: vec2<f32>, channel: u32) -> f32 {
    return value_at(i32(floor(at.x)), i32(floor(at.y)), channel);
}

// A channel at a pixel of the result, smooth or nearest as asked.
fn sampled_value(pixel: vec2<f32>, channel: u32) -> f32 {
    let at = pixel / f32(params.scale);
    if (params.flags & SMOOTH) != 0u {
        return smooth_value(at, channel);
    }
    return nearest_value(at, channel);
}

// NaN is unlike itself and infinity is beyond every number a latent holds; compilers may assume
// neither exists, so the bits are asked.
fn is_number(v: f32) -> bool {
    return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}

// From -1..1 to a colour.
fn to_colour(rgb: vec3<f32>) -> vec4<f32> {
    if !(is_number(rgb.r) && is_number(rgb.g) && is_number(rgb.b)) {
        return vec4<f32>(ERROR_COLOUR, 1.0);
    }
    return vec4<f32>(clamp(rgb * 0.5 + 0.5, vec3<f32>(0.0), vec3<f32>(1.0)), 1.0);
}
