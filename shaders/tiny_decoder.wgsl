// One 3x3 convolution of a tiny decoder (TAESD), as a fragment pass.
//
// A feature map of C channels lies in a texture array of 16-bit floats. Four channels are one texel, and each layer holds
// a quarter of the pixels: layer 4g + 2(y mod 2) + (x mod 2) has at (x / 2, y / 2) the channels 4g to 4g + 3 of the pixel
// (x, y). So one invocation computes a block of 2x2 pixels, writes it to four targets, and reads each weight once for all
// four pixels. Textures and passes alone run on every adapter, also without compute shaders.
// The uniforms' twin is `Params` in src/preview/tiny_run.rs; the reference is src/networks/tiny_decoder.rs.

struct Params {
    // Columns and rows of the whole output map.
    width: u32,
    height: u32,
    // Fours of channels of the input.
    fours: u32,
    // Which four of channels is computed.
    four: u32,
    // The row of the whole map with which the texture begins: the input's and the output's.
    input_origin: i32,
    output_origin: i32,
    flags: u32,
    unused: u32,
}

// The input is doubled in both directions, nearest neighbour.
const DOUBLE: u32 = 1u;
// The input is clamped softly: 3 tanh(x / 3).
const CLAMP: u32 = 2u;
// A map is added to the result.
const ADD: u32 = 4u;
// Negative results become zero.
const RELU: u32 = 8u;

const ERROR_COLOUR: vec3<f32> = vec3<f32>(1.0, 0.0, 1.0);

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var source: texture_2d_array<f32>;
// A row for each four of output channels. Columns: input four, tap (dy, dx), input channel; last the bias.
@group(0) @binding(2) var weights: texture_2d<f32>;
// The map to add; in the last pass the latent.
@group(0) @binding(3) var added: texture_2d_array<f32>;

// One triangle that covers the target.
@vertex
fn cover(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    let corner = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    return vec4<f32>(corner * vec2<f32>(2.0, -2.0) + vec2<f32>(-1.0, 1.0), 0.0, 1.0);
}

// Four channels of the input under a pixel of the output; outside the map they are zero.
fn value(x: i32, y: i32, four: i32) -> vec4<f32> {
    if x < 0 || y < 0 || x >= i32(params.width) || y >= i32(params.height) {
        return vec4<f32>(0.0);
    }
    let halved = i32(params.flags & DOUBLE);
    let column = x >> u32(halved);
    let row = (y >> u32(halved)) - params.input_origin;
    let layer = 4 * four + 2 * (row & 1) + (column & 1);
    let found = textureLoad(source, vec2<i32>(column >> 1u, row >> 1u), layer, 0);
    if (params.flags & CLAMP) != 0u {
        return 3.0 * tanh(clamp(found / 3.0, vec4<f32>(-10.0), vec4<f32>(10.0)));
    }
    return found;
}

// The weights from one four of input channels to one of output channels.
fn matrix(column: i32, four: i32) -> mat4x4<f32> {
    return mat4x4<f32>(
        textureLoad(weights, vec2<i32>(column, four), 0),
        textureLoad(weights, vec2<i32>(column + 1, four), 0),
        textureLoad(weights, vec2<i32>(column + 2, four), 0),
        textureLoad(weights, vec2<i32>(column + 3, four), 0),
    );
}

struct Block {
    @location(0) upper_left: vec4<f32>,
    @location(1) upper_right: vec4<f32>,
    @location(2) lower_left: vec4<f32>,
    @location(3) lower_right: vec4<f32>,
}

fn finished(sum: vec4<f32>, place: vec2<i32>, quarter: i32) -> vec4<f32> {
    var result = sum;
    if (params.flags & ADD) != 0u {
        result += textureLoad(added, place, 4 * i32(params.four) + quarter, 0);
    }
    if (params.flags & RELU) != 0u {
        result = max(result, vec4<f32>(0.0));
    }
    return result;
}

