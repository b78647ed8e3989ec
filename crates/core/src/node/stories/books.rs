//! Jobs that are over stay on the books for a long time: what they must not do to those that are not.

use super::*;
use crate::limits;

/// So many jobs of somebody, each cancelled at once, named from `first` on.
fn end_jobs(hub: &mut Hub, owner: u64, first: u64, count: usize) {
    for nth in 0..count as u64 {
        // Nobody submits that fast.
        hub.now += 60_000;
        let id = JobId(first + nth);
        hub.ask(Wish::Submit { job: Box::new(Job { id, owner: PersonId(owner), ..*job(1, Check::Trust) }) });
        hub.ask(Wish::Cancel { job: id });
        hub.journal.clear();
    }
}

#[test]
fn jobs_that_are_over_keep_no_tool_from_splitting() {
    let mut hub = Hub::new();
    end_jobs(&mut hub, 1, 1_000, limits::OPEN_TASKS_MAX + 1);
    let mut splitting = *job(1, Check::Trust);
    let tool = Arc::make_mut(&mut splitting.tool);
    tool.abilities = Abilities { split: true, merge: true, ..Abilities::default() };
    hub.ask(Wish::Submit { job: Box::new(splitting) });
    hub.on(Event::Lends { slots: 1 });
    let root = hub.node.state().job(JobId(9)).expect("it was accepted").root;
    assert_eq!(hub.node.state().task(root).expect("it runs").parts.opened.len(), 1);
}

#[test]
fn full_books_lose_the_oldest_of_whoever_has_most() {
    let mut hub = Hub::new();
    hub.ask(Wish::Grant { person: PersonId(2), amount: Credits(1_000_000) });
    end_jobs(&mut hub, 2, 10, 10);
    end_jobs(&mut hub, 1, 1_000, limits::JOBS_MAX - 10);
    let told = hub.ask(Wish::Submit { job: job(1, Check::Trust) });
    assert!(told.contains("accepted"), "{told}");
    let jobs = hub.node.state().jobs();
    let (oldest, kept) = (JobId(1_000), JobId(1_000 + limits::JOBS_MAX as u64 / 100));
    assert!(!jobs.contains_key(&oldest) && jobs.contains_key(&kept) && jobs.contains_key(&JobId(10)));
    assert_eq!(jobs.len(), limits::JOBS_MAX - limits::JOBS_MAX / 100 + 1);
}

#[test]
fn a_job_with_too_many_failures_stops() {
    let mut hub = Hub::new();
    hub.arrives(ANN);
    hub.ask(Wish::Submit { job: Box::new(Job { fails_max: 1, ..*job(1_000, Check::Trust) }) });
    let root = hub.node.state().job(JobId(9)).expect("it was accepted").root;
    for item in 0..2 {
        assert_eq!(hub.node.state().job(JobId(9)).expect("it runs").standing, Standing::Running, "{item}");
        let (lease, first) = {
            let task = hub.node.state().task(root).expect("it runs");
            let (lease, grant) = task.parts.out.iter().next().expect("something is out");
            (*lease, grant.pieces[0].first)
        };
        let failed = Answer { outcome: Outcome::Exit { code: 1 }, ..answer(first, "no") };
        hub.hear(ANN, Message::Done { lease, answers: vec![failed] });
    }
    let book = hub.node.state().job(JobId(9)).expect("it is on the books");
    assert_eq!(book.standing, Standing::Failed);
    assert!(hub.node.state().task(root).is_some_and(|task| task.parts.out.is_empty()));
}
