// A preview through a linear map from each 3x3 latent neighbourhood to the pixels beneath its centre.
// Rows of `weights`: dy, dx, channel, and last the bias; columns: the pixels of a patch, row by row.
// Twin: `PatchProjection::rgb_from_latent` in src/latent/rgb_projection.rs.

@fragment
fn decode(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let pixel = vec2<u32>(position.xy);
    let centre = vec2<i32>(pixel / params.scale);
    let inside = pixel % params.scale;
    let column = i32(inside.y * params.scale + inside.x);
    var rgb = textureLoad(weights, vec2<i32>(column, i32(9u * params.channels)), 0).rgb;
    var row = 0;
    for (var dy = -1; dy <= 1; dy++) {
        for (var dx = -1; dx <= 1; dx++) {
            for (var c = 0u; c < params.channels; c++) {
                rgb += textureLoad(weights, vec2<i32>(column, row), 0).rgb * value_at(centre.x + dx, centre.y + dy, c);
                row++;
            }
        }
    }
    return to_colour(rgb);
}
