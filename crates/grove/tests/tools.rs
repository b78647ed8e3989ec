//! What our tools say in the sandbox, against the same code outside it: compilers for WebAssembly have bugs too.

use factor::{BITS_MAX, Number};
use grove_sandbox::{CompileOptions, Engine, Limits, Outcome, Part, Status, Terms, Tool};
use std::sync::Arc;

const FACTORISER: &[u8] = include_bytes!("../../../tools/prebuilt/factor.wasm");

#[test]
fn the_factoriser_says_in_the_sandbox_what_it_says_outside() {
    let tool = Tool::build(&Engine::new(CompileOptions::default(), 1).unwrap(), FACTORISER).unwrap();
    let mut dice = 1;
    for bits in (40..=BITS_MAX).step_by(8) {
        let number = easy(bits, &mut dice);
        let primes = factor::factorise(&number);
        let line = line(&number, &primes);
        let told = call(&tool, "run", number.to_string().as_bytes());
        assert_eq!((String::from_utf8_lossy(&told.stdout), told.status), (line.as_str().into(), Status::Exit(0)));
        assert_eq!(check(&tool, &number, &line), Status::Exit(0), "it believes itself: {line}");
        let wrong = line.replace(" = ", " = 3 * ");
        assert_eq!(check(&tool, &number, &wrong), Status::Exit(1), "{wrong}");
    }
}

/// A number of so many bits that is factorised at once: all its primes but one are small.
fn easy(bits: u32, dice: &mut u64) -> Number {
    let mut random = || {
        *dice += 1;
        grove_core::verify::mix(*dice)
    };
    let small = factor::semiprime(24, &mut random);
    let mut large = Number(std::array::from_fn(|_| random())).shifted_right(BITS_MAX - (bits - 24));
    large.0[0] |= 1;
    while !factor::is_prime(&large) {
        large = large.checked_add(Number::from(2)).unwrap();
    }
    small.checked_mul(large).unwrap()
}

fn line(number: &Number, primes: &[Number]) -> String {
    let primes: Vec<String> = primes.iter().map(Number::to_string).collect();
    format!("{number} = {}\n", primes.join(" * "))
}

fn check(tool: &Tool, number: &Number, line: &str) -> Status {
    let number = number.to_string();
    call(tool, "check", format!("{}\n{number}{}\n{line}", number.len(), line.len()).as_bytes()).status
}

fn call(tool: &Tool, verb: &str, stdin: &[u8]) -> Outcome {
    let part = Part { args: vec![verb.to_owned()], stdin: Arc::from(stdin), ..Part::default() };
    tool.run(&part, &Terms { limits: Limits::default(), real_time: false })
}
