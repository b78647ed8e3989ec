//! Factorising numbers of up to 256 bits, in pieces. It knows nothing of tools: the tool around it is `main.rs`.

mod curve;
mod number;
mod prime;
mod residue;
mod search;

pub use number::{BITS_MAX, NotANumber, Number};
pub use prime::{is_prime, semiprime};
pub use search::{Piece, factorise, pieces};
