//! What simulated people ask for.

use super::{Next, World};
use crate::id::{AskId, JobId};
use crate::job::{Job, Source, Standing};
use crate::node::{Event, News, Reply, Wish};
use crate::sim::plan::Errand;
use crate::units::{Credits, Millis};
use std::sync::Arc;

impl World {
    /// Puts everything that the plan says into the queue.
    pub(super) fn prepare(&mut self) {
        for node in 0..self.computers.len() {
            let late = self.plan.late.iter().find(|(one, _)| *one == node);
            self.at(late.map_or(Millis(0), |(_, at)| *at), Next::Start { node });
        }
        for (errand, what) in self.plan.errands.clone().iter().enumerate() {
            for n in 0..what.repeats {
                self.at(what.at.plus(Millis(n * 700)), Next::Submit { errand });
            }
            if what.open {
                self.at(what.at.plus(Millis(3_000)), Next::Extend { errand });
            }
            if let Some(at) = what.cancel_at {
                self.at(at, Next::Cancel { errand });
            }
        }
        for (node, at) in self.plan.leavers.clone() {
            self.at(at, Next::Vanish { node });
        }
        self.at(Millis(1_000), Next::Trouble);
        self.at(self.plan.faults_until, Next::Peace);
    }

    pub(super) fn submit(&mut self, errand: usize) -> Result<(), String> {
        let node = self.plan.errands[errand].node;
        if self.computers[node].node.is_none() || self.accepted.contains(&errand) && self.peace {
            return Ok(());
        }
        let job = Box::new(job(&self.plan.errands[errand], errand));
        let ask = AskId(errand as u64 + 1);
        let again = Next::Submit { errand };
        self.tell(node, Event::Asked { ask, wish: Wish::Submit { job } }, again)
    }

    pub(super) fn extend(&mut self, errand: usize) -> Result<(), String> {
        let what = &self.plan.errands[errand];
        let (id, from, node) = (job_id(errand), what.items, what.node);
        let wish = Wish::Extend { job: id, from: Some(from), count: what.items };
        self.tell(node, Event::Asked { ask: AskId(0), wish }, Next::Extend { errand })?;
        let known = self.computers[node].node.as_ref().and_then(|brain| brain.view_job(id));
        let extended = known.is_some_and(|view| view.counts.items > from || view.standing != Standing::Running);
        if extended {
            let wish = Wish::Close { job: id };
            return self.tell(node, Event::Asked { ask: AskId(0), wish }, Next::Extend { errand });
        }
        if self.peace {
            self.later(300, Next::Extend { errand });
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, errand: usize) -> Result<(), String> {
        let wish = Wish::Cancel { job: job_id(errand) };
        let node = self.plan.errands[errand].node;
        self.tell(node, Event::Asked { ask: AskId(0), wish }, Next::Cancel { errand })
    }

    pub(super) fn replied(&mut self, ask: AskId, reply: &Reply) {
        if let (Some(errand), Reply::Accepted { .. } | Reply::Refused { .. }) = (ask.0.checked_sub(1), reply) {
            self.accepted.insert(usize::try_from(errand).unwrap_or(0));
        }
    }

    pub(super) fn note_news(&mut self, news: &News) {
        match news {
            News::Refused { .. } => self.stats.refused += 1,
            News::Ended { job, at, .. } => {
                self.stats.jobs_done += 1;
                self.ended.insert(*job, *at);
            }
            _ => {}
        }
    }
}

pub(super) fn job_id(errand: usize) -> JobId {
    JobId(1_000 + errand as u64)
}

fn job(what: &Errand, errand: usize) -> Job {
    Job {
        id: job_id(errand),
        owner: what.owner,
        name: Arc::from("errand"),
        tool: Arc::new(what.toy.tool()),
        source: Source::Numbers { from: 0, count: what.items },
        chunk: what.chunk,
        check: what.check,
        merge: what.merge,
        open: what.open,
        budget: Credits(what.budget),
        fails_max: u64::MAX,
    }
}
