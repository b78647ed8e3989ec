//! The watch: looks, judges, and acts at once. It has a thread and a runtime of its own, so that nothing which keeps a
//! node busy keeps the owner waiting.

use super::diary::Diary;
use super::machine::{Facts, Machine};
use super::note::{Measured, Note};
use super::probe::Probes;
use super::rules::{Judge, Pause, Rules, Sight, Signs, Why};
use super::{Reins, asked, now};
use grove_core::units::Millis;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// While something runs, the owner is looked for so often: half of it is what a return costs on average.
const LOOK_WORKING: Duration = Duration::from_millis(100);
/// While nothing runs nobody is in a hurry.
const LOOK_IDLE: Duration = Duration::from_secs(1);
/// What is told of a pause need not be newer than this.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// What was done is written down so often, and before each pause.
const WRITE_EVERY: Duration = Duration::from_secs(10);
/// The version of notes.
const V: u32 = 1;

/// What a watch needs to know.
#[derive(Debug)]
pub struct Setup {
    pub rules: Rules,
    /// Jobs of the owner run here too, and do not wait until the owner has gone.
    pub is_hub: bool,
    pub slots: u32,
    /// What jobs may use here, and who sees to it, in words.
    pub limits: Vec<String>,
    /// Where `grove pause` leaves its word.
    pub home: PathBuf,
    /// The lender's own folder.
    pub folder: PathBuf,
    /// For tests: the owner is a file.
    pub fake: Option<PathBuf>,
}

/// The watch over one lender, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Option<oneshot::Sender<()>>,
    rules: watch::Sender<Rules>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Why there is no watch; then nothing may be lent.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error(
        "the watch over the owner's presence cannot be started: {source}\nhint: too many processes run on this machine"
    )]
    Start { source: io::Error },
}

impl Watch {
    /// Starts it, and comes back after its first verdict: why nothing is lent, if that is so.
    pub async fn start(setup: Setup, reins: Arc<dyn Reins>) -> Result<(Watch, Option<Pause>), WatchError> {
        let failed = |source| WatchError::Start { source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let (judged, first) = oneshot::channel();
        let (rules, heeds) = watch::channel(setup.rules.clone());
        let life = move || {
            let blind = Blind { folder: setup.folder.clone(), slots: setup.slots, reins: Arc::clone(&reins) };
            let watches = AssertUnwindSafe(|| {
                runtime.block_on(async {
                    let round = Round::new(setup, heeds, reins);
                    tokio::select! {
                        () = round.go(judged) => {}
                        _ = stopped => {}
                    }
                });
            });
            if std::panic::catch_unwind(watches).is_err() {
                runtime.block_on(blind.close());
            }
        };
        let thread = std::thread::Builder::new().name("owner".into()).spawn(life).map_err(failed)?;
        let broken = |_| WatchError::Start { source: io::Error::other("it ended at once") };
        let pause = first.await.map_err(broken)?;
        Ok((Watch { stop: Some(stop), rules, thread: Some(thread) }, pause))
    }

    /// Where other rules are said while it watches.
    pub fn rules(&self) -> watch::Sender<Rules> {
        self.rules.clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A watch that broke off has said so.
            let _ = thread.join();
        }
    }
}

/// What is left when a defect ends the watch: nothing is lent unwatched.
#[derive(Debug)]
struct Blind {
    folder: PathBuf,
    slots: u32,
    reins: Arc<dyn Reins>,
}

impl Blind {
    async fn close(self) {
        self.reins.freeze();
        self.reins.give_up().await;
        tracing::error!("the watch over the owner's presence broke off: nothing is lent from here until a new start");
        let note = Note {
            v: V,
            pid: std::process::id(),
            slots: self.slots,
            limits: Vec::new(),
            compiling_ms: None,
            since: now(),
            pause: Some(Pause { why: Why::Unwatched, until: None }),
            others: None,
            probe: "none: it broke off".to_owned(),
            returns: Measured::open(&self.folder).returns(),
        };
        if let Err(error) = note.write(&self.folder) {
            tracing::warn!("what is told to the owner cannot be written to {}: {error}", self.folder.display());
        }
    }
}

/// To whom this machine lends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lends {
    ToAll,
    ToOwner,
    Nothing,
}

/// What everything that runs here goes by.
fn for_all(rules: &Rules, is_hub: bool) -> Rules {
    if is_hub { rules.clone().of_a_hub() } else { rules.clone() }
}

