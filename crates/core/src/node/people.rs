//! What people ask for.

use super::{News, Node, Reply, Wish};
use crate::id::{AskId, JobId, Lease, TaskId};
use crate::job::{Job, Refusal, Standing};
use crate::ledger::{Account, Shortfall};
use crate::limits;
use crate::node::Action;
use crate::state::Fact;
use crate::task::Stage;
use crate::units::{Credits, Millis};

impl Node {
    pub(super) fn asked(&mut self, ask: AskId, wish: Wish) {
        let reply = match wish {
            Wish::Submit { job } => self.submit(*job),
            Wish::Extend { job, from, count } => self.extend(job, from, count),
            Wish::Close { job } => self.close(job),
            Wish::Cancel { job } => self.cancel(job),
            Wish::Retry { job, budget } => self.retry(job, budget),
            Wish::Forget { job } => self.forget(job),
            Wish::Grant { person, amount } => {
                self.record(Fact::Moved { from: Account::Mint, to: Account::Person(person), amount });
                Ok(Reply::Done)
            }
            Wish::Expire { before } => self.expire(before),
            Wish::Circle { change } => Ok(self.change_circle(change)),
        };
        let reply = reply.unwrap_or_else(|why| Reply::Refused { why });
        self.actions.push(Action::Reply { ask, reply });
    }

    /// Puts a job on the books. Submitting the same job again changes nothing.
    fn submit(&mut self, job: Job) -> Result<Reply, Refusal> {
        if let Some(book) = self.state.job(job.id) {
            let same = *book.job == job;
            return if same {
                Ok(Reply::Accepted { job: job.id, root: book.root })
            } else {
                Err(Refusal::OtherJobOfThatId)
            };
        }
        job.examine()?;
        if self.state.jobs().len() >= limits::JOBS_MAX {
            return Err(Refusal::TooManyJobs);
        }
        self.afford(&job, job.budget)?;
        let (id, root) = (job.id, self.state.next_task());
        self.record(Fact::Submitted { job: Box::new(job), root, at: self.now });
        self.tell(News::Submitted { job: id });
        Ok(Reply::Accepted { job: id, root })
    }

    fn afford(&self, job: &Job, budget: Credits) -> Result<(), Refusal> {
        self.state.ledger().examine(Account::Person(job.owner), budget).map_err(|why| match why {
            Shortfall::NotEnough { available } => Refusal::NotEnoughCredits { available },
            Shortfall::TooLarge => Refusal::NotEnoughCredits { available: limits::TRANSFER_MAX },
        })
    }

    fn extend(&mut self, job: JobId, from: Option<u64>, count: u64) -> Result<Reply, Refusal> {
        let book = self.state.job(job).ok_or(Refusal::NoSuchJob)?;
        let task = self.state.task(book.root).ok_or(Refusal::NoSuchJob)?;
        let has = task.parts.count;
        let from = from.unwrap_or(has);
        if from.saturating_add(count) <= has {
            // Asked before, and the reply was lost.
            return Ok(Reply::Extended { from, count });
        }
        if !task.parts.open || from != has || task.over {
            return Err(Refusal::NotOpen);
        }
        if has.saturating_add(count) > limits::ITEMS_MAX {
            return Err(Refusal::TooManyInputs);
        }
        self.record(Fact::Extended { job, count });
        Ok(Reply::Extended { from, count })
    }

    fn close(&mut self, job: JobId) -> Result<Reply, Refusal> {
        let root = self.state.job(job).ok_or(Refusal::NoSuchJob)?.root;
        if self.state.task(root).is_some_and(|task| task.parts.open) {
            self.record(Fact::Closed { job });
        }
        Ok(Reply::Done)
    }

    pub(super) fn cancel(&mut self, job: JobId) -> Result<Reply, Refusal> {
        let book = self.state.job(job).ok_or(Refusal::NoSuchJob)?;
        if book.standing == Standing::Running {
            self.end_tree(book.root, Standing::Cancelled);
        }
        Ok(Reply::Done)
    }

    /// A whole tree is wanted no more: nothing is placed, what is out is called back, what is pending is judged.
    pub(super) fn end_tree(&mut self, root: TaskId, standing: Standing) {
        let tree: Vec<TaskId> =
            self.state.tasks().iter().filter(|(_, task)| task.root == root).map(|(id, _)| *id).collect();
        for id in tree {
            if self.state.task(id).is_some_and(|task| task.parts.ending.is_none()) {
                self.record(Fact::Ending { task: id, standing });
            }
            self.call_back_tries(id);
        }
    }

    /// Calls back what is out for an answer; proofs go on, since somebody waits to be paid.
    pub(super) fn call_back_tries(&mut self, id: TaskId) {
        let Some(task) = self.state.task(id) else { return };
        let proof = |why| matches!(why, crate::task::Why::Proof(_));
        let tries: Vec<Lease> =
            task.parts.out.iter().filter(|(_, grant)| !proof(grant.why)).map(|(lease, _)| *lease).collect();
        self.call_back(tries);
    }

    /// A giver does not wait for this task any more.
    pub(super) fn abandon(&mut self, task: TaskId) {
        self.end_tree(task, Standing::Cancelled);
    }

    fn retry(&mut self, job: JobId, budget: Credits) -> Result<Reply, Refusal> {
        let book = self.state.job(job).ok_or(Refusal::NoSuchJob)?;
        let task = self.state.task(book.root).ok_or(Refusal::NoSuchJob)?;
        let again = task.over && task.stage == Stage::Work && book.standing != Standing::Done;
        if again {
            self.afford(&book.job, budget)?;
            self.record(Fact::Retried { job, at: self.now, budget });
        }
        Ok(Reply::Done)
    }

    fn forget(&mut self, job: JobId) -> Result<Reply, Refusal> {
        let book = self.state.job(job).ok_or(Refusal::NoSuchJob)?;
        if book.standing != Standing::Running {
            let root = book.root;
            self.record(Fact::Forgotten { job });
            self.estimates.remove(&root);
            self.actions.push(Action::Drop { task: root });
        }
        Ok(Reply::Done)
    }

    fn expire(&mut self, before: Millis) -> Result<Reply, Refusal> {
        let old = self.state.jobs().values().filter(|book| book.ended.is_some_and(|ended| ended < before));
        let old: Vec<JobId> = old.map(|book| book.job.id).collect();
        old.into_iter().try_for_each(|job| self.forget(job).map(|_| ()))?;
        self.expire_passes();
        Ok(Reply::Done)
    }
}
