//! A job never costs more than its budget: whatever its parts cost and their lenders say that they did, however often
//! they fail, are lost, are worked on twice and checked.

use super::*;
use crate::ledger::Account;
use crate::task::Why;
use crate::verify::mix;

const CID: NodeId = NodeId(4);
const SEEDS: u64 = 60;
const STEPS: usize = 400;
const ITEMS: u64 = 24;
const GRANTED: u64 = 1_000_000;

/// What happened in all of them, so that none of it is missing.
#[derive(Debug, Default)]
struct Seen {
    done: u64,
    unpaid: u64,
    nearly_all: u64,
    twins: u64,
    proofs: u64,
    failed: u64,
    again: u64,
}

struct Tale {
    hub: Hub,
    chance: u64,
    /// Nothing fails, and nobody lies.
    calm: bool,
}

impl Tale {
    fn new(seed: u64) -> Tale {
        let mut tale = Tale { hub: Hub::new(), chance: mix(seed), calm: seed.is_multiple_of(3) };
        let check = [Check::Trust, Check::Copies, Check::Spot { per_mille: 300 }][tale.below(3) as usize];
        let budget = Credits([900, 4_000, 20_000, 90_000][tale.below(4) as usize]);
        let submit = Wish::Submit { job: Box::new(Job { budget, ..*job(ITEMS, check) }) };
        for lender in [ANN, BOB, CID] {
            tale.hub.arrives(lender);
        }
        tale.hub.ask(submit);
        tale
    }

    fn below(&mut self, most: u64) -> u64 {
        self.chance = mix(self.chance);
        self.chance % most
    }

    fn told(mut self, seen: &mut Seen) {
        let is_alive = |hub: &Hub| hub.node.state().job(JobId(9)).is_some();
        for _ in 0..STEPS {
            self.step(seen);
            assert!(is_alive(&self.hub), "it was accepted");
            self.examine();
        }
        let view = self.hub.node.view_job(JobId(9)).expect("it is on the books");
        seen.done += u64::from(view.standing == Standing::Done);
        seen.unpaid += u64::from(view.standing == Standing::Unpaid);
        seen.nearly_all += u64::from(view.spent.0 * 10 >= view.job.budget.0 * 9);
        seen.failed += view.counts.failed;
    }

    fn step(&mut self, seen: &mut Seen) {
        let node = [HUB, ANN, BOB, CID][self.below(4) as usize];
        match self.below(24) {
            0 if node != HUB => {
                self.hub.on(Event::Unlinked { node });
            }
            1 | 2 if node != HUB => {
                self.hub.arrives(node);
            }
            // Long enough for one to count as slow, or for its lease to end.
            3 | 4 => {
                self.hub.now += [3_000, 31_000][self.below(2) as usize];
                self.hub.on(Event::Woke);
            }
            5 => {
                let runs = |tale: &Tale| {
                    tale.hub.node.state().job(JobId(9)).map(|book| book.standing) == Some(Standing::Running)
                };
                let (ran, budget) = (runs(self), Credits(self.below(2_000)));
                self.hub.ask(Wish::Retry { job: JobId(9), budget });
                seen.again += u64::from(!ran && runs(self));
            }
            _ => self.answer(node, seen),
        }
    }

    /// A lender says something of the oldest part that it holds.
    fn answer(&mut self, node: NodeId, seen: &mut Seen) {
        let lease = self.hub.node.state().peer(node).and_then(|record| record.leases.first().copied());
        let Some((lease, grant)) = lease.and_then(|lease| Some((lease, self.hub.node.state().lease(lease)?.1))) else {
            return;
        };
        seen.twins += u64::from(grant.twin.is_some());
        seen.proofs += u64::from(matches!(grant.why, Why::Proof(_)));
        let Some(item) = grant.left.iter().next().map(|span| span.first) else { return };
        let fuel = [1, 150_000_000, 900_000_000, 30_000_000_000, u64::MAX][self.below(5) as usize];
        let outcome = match self.below(12) {
            0 => Outcome::Broken,
            1 => Outcome::Exit { code: 1 },
            2 => Outcome::OutOfFuel,
            3 => Outcome::Trapped { trap: Trap::OutOfFuel },
            _ => Outcome::Right,
        };
        let word = if node == BOB && self.below(8) == 0 { "lie" } else { "truth" };
        let calm = (Outcome::Right, fuel.min(900_000_000), "truth");
        let (outcome, fuel, word) = if self.calm { calm } else { (outcome, fuel, word) };
        let said = Answer { fuel: Fuel(fuel), outcome, ..answer(item, word) };
        self.hub.hear(node, Message::Done { lease, answers: vec![said] });
    }

    fn examine(&self) {
        let state = self.hub.node.state();
        let book = state.job(JobId(9)).expect("it was accepted");
        assert!(book.spent <= book.job.budget, "{} of {}", book.spent.0, book.job.budget.0);
        let out = GRANTED - state.ledger().balance(Account::Person(PersonId(1))).0;
        assert!(out <= book.job.budget.0, "{out} are set aside or spent of a budget of {}", book.job.budget.0);
        assert_eq!(state.check(), Ok(()));
    }
}

#[test]
fn whatever_happens_no_job_costs_more_than_its_budget() {
    let mut seen = Seen::default();
    for seed in 0..SEEDS {
        Tale::new(seed).told(&mut seen);
    }
    let Seen { done, unpaid, nearly_all, twins, proofs, failed, again } = seen;
    let all = [done, unpaid, nearly_all, twins, proofs, failed, again];
    assert!(all.iter().all(|times| *times > 0), "{seen:?}");
}