/// What the jobs of others go by beside, where those of the owner run too.
fn for_others(rules: &Rules, is_hub: bool) -> Option<Rules> {
    (is_hub && rules.heeds_owner).then(|| rules.clone())
}

/// One look after the other.
#[derive(Debug)]
struct Round {
    judge: Judge,
    /// Where the owner's own jobs run too: of those of others.
    others: Option<Judge>,
    probes: Probes,
    machine: Machine,
    setup: Setup,
    /// Rules that are said later.
    heeds: watch::Receiver<Rules>,
    reins: Arc<dyn Reins>,
    /// Not known before the first verdict.
    lends: Option<Lends>,
    since: Millis,
    measured: Measured,
    told: Option<(Note, Instant)>,
    diary: Diary,
    written: Instant,
}

impl Round {
    fn new(setup: Setup, heeds: watch::Receiver<Rules>, reins: Arc<dyn Reins>) -> Round {
        Round {
            judge: Judge::new(for_all(&setup.rules, setup.is_hub)),
            others: for_others(&setup.rules, setup.is_hub).map(Judge::new),
            probes: Probes::new(setup.fake.clone()),
            diary: Diary::open(&setup.folder),
            written: Instant::now(),
            machine: Machine::new(&setup.folder, setup.rules.unless.clone()),
            heeds,
            reins,
            lends: None,
            since: now(),
            measured: Measured::open(&setup.folder),
            told: None,
            setup,
        }
    }

    async fn go(mut self, judged: oneshot::Sender<Option<Pause>>) {
        let mut judged = Some(judged);
        loop {
            self.heed();
            let signs = self.look().await;
            let pause = self.judge.judge(&signs).pause();
            let others = self.others.as_mut().and_then(|judge| judge.judge(&signs).pause());
            self.follow(pause.as_ref(), others.as_ref()).await;
            self.tell(&signs, pause.clone(), others);
            self.write_down();
            if let Some(judged) = judged.take() {
                // Whoever waits for it may have gone.
                let _ = judged.send(pause);
            }
            tokio::time::sleep(LOOK_WORKING).await;
            if self.lends != Some(Lends::ToAll) || !self.reins.is_at_work() {
                // Either will do.
                let _ = tokio::time::timeout(LOOK_IDLE - LOOK_WORKING, self.reins.work_begins()).await;
            }
        }
    }

    fn heed(&mut self) {
        if self.heeds.has_changed().unwrap_or(false) {
            let rules = self.heeds.borrow_and_update().clone();
            self.machine.heed(rules.unless.clone());
            self.judge.heed(for_all(&rules, self.setup.is_hub));
            self.others = for_others(&rules, self.setup.is_hub).map(Judge::new);
        }
    }

    async fn look(&mut self) -> Signs {
        let sight = if self.heeds_owner() { self.probes.look().await } else { Sight::Nobody };
        let asked = asked::asked(&self.setup.home);
        let Facts { load, on_battery, on_metered, celsius, memory_free, disk_free, program } =
            self.machine.facts().clone();
        Signs {
            now: now(),
            minute: minute(),
            sight,
            load,
            on_battery,
            on_metered,
            celsius,
            memory_free,
            disk_free,
            program,
            asked,
        }
    }

    fn heeds_owner(&self) -> bool {
        self.judge.rules().heeds_owner || self.others.is_some()
    }

    /// Stops or goes on, if the verdict is another than before.
    async fn follow(&mut self, pause: Option<&Pause>, others: Option<&Pause>) {
        let lends = match (pause, others) {
            (Some(_), _) => Lends::Nothing,
            (None, Some(_)) => Lends::ToOwner,
            (None, None) => Lends::ToAll,
        };
        let before = self.lends.replace(lends);
        if before == Some(lends) {
            return;
        }
        self.since = now();
        let Some(why) = pause.or(others) else {
            tracing::info!("lending");
            return self.reins.lend();
        };
        let mut frozen = now();
        if lends == Lends::ToOwner {
            self.reins.keep().await;
            frozen = now();
        } else {
            self.reins.freeze();
            frozen = now().max(frozen);
            self.reins.give_up().await;
        }
        tracing::info!(
            "{}: {}",
            if lends == Lends::ToOwner { "lending to own jobs only" } else { "not lending" },
            why.text(frozen)
        );
        if let (Some(Lends::ToAll), Why::Input { at, .. }) = (before, &why.why) {
            let kept = self.measured.add(frozen.since(*at), now().since(*at), &self.setup.folder);
            if let Err(error) = kept {
                tracing::warn!("how fast the machine was given back cannot be written down: {error}");
            }
        }
    }

