// A preview through one matrix for each latent pixel: rgb = bias + sum of weight * channel.
// Twin: `drawn_linear` in src/latent/drawn.rs.

@fragment
fn decode(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    var rgb = textureLoad(weights, vec2<i32>(i32(params.channels), 0), 0).rgb;
    for (var c = 0u; c < params.channels; c++) {
        rgb += textureLoad(weights, vec2<i32>(i32(c), 0), 0).rgb * sampled_value(position.xy, c);
    }
    return to_colour(rgb);
}
