//! What people ask for.

use super::{News, Node, Reply, Wish};
use crate::id::{AskId, JobId, Lease, PersonId, TaskId};
use crate::job::{Job, Refusal, Standing};
use crate::ledger::{Account, Shortfall};
use crate::limits;
use crate::node::Action;
use crate::state::{Fact, open};
use crate::task::{Grant, Stage, Why};
use crate::units::{Credits, Millis};
use std::collections::BTreeMap;

impl Node {
    pub(super) fn asked(&mut self, ask: AskId, wish: Wish) {
        let reply = match wish {
            Wish::Submit { job } => {
                let first = job.budget.min(limits::HOLD_FIRST);
                self.submit(*job, first)
            }
            Wish::Promise { job } => {
                let whole = job.budget;
                self.submit(*job, whole)
            }
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

    /// Puts a job on the books, and sets that much aside. Submitting the same job again changes nothing.
    fn submit(&mut self, job: Job, held: Credits) -> Result<Reply, Refusal> {
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
            self.forget_oldest()?;
        }
        self.examine_quotas(job.owner, 1, open::counted(Some(job.source), job.source.count()))?;
        self.afford(&job, job.budget)?;
        self.count_submit(job.owner)?;
        let (id, root) = (job.id, self.state.next_task());
        self.record(Fact::Accepted { job: Box::new(job), root, at: self.now, held });
        self.tell(News::Submitted { job: id });
        Ok(Reply::Accepted { job: id, root })
    }

    /// The books are full: whoever has most jobs that ended loses the oldest of them, many at a time, since it takes a
    /// look at all.
    fn forget_oldest(&mut self) -> Result<(), Refusal> {
        let mut ended: BTreeMap<PersonId, Vec<(Millis, JobId)>> = BTreeMap::new();
        for book in self.state.jobs().values() {
            if let (Some(at), true) = (book.ended, self.state.task(book.root).is_none_or(|root| root.over)) {
                ended.entry(book.job.owner).or_default().push((at, book.job.id));
            }
        }
        let mut most = ended.into_values().max_by_key(Vec::len).ok_or(Refusal::TooManyJobs)?;
        most.sort_unstable();
        most.truncate(limits::JOBS_MAX / 100);
        most.into_iter().try_for_each(|(_, job)| self.forget(job).map(drop))
    }

    /// One person does not fill the books of all with what runs.
    fn examine_quotas(&self, owner: PersonId, jobs: u64, inputs: u64) -> Result<(), Refusal> {
        let open = self.state.open(owner);
        if open.jobs + jobs > limits::JOBS_OF_ONE_MAX {
            return Err(Refusal::TooManyOfYours { most: limits::JOBS_OF_ONE_MAX });
        }
        if open.inputs.saturating_add(inputs) > limits::INPUTS_OF_ONE_MAX {
            return Err(Refusal::TooManyInputsOfYours { most: limits::INPUTS_OF_ONE_MAX });
        }
        Ok(())
    }

    fn count_submit(&mut self, owner: PersonId) -> Result<(), Refusal> {
        let (minute, most) = (self.now.0 / 60_000, limits::SUBMITS_A_MINUTE_MAX);
        let counted = self.submits.entry(owner).or_default();
        if counted.0 != minute {
            *counted = (minute, 0);
        }
        if counted.1 >= most {
            return Err(Refusal::TooFast { most });
        }
        counted.1 += 1;
        Ok(())
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
        self.examine_quotas(book.job.owner, 0, open::counted(Some(book.job.source), count))?;
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
            let at = self.now;
            self.end_tree(book.root, Standing::Cancelled);
            // Over for whoever wanted it; answers that are on the books are still judged and paid.
            self.record(Fact::Cancelled { job, at });
            self.tell(News::Ended { job, standing: Standing::Cancelled, at });
        }
        Ok(Reply::Done)
    }

    /// A whole tree is wanted no more: nothing is placed, what is out is called back, what is pending is judged.
    pub(super) fn end_tree(&mut self, root: TaskId, standing: Standing) {
        let mut tree = vec![root];
        while let Some(id) = tree.pop() {
            tree.extend(self.state.task(id).into_iter().flat_map(|task| task.parts.opened.values()));
            if self.state.task(id).is_some_and(|task| task.parts.ending.is_none()) {
                self.record(Fact::Ending { task: id, standing });
            }
            self.call_back_tries(id);
        }
    }

    /// Calls back what is out for an answer, and what other lenders repeat: the end is not to hang on any of them.
    /// Proofs where answers are believed go on, since somebody waits to be paid.
    pub(super) fn call_back_tries(&mut self, id: TaskId) {
        let Some(task) = self.state.task(id) else { return };
        let at_home = |grant: &Grant| matches!(grant.why, Why::Proof(_)) && grant.price == Credits(0);
        let tries: Vec<Lease> =
            task.parts.out.iter().filter(|(_, grant)| !at_home(grant)).map(|(lease, _)| *lease).collect();
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
            self.examine_quotas(book.job.owner, 1, open::counted(Some(book.job.source), task.items))?;
            self.afford(&book.job, budget)?;
            self.record(Fact::Retried { job, at: self.now, budget });
        }
        Ok(Reply::Done)
    }

    fn forget(&mut self, job: JobId) -> Result<Reply, Refusal> {
        let book = self.state.job(job).ok_or(Refusal::NoSuchJob)?;
        let settled = self.state.task(book.root).is_none_or(|root| root.over);
        if book.standing != Standing::Running && settled {
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
