//! The Beta distribution in logarithms, for counts up to a thousand million.
//!
//! Tails as small as e⁻¹⁰⁰⁰⁰⁰⁰ are wanted here, and differences of large logarithms of Γ lose the digits that matter. So the density
//! is written by deviances, as C. Loader does for the binomial ("Fast and accurate computation of binomial
//! probabilities", 2000), and the distribution function by the continued fraction of Abramowitz and Stegun 26.5.8 in the
//! form of Numerical Recipes §6.4. No crate that was looked at gives either in logarithms.

use std::f64::consts::{LN_2, PI};

/// Steps of the continued fraction; it needs some square root of the larger parameter.
const MAX_STEPS: u32 = 1_000_000;

/// ln(xᵃ·(1−x)ᵇ / B(a, b)): the density of Beta(a, b) at `x`, times x·(1−x). `a` and `b` are positive, `x` is between 0 and 1.
pub(super) fn ln_density(a: f64, b: f64, x: f64) -> f64 {
    let n = a + b;
    let corrections = stirling_error(n) - stirling_error(a) - stirling_error(b);
    let scale = 0.5 * (a * b / (2.0 * PI * n)).ln();
    corrections - deviance(a, n * x) - deviance(b, n * (1.0 - x)) + scale
}

/// The logarithm of the probability that a variable of Beta(a, b) is at most `x`.
pub(super) fn ln_below(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if x >= 1.0 {
        return 0.0;
    }
    // The fraction converges fast below the mean; above it, the other tail is the small one.
    if x < (a + 1.0) / (a + b + 2.0) {
        ln_tail(a, b, x)
    } else {
        ln_complement(ln_tail(b, a, 1.0 - x))
    }
}

/// ln(1 − eˡ) for l ≤ 0.
fn ln_complement(l: f64) -> f64 {
    if l > -LN_2 {
        (-l.exp_m1()).ln()
    } else {
        (-l.exp()).ln_1p()
    }
}

fn ln_tail(a: f64, b: f64, x: f64) -> f64 {
    ln_density(a, b, x) - a.ln() + continued_fraction(a, b, x).ln()
}

/// By the method of Lentz.
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for step in 1..=MAX_STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / not_zero(1.0 + term * d);
            c = not_zero(1.0 + term / c);
            change = d * c;
            h *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    h
}

/// How far ln Γ(z+1) is from Stirling's (z+½)·ln z − z + ½·ln 2π.
fn stirling_error(z: f64) -> f64 {
    if z < 15.0 {
        return ln_gamma(z + 1.0) - ((z + 0.5) * z.ln() - z + 0.5 * (2.0 * PI).ln());
    }
    let s = 1.0 / (z * z);
    let series = 1.0 / 12.0
        - s * (1.0 / 360.0 - s * (1.0 / 1260.0 - s * (1.0 / 1680.0 - s * (1.0 / 1188.0))));
    series / z
}

/// ln Γ(z) for z > 0.
fn ln_gamma(z: f64) -> f64 {
    // Up to where Stirling's series is exact: Γ(z) = Γ(z+1) / z.
    let (mut z, mut product) = (z, 1.0);
    while z < 16.0 {
        product *= z;
        z += 1.0;
    }
    let z = z - 1.0;
    (z + 0.5) * z.ln() - z + 0.5 * (2.0 * PI).ln() + stirling_error(z) - product.ln()
}

/// x·ln(x/m) + m − x, also where x is close to m.
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() + m - x;
    }
    let v = (x - m) / (x + m);
    let mut sum = (x - m) * v;
    let mut term = 2.0 * x * v;
    for j in 1..1000_u32 {
        term *= v * v;
        let next = sum + term / f64::from(2 * j + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// The smallest number from 0 to about `most` that is enough, where every larger one is enough too.
pub(super) fn fewest(is_enough: impl Fn(u64) -> bool, most: u64) -> Option<u64> {
    if is_enough(0) {
        return Some(0);
    }
    let mut enough = 1;
    while !is_enough(enough) {
        enough *= 2;
        if enough > most {
            return None;
        }
    }
    let mut too_few = enough / 2;
    while enough - too_few > 1 {
        let middle = too_few + (enough - too_few) / 2;
        if is_enough(middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, expect: f64) {
        let error = (got - expect).abs() / expect.abs().max(1.0);
        assert!(error < 1e-12, "{got} is not {expect}");
    }

    #[test]
    fn ln_gamma_has_the_values_of_the_tables() {
        // Abramowitz and Stegun, tables 6.1 and 6.4; factorials.
        close(ln_gamma(1.0), 0.0);
        close(ln_gamma(0.5), 0.572_364_942_924_700_1);
        close(ln_gamma(1.5), -0.120_782_237_635_245_22);
        close(ln_gamma(11.0), 3_628_800.0_f64.ln());
        close(ln_gamma(101.0), 363.739_375_555_563_5);
        close(ln_gamma(1e7), 151_180_949.369_473_9);
    }

    #[test]
    fn ln_below_is_exact_for_small_parameters() {
        // Polynomials; I_x(½, ½) = 2/π·asin √x; P(Bin(20, ½) ≥ 15) = 21700 / 2²⁰.
        close(ln_below(1.0, 1.0, 0.3), 0.3_f64.ln());
        close(ln_below(2.0, 3.0, 0.4), 0.5248_f64.ln());
        close(ln_below(3.0, 2.0, 0.6), (1.0 - 0.5248_f64).ln());
        close(ln_below(0.5, 0.5, 0.25), (1.0_f64 / 3.0).ln());
        close(ln_below(15.0, 6.0, 0.5), (21_700.0 / 1_048_576.0_f64).ln());
        assert_eq!(ln_below(5.0, 5.0, 0.0), f64::NEG_INFINITY);
        assert_eq!(ln_below(5.0, 5.0, 1.0), 0.0);
    }

    #[test]
    fn ln_below_agrees_with_fifty_digits_also_for_ten_million() {
        // By mpmath: sums of the binomial, and betainc.
        let cases = [
            (0.5, 500.0, 0.001, -0.381_715_057_604_123_9),
            (2.5, 7.5, 0.9, -5.355_233_214_426_716e-7),
            (300.5, 120.25, 0.7, -1.359_900_899_113_209_3),
            (1000.0, 10.0, 0.5, -649.963_654_510_737_1),
            (5_000_001.0, 4_999_001.0, 0.5, -0.978_408_656_236_434_2),
            (5_010_001.0, 4_990_001.0, 0.5, -22.786_991_527_507_16),
            (7_000_001.0, 3_000_001.0, 0.5, -822_836.759_570_008),
        ];
        for (a, b, x, expect) in cases {
            let got = ln_below(a, b, x);
            let error = (got - expect).abs() / expect.abs();
            assert!(error < 1e-9, "{a} {b} {x}: {got} is not {expect}");
        }
    }

    #[test]
    fn a_thousand_million_are_no_trouble() {
        let half = ln_below(5e8, 5e8, 0.5).exp();
        assert!((half - 0.5).abs() < 1e-6, "{half}");
    }
}
