//! What the lender's side needs of the executors.

use crate::shell::wires::Soon;
use grove_core::id::{Digest, JobId};
use grove_sandbox::{Outcome, Part, Terms};
use tokio::sync::mpsc;

/// Runs of one tool, all under the same terms.
#[derive(Debug, Clone)]
pub struct Order {
    /// Nothing of one job may reach the next.
    pub job: JobId,
    /// The tool: a blob that is here.
    pub module: Digest,
    /// For an interpreter: the blob that it runs.
    pub package: Option<Digest>,
    pub terms: Terms,
    /// Of this node's own, such as a split or a proof: it must not wait for long parts.
    pub beyond: bool,
    pub parts: Vec<Part>,
}

/// Results in any order, each with its place in the order.
pub type Results = mpsc::Sender<Vec<(usize, Outcome)>>;

/// Whoever runs tools: processes apart from this one. Dropping the future stops the order.
pub trait Executors: Send + Sync + std::fmt::Debug + 'static {
    fn run(&self, order: Order, out: Results) -> Soon<'_, Result<(), RunError>>;
}

/// Why (some of) an order was not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It would fail on any machine.
    #[error("{why}")]
    NotATool { why: String },
    /// This machine's doing.
    #[error("this machine could not run it: {source}")]
    Broken { source: Box<dyn std::error::Error + Send + Sync> },
}
