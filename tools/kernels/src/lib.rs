//! Small computations of different kinds, for comparing a sandboxed module with the same source compiled natively. Each
//! takes its size and gives one number that depends on all of the work.

/// From a size to the number that it all came to.
pub type Kernel = fn(u64) -> u64;

/// What can be computed, by name.
pub const KERNELS: [(&str, Kernel); 4] = [
    ("mandelbrot", mandelbrot),
    ("matmul", matmul),
    ("mul128", mul128),
    ("sieve", sieve),
];

pub fn by_name(name: &str) -> Option<Kernel> {
    KERNELS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, kernel)| *kernel)
}

/// Floating point without memory: all iterations of a square picture.
pub fn mandelbrot(side: u64) -> u64 {
    const ITERATIONS_MAX: u64 = 200;
    let mut sum = 0;
    for row in 0..side {
        for column in 0..side {
            let (a, b) = (
                column as f64 / side as f64 * 3.0 - 2.0,
                row as f64 / side as f64 * 3.0 - 1.5,
            );
            let (mut x, mut y, mut iterations) = (0.0, 0.0, 0);
            while x * x + y * y <= 4.0 && iterations < ITERATIONS_MAX {
                (x, y) = (x * x - y * y + a, 2.0 * x * y + b);
                iterations += 1;
            }
            sum += iterations;
        }
    }
    sum
}

/// Floating point with memory: the product of two square matrices.
pub fn matmul(side: u64) -> u64 {
    let side = side as usize;
    let matrix = |seed: usize| {
        (0..side * side)
            .map(move |at| ((at * seed) % 1_000) as f64)
            .collect::<Vec<f64>>()
    };
    let (a, b) = (matrix(7), matrix(13));
    let mut c = vec![0.0; side * side];
    for (a, c) in a.chunks_exact(side).zip(c.chunks_exact_mut(side)) {
        for (a, b) in a.iter().zip(b.chunks_exact(side)) {
            for (b, c) in b.iter().zip(c.iter_mut()) {
                *c += a * b;
            }
        }
    }
    c.iter()
        .fold(0, |sum: u64, c| sum.wrapping_mul(31).wrapping_add(c.to_bits()))
}

/// Products of two words and their sums: what arithmetic with large numbers is made of.
pub fn mul128(rounds: u64) -> u64 {
    let mut words = [
        0x9e37_79b9_7f4a_7c15_u64,
        0xbf58_476d_1ce4_e5b9,
        0x94d0_49bb_1331_11eb,
        rounds,
    ];
    for _ in 0..rounds {
        let mut carry = 0u64;
        let factor = words[0] | 1;
        for at in 0..words.len() {
            let product = u128::from(words[at]) * u128::from(factor) + u128::from(carry) + u128::from(words[3 - at]);
            (words[at], carry) = (product as u64, (product >> 64) as u64);
        }
        words[0] ^= carry;
    }
    words.iter().fold(0, |sum, word| sum ^ word)
}

/// Whole numbers with memory: how many primes there are up to `last`, and their sum.
pub fn sieve(last: u64) -> u64 {
    let mut composite = vec![false; last as usize + 1];
    let mut sum = 0;
    for n in 2..=last {
        if !composite[n as usize] {
            sum += n;
            (n * n..=last)
                .step_by(n as usize)
                .for_each(|multiple| composite[multiple as usize] = true);
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
    fn larger_work_gives_another_number() {
        for (name, kernel) in KERNELS {
            assert_ne!(kernel(50), kernel(53), "{name}");
        }
    }
}