@fragment
fn block(@builtin(position) position: vec4<f32>) -> Block {
    let place = vec2<i32>(position.xy);
    let x = 2 * place.x;
    let y = 2 * place.y + params.output_origin;
    let four = i32(params.four);
    let bias = textureLoad(weights, vec2<i32>(i32(params.fours) * 36, four), 0);
    var s00 = bias;
    var s01 = bias;
    var s10 = bias;
    var s11 = bias;
    for (var i = 0; i < i32(params.fours); i++) {
        // The 4x4 pixels around the block, rows and columns -1 to 2: each is read once for up to nine products. They are
        // named, as drivers may keep an array that is indexed by a variable in memory.
        let a00 = value(x - 1, y - 1, i);
        let a01 = value(x, y - 1, i);
        let a02 = value(x + 1, y - 1, i);
        let a03 = value(x + 2, y - 1, i);
        let a10 = value(x - 1, y, i);
        let a11 = value(x, y, i);
        let a12 = value(x + 1, y, i);
        let a13 = value(x + 2, y, i);
        let a20 = value(x - 1, y + 1, i);
        let a21 = value(x, y + 1, i);
        let a22 = value(x + 1, y + 1, i);
        let a23 = value(x + 2, y + 1, i);
        let a30 = value(x - 1, y + 2, i);
        let a31 = value(x, y + 2, i);
        let a32 = value(x + 1, y + 2, i);
        let a33 = value(x + 2, y + 2, i);
        let column = i * 36;
        var m = matrix(column, four);
        s00 += m * a00;
        s01 += m * a01;
        s10 += m * a10;
        s11 += m * a11;
        m = matrix(column + 4, four);
        s00 += m * a01;
        s01 += m * a02;
        s10 += m * a11;
        s11 += m * a12;
        m = matrix(column + 8, four);
        s00 += m * a02;
        s01 += m * a03;
        s10 += m * a12;
        s11 += m * a13;
        m = matrix(column + 12, four);
        s00 += m * a10;
        s01 += m * a11;
        s10 += m * a20;
        s11 += m * a21;
        m = matrix(column + 16, four);
        s00 += m * a11;
        s01 += m * a12;
        s10 += m * a21;
        s11 += m * a22;
        m = matrix(column + 20, four);
        s00 += m * a12;
        s01 += m * a13;
        s10 += m * a22;
        s11 += m * a23;
        m = matrix(column + 24, four);
        s00 += m * a20;
        s01 += m * a21;
        s10 += m * a30;
        s11 += m * a31;
        m = matrix(column + 28, four);
        s00 += m * a21;
        s01 += m * a22;
        s10 += m * a31;
        s11 += m * a32;
        m = matrix(column + 32, four);
        s00 += m * a22;
        s01 += m * a23;
        s10 += m * a32;
        s11 += m * a33;
    }
    return Block(
        finished(s00, place, 0),
        finished(s01, place, 1),
        finished(s10, place, 2),
        finished(s11, place, 3),
    );
}

// NaN is unlike itself and infinity is beyond every number a latent holds; compilers may assume
// neither exists, so the bits are asked.
fn is_number(v: f32) -> bool {
    return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}

// Whether the latent under a pixel of the picture holds numbers only.
fn is_sound(pixel: vec2<i32>) -> bool {
    let at = pixel >> vec2<u32>(3u);
    let quarter = 2 * (at.y & 1) + (at.x & 1);
    for (var layer = quarter; layer < i32(textureNumLayers(added)); layer += 4) {
        let found = textureLoad(added, at >> vec2<u32>(1u), layer, 0);
        if !(is_number(found.r) && is_number(found.g) && is_number(found.b) && is_number(found.a)) {
            return false;
        }
    }
    return true;
}

// The last convolution: a colour of 0..1 for each pixel.
@fragment
fn picture(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let pixel = vec2<i32>(position.xy);
    if !is_sound(pixel) {
        return vec4<f32>(ERROR_COLOUR, 1.0);
    }
    var rgb = textureLoad(weights, vec2<i32>(i32(params.fours) * 36, 0), 0).rgb;
    for (var i = 0; i < i32(params.fours); i++) {
        for (var tap = 0; tap < 9; tap++) {
            let found = value(pixel.x + tap % 3 - 1, pixel.y + tap / 3 - 1, i);
            rgb += (matrix(i * 36 + 4 * tap, 0) * found).rgb;
        }
    }
    return vec4<f32>(clamp(rgb, vec3<f32>(0.0), vec3<f32>(1.0)), 1.0);
}
