//! Small computations of different kinds, for comparing a sandboxed module with the same source compiled natively. Each
//! takes its size and gives one number that depends on all of the work.
//!
//! Fuel is counted once in every turn of a loop. A loop of three instructions pays for that as much as it works, so the
//! innermost loops do several steps in a turn, as whoever writes a tool for speed should.

/// From a size to the number that it all came to.
pub type Kernel = fn(u64) -> u64;

/// What can be computed, by name.
pub const KERNELS: [(&str, Kernel); 4] =
    [("mandelbrot", mandelbrot), ("matmul", matmul), ("mul128", mul128), ("sieve", sieve)];

pub fn by_name(name: &str) -> Option<Kernel> {
    KERNELS.iter().find(|(known, _)| *known == name).map(|(_, kernel)| *kernel)
}

/// Floating point without memory: all iterations of a square picture.
pub fn mandelbrot(side: u64) -> u64 {
    const ITERATIONS_MAX: u64 = 200;
    const STEPS: u64 = 8;
    let mut sum = 0;
    for row in 0..side {
        for column in 0..side {
            let (a, b) = (column as f64 / side as f64 * 3.0 - 2.0, row as f64 / side as f64 * 3.0 - 1.5);
            let step = |(x, y): (f64, f64)| (x * x - y * y + a, 2.0 * x * y + b);
            let stays = |(x, y): (f64, f64)| x * x + y * y <= 4.0;
            let (mut at, mut iterations) = ((0.0, 0.0), 0);
            while iterations < ITERATIONS_MAX {
                // Who has gone does not come back, so that it is enough to look now and then.
                let ahead = (0..STEPS).fold(at, |at, _| step(at));
                if !stays(ahead) {
                    break;
                }
                (at, iterations) = (ahead, iterations + STEPS);
            }
            while stays(at) && iterations < ITERATIONS_MAX {
                (at, iterations) = (step(at), iterations + 1);
            }
            sum += iterations;
        }
    }
    sum
}

/// Floating point with memory: the product of two square matrices.
pub fn matmul(side: u64) -> u64 {
    let side = side as usize;
    let matrix = |seed: usize| (0..side * side).map(move |at| ((at * seed) % 1_000) as f64).collect::<Vec<f64>>();
    let (a, b) = (matrix(7), matrix(13));
    let mut c = vec![0.0; side * side];
    for (a, c) in a.chunks_exact(side).zip(c.chunks_exact_mut(side)) {
        for (a, b) in a.iter().zip(b.chunks_exact(side)) {
            for (b, c) in b.iter().zip(c.iter_mut()) {
                *c += a * b;
            }
        }
    }
    c.iter().fold(0, |sum: u64, c| sum.wrapping_mul(31).wrapping_add(c.to_bits()))
}

/// Products of two words: squares modulo a prime of one word in Montgomery's form, as in searching for factors.
pub fn mul128(rounds: u64) -> u64 {
    const PRIME: u64 = 4_588_089_936_838_580_987;
    /// `-1 / PRIME` modulo 2^64.
    const INVERSE: u64 = 3_784_429_708_887_646_157;
    let reduced = |sum: u64| if sum >= PRIME { sum - PRIME } else { sum };
    (0..rounds).fold(2, |x, _| {
        let square = u128::from(x) * u128::from(x);
        let factor = (square as u64).wrapping_mul(INVERSE);
        let sum = square + u128::from(factor) * u128::from(PRIME);
        reduced(reduced((sum >> 64) as u64) + 1)
    })
}

/// Whole numbers with memory: the sum of the primes up to `last`.
pub fn sieve(last: u64) -> u64 {
    let mut composite = vec![false; last as usize + 1];
    let mut sum = 0;
    for n in 2..composite.len() {
        if !composite[n] {
            sum += n as u64;
            let multiples = composite.get_mut(n.saturating_mul(n)..).unwrap_or_default();
            let mut turns = multiples.chunks_exact_mut(4 * n);
            for turn in &mut turns {
                [0, n, 2 * n, 3 * n].into_iter().for_each(|multiple| turn[multiple] = true);
            }
            turns.into_remainder().iter_mut().step_by(n).for_each(|composite| *composite = true);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sieve_sums_primes() {
        assert_eq!(sieve(10), 2 + 3 + 5 + 7);
        assert_eq!(sieve(2_000_000), 142_913_828_922);
    }

    #[test]
    fn squares_modulo_a_prime_agree_with_plain_division() {
        let (prime, shifted_back) = (4_588_089_936_838_580_987u128, 941_266_588_544_841_935);
        let slowly = (0..1_000).fold(2, |x, _| (x * x % prime * shifted_back + 1) % prime);
        assert_eq!(u128::from(mul128(1_000)), slowly);
    }

    #[test]
    fn larger_work_gives_another_number() {
        for (name, kernel) in KERNELS {
            assert_ne!(kernel(50), kernel(53), "{name}");
        }
    }
}