    /// Lenders that end write down the rest when they are dropped.
    fn write_down(&mut self) {
        if self.lends == Some(Lends::ToAll) && self.written.elapsed() < WRITE_EVERY {
            return;
        }
        self.written = Instant::now();
        if let Err(error) = self.diary.note(self.reins.done()) {
            tracing::warn!("the diary cannot be written: {error}");
        }
    }

    fn tell(&mut self, signs: &Signs, pause: Option<Pause>, others: Option<Pause>) {
        let probe = match &signs.sight {
            _ if !self.heeds_owner() => "none: it lends while you are here too".to_owned(),
            Sight::Input { probe, .. } => probe.clone(),
            Sight::Blind { .. } => "none that sees anything".to_owned(),
            Sight::Nobody => "none, since there is no desktop and no terminal: it goes by load".to_owned(),
        };
        let note = Note {
            v: V,
            pid: std::process::id(),
            slots: self.setup.slots,
            limits: self.setup.limits.clone(),
            compiling_ms: self.reins.compiling().map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            since: self.since,
            pause,
            others,
            probe,
            returns: self.measured.returns(),
        };
        let kind = |note: &Note| {
            let why = |pause: &Option<Pause>| pause.as_ref().map(|pause| std::mem::discriminant(&pause.why));
            (note.since, why(&note.pause), why(&note.others))
        };
        let known = |(told, at): &(Note, Instant)| {
            // While somebody types, the last input is always another one.
            *told == note || kind(told) == kind(&note) && at.elapsed() < TELL_EVERY
        };
        if self.told.as_ref().is_some_and(known) {
            return;
        }
        if let Err(error) = note.write(&self.setup.folder) {
            tracing::warn!("what is told to the owner cannot be written to {}: {error}", self.setup.folder.display());
        }
        self.told = Some((note, Instant::now()));
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.lends = None;
        self.write_down();
        Note::remove(&self.setup.folder);
    }
}

/// Of the owner's day.
fn minute() -> u16 {
    let now = jiff::Zoned::now();
    u16::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::{Done, Soon, notes};
    use super::*;
    use std::sync::Mutex;

    /// Writes down what is done with it, and breaks when it is asked for the second time.
    #[derive(Debug, Default)]
    struct Broken {
        pulled: Mutex<Vec<&'static str>>,
        asked: Mutex<u32>,
    }

    impl Broken {
        fn pull(&self, how: &'static str) {
            self.pulled.lock().unwrap().push(how);
        }
    }

    impl Reins for Broken {
        fn freeze(&self) {
            self.pull("freeze");
        }

        fn give_up(&self) -> Soon<'_, ()> {
            self.pull("give up");
            Box::pin(async {})
        }

        fn lend(&self) {
            self.pull("lend");
        }

        fn is_at_work(&self) -> bool {
            false
        }

        fn work_begins(&self) -> Soon<'_, ()> {
            Box::pin(std::future::pending())
        }

        fn keep(&self) -> Soon<'_, ()> {
            self.pull("keep");
            Box::pin(async {})
        }

        fn compiling(&self) -> Option<Duration> {
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            assert!(*asked < 2, "a defect");
            None
        }

        fn done(&self) -> Vec<Done> {
            Vec::new()
        }
    }

    #[tokio::test]
    async fn a_watch_that_breaks_gives_everything_up_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_owned();
        let rules = Rules { heeds_owner: false, ..Rules::default() };
        let setup =
            Setup { rules, is_hub: true, slots: 2, limits: Vec::new(), home: folder.clone(), folder, fake: None };
        let reins = Arc::new(Broken::default());
        let (watch, pause) = Watch::start(setup, Arc::clone(&reins) as Arc<dyn Reins>).await.unwrap();
        assert_eq!((pause, reins.pulled.lock().unwrap().clone()), (None, vec!["lend"]));
        let broke_off =
            || notes(dir.path()).iter().any(|note| note.pause.as_ref().is_some_and(|p| p.why == Why::Unwatched));
        let begun = Instant::now();
        while !broke_off() && begun.elapsed() < Duration::from_secs(30) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(broke_off(), "its owner is told");
        assert_eq!(*reins.pulled.lock().unwrap(), ["lend", "freeze", "give up"]);
        drop(watch);
    }
}
