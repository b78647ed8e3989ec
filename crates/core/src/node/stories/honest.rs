//! What must never make a liar of an honest lender.

use super::*;

/// A job whose parts may cost so much.
fn job_of(count: u64, fuel: Fuel) -> Box<Job> {
    let job = job(count, Check::Spot { per_mille: 0 });
    let tool = Tool { caps: Caps { fuel, ..job.tool.caps }, ..Tool::clone(&job.tool) };
    Box::new(Job { tool: Arc::new(tool), ..*job })
}

/// The fuel limits of what a node is given because of an event.
fn limits_of(hub: &mut Hub, node: NodeId, event: Event) -> Vec<Fuel> {
    hub.now += 1;
    let actions = hub.node.handle(Millis(hub.now), vec![event]);
    hub.journal.extend(hub.node.take_facts());
    let given = actions.iter().filter_map(|action| match action {
        Action::Give { to, gifts } if *to == node => Some(gifts),
        _ => None,
    });
    given.flatten().map(|(gift, _)| gift.fuel).collect()
}

#[test]
fn a_limit_that_costs_what_the_jobs_own_costs_is_the_jobs_own() {
    let mut hub = Hub::new();
    hub.arrives(ANN);
    // The first answer makes the hub expect less than this by some instructions, and fewer credits than one.
    let cost = Fuel(500_000_001);
    let most = Fuel(cost.0 * crate::limits::FUEL_SLACK + 10);
    hub.ask(Wish::Submit { job: job_of(9, most) });
    let lease = hub.lease_of(ANN);
    let message = Message::Done { lease, answers: vec![Answer { fuel: cost, ..answer(0, "a") }] };
    let limits = limits_of(&mut hub, ANN, Event::Heard { from: ANN, message });
    assert_eq!(limits, [most], "else an audit would go on where the lender was stopped, and call it a liar");
}

#[test]
fn a_proof_that_no_machine_can_make_ends_and_blames_nobody() {
    let mut hub = Hub::new();
    hub.arrives(ANN);
    hub.ask(Wish::Submit { job: job(1, Check::Spot { per_mille: 0 }) });
    let lease = hub.lease_of(ANN);
    hub.answers(ANN, lease, &[0], "a");
    for _ in 0..crate::limits::BROKEN_MAX {
        hub.now += 10_000;
        hub.on(Event::Woke);
        let lease = hub.lease_of(HUB);
        let broken = Answer { outcome: Outcome::Broken, ..answer(0, "") };
        hub.hear(HUB, Message::Done { lease, answers: vec![broken] });
    }
    hub.now += 10_000;
    hub.on(Event::Woke);
    let view = hub.node.view_job(JobId(9)).expect("it is on the books");
    assert_eq!((view.standing, view.counts.failed), (Standing::Failed, 1));
    assert!(!hub.node.state().peer(ANN).is_some_and(|ann| ann.trust.caught));
    assert_eq!(hub.node.state().ledger().sum(), 0);
}
