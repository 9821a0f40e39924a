//! Integrals of an exponential times the polynomial through values at given places, as exponential integrators need.

/// `∫₀ʰ e^(−rate·u) ℓᵢ(u) du` for each Lagrange polynomial ℓᵢ over distinct `places`.
///
/// `h` may be infinite for one place and a positive rate.
pub(super) fn lagrange_integrals(rate: f64, h: f64, places: &[f64]) -> Vec<f64> {
    let moments = moments(rate, h, places.len());
    let others = |i: usize| places.iter().enumerate().filter(move |(j, _)| *j != i).map(|(_, place)| *place);
    (0..places.len())
        .map(|i| {
            // The coefficients of ∏ (u − place) / (placeᵢ − place), lowest power first.
            let polynomial = others(i).fold(vec![1.0], |polynomial: Vec<f64>, place| {
                let scale = 1.0 / (places[i] - place);
                let mut product = vec![0.0; polynomial.len() + 1];
                for (power, coefficient) in polynomial.iter().enumerate() {
                    product[power] -= coefficient * place * scale;
                    product[power + 1] += coefficient * scale;
                }
                product
            });
            polynomial.iter().zip(&moments).map(|(coefficient, moment)| coefficient * moment).sum()
        })
        .collect()
}

/// `∫₀ʰ uᵏ e^(−rate·u) du` for k from 0, by partial integration.
fn moments(rate: f64, h: f64, count: usize) -> Vec<f64> {
    let end = (-rate * h).exp();
    let mut moments = vec![-(-rate * h).exp_m1() / rate];
    for k in 1..count {
        let last = moments[k - 1];
        moments.push((k as f64 * last - h.powi(k as i32) * end) / rate);
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_integrals_are_those_of_a_fine_sum() {
        for (rate, h, places) in
            [(2.0, 0.7, &[0.7, 1.1, 1.9][..]), (-1.0, 0.4, &[0.4, 0.9]), (1.0, 0.5, &[0.0, 0.5, 1.0])]
        {
            let n = 20_000;
            for (i, found) in lagrange_integrals(rate, h, places).into_iter().enumerate() {
                let at = |u: f64| -> f64 {
                    let others = places.iter().enumerate().filter(|(j, _)| *j != i);
                    others.map(|(_, place)| (u - place) / (places[i] - place)).product::<f64>()
                        * (-rate * u).exp()
                };
                let step = h / f64::from(n);
                let sum: f64 = (0..n).map(|k| at((f64::from(k) + 0.5) * step) * step).sum();
                assert!((found - sum).abs() < 1e-8, "{rate} {h} {places:?} {i}: {found} for {sum}");
            }
        }
    }

    #[test]
    fn an_infinite_way_has_a_finite_integral() {
        assert_eq!(lagrange_integrals(2.0, f64::INFINITY, &[f64::INFINITY]), [0.5]);
    }
}
