//! A lender that only pretends to work: it answers at once that there was nothing to find. The demo starts one to show
//! that it is found out.

use crate::shell::{Executors, Order, Results, RunError, Soon};
use grove_sandbox::{Outcome, Status};

/// Runs nothing.
#[derive(Debug)]
pub(crate) struct Pretender;

/// What looks like work done.
const FUEL: u64 = 300_000_000;
const MICROS: u64 = 30_000;
