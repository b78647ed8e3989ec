//! A lender that only pretends to work: it answers at once that there was nothing to find. The demo starts one to show
//! that it is found out.

use crate::shell::{Executors, Order, Results, RunError, Soon};
use grove_sandbox::{Outcome, Status};
use std::time::Duration;

/// What looks like work done.
const FUEL: u64 = 300_000_000;
const TIME: Duration = Duration::from_millis(30);

/// Runs nothing.
#[derive(Debug)]
pub(crate) struct Pretender;

impl Executors for Pretender {
    fn run(&self, order: Order, out: Results) -> Soon<'_, Result<(), RunError>> {
        Box::pin(async move {
            for at in 0..order.parts.len() {
                tokio::time::sleep(TIME).await;
                if out.send(vec![(at, nothing_found())]).await.is_err() {
                    break;
                }
            }
            Ok(())
        })
    }
}

fn nothing_found() -> Outcome {
    Outcome {
        stdout: b"none\n".to_vec(),
        fuel: FUEL,
        cpu_us: u64::try_from(TIME.as_micros()).unwrap_or(0),
        ..Outcome::early(Status::Exit(0))
    }
}
