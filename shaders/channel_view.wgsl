// One channel as colours, from low to high: diverging around the middle, heat for amounts, or grey.
// Twin: `ColourMap` in src/latent/colour_map.rs.

// ColorBrewer 2.0 (Brewer & Harrower), RdBu of five classes, blue to red; safe for colour-blind eyes.
const BLUE_TO_RED = array<vec3<f32>, 5>(
    vec3<f32>(5.0, 113.0, 176.0),
    vec3<f32>(146.0, 197.0, 222.0),
    vec3<f32>(247.0, 247.0, 247.0),
    vec3<f32>(244.0, 165.0, 130.0),
    vec3<f32>(202.0, 0.0, 32.0),
);

// Five evenly spaced colours of matplotlib's inferno (Smith & van der Walt 2015, CC0).
const INFERNO = array<vec3<f32>, 5>(
    vec3<f32>(0.0, 0.0, 4.0),
    vec3<f32>(87.0, 16.0, 110.0),
    vec3<f32>(188.0, 55.0, 84.0),
    vec3<f32>(249.0, 142.0, 9.0),
    vec3<f32>(252.0, 255.0, 164.0),
);

fn between(all: array<vec3<f32>, 5>, share: f32) -> vec3<f32> {
    let at = share * 4.0;
    let below = min(u32(at), 3u);
    // Constant arrays and parameters cannot be indexed by variables everywhere.
    var stops = all;
    return mix(stops[below], stops[below + 1u], at - f32(below)) / 255.0;
}

@fragment
fn decode(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let value = sampled_value(position.xy, params.channel);
    if !is_number(value) {
        return vec4<f32>(ERROR_COLOUR, 1.0);
    }
    let share = clamp((value - params.low) / (params.high - params.low), 0.0, 1.0);
    if (params.flags & DIVERGING) != 0u {
        return vec4<f32>(between(BLUE_TO_RED, share), 1.0);
    }
    if (params.flags & HEAT) != 0u {
        return vec4<f32>(between(INFERNO, share), 1.0);
    }
    return vec4<f32>(vec3<f32>(share), 1.0);
}
