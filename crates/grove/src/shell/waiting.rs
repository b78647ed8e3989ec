//! People who wait for the answers of some items. Looked at only when something finished in their job.

use grove_core::id::{JobId, TaskId};
use grove_core::job::Standing;
use grove_core::node::Node;
use grove_core::task::{Span, Stage};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// Somebody waits until all of these items of a job have an answer.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) job: JobId,
    pub(super) items: Span,
    pub(super) done: Answered,
}

/// Is told the job's root, if the job is on the books.
pub(super) type Answered = oneshot::Sender<Option<TaskId>>;

#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_job: BTreeMap<JobId, Vec<(Span, Answered)>>,
}

impl Waiting {
    pub(super) fn add(&mut self, wait: Wait, node: &Node) {
        if is_over(node, wait.job, wait.items) {
            // Whoever asked may have gone meanwhile.
            let _ = wait.done.send(root(node, wait.job));
        } else {
            let waits = self.by_job.entry(wait.job).or_default();
            if waits.len() == waits.capacity() {
                // Before it grows: whoever asks again and again with a short patience leaves many behind.
                waits.retain(|(_, done)| !done.is_closed());
            }
            waits.push((wait.items, wait.done));
        }
    }

    /// Something finished in this job.
    pub(super) fn look(&mut self, job: JobId, node: &Node) {
        let Some(waits) = self.by_job.get_mut(&job) else { return };
        let mut at = 0;
        while at < waits.len() {
            if waits[at].1.is_closed() {
                waits.swap_remove(at);
            } else if is_over(node, job, waits[at].0) {
                let _ = waits.swap_remove(at).1.send(root(node, job));
            } else {
                at += 1;
            }
        }
        if waits.is_empty() {
            self.by_job.remove(&job);
        }
    }
}

fn root(node: &Node, job: JobId) -> Option<TaskId> {
    node.state().job(job).map(|book| book.root)
}

/// Whether nothing more will become of these items; also true for a job that is not on the books.
fn is_over(node: &Node, job: JobId, items: Span) -> bool {
    let Some(book) = node.state().job(job) else { return true };
    let Some(task) = node.state().task(book.root) else {
        return true;
    };
    // After the work come merges, whose parts are others.
    let worked = task.stage != Stage::Work && items.end() <= task.items;
    book.standing != Standing::Running || worked || task.parts.answered.holds(items)
}
