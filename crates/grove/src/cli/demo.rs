//! `grove demo`: a hub and lenders as real processes on this machine, real semiprimes, and a picture of how they are
//! factorised, checked and paid for. It speaks to its hub as any command does.

mod children;
mod play;
mod pretender;
mod screen;
mod timeline;

pub(crate) use pretender::Pretender;

use super::hub::Hub;
use super::{Exit, Failure, Place, page, say};
use crate::shape::{
    Accepted, CheckShape, ChunkShape, CreditsShape, EventKind, InputShape, JobShape, Results, SourceShape,
    StandingShape, Status, Submit, ToolShape, V,
};
use children::{Children, Role};
use clap::Args;
use factor::Number;
use play::Play;
use screen::Screen;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The factoriser, as `cargo xtask tools` builds it.
const FACTORISER: &[u8] = include_bytes!("../../../../tools/prebuilt/factor.wasm");
/// How often the picture is drawn.
const FRAME: Duration = Duration::from_millis(100);
/// Of the answers that prove nothing by themselves, so many in a thousand are run again in secret.
const AUDITED: u32 = 50;
/// Which piece of a number tells how fast a lender is: the first ones are too small for that.
const CALIBRATED: usize = 3;
/// In less time than this, starting the tool on each lender is most of what there is to do.
const TELLING: Duration = Duration::from_secs(5);
/// A demo that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

#[derive(Debug, Args)]
pub struct Demo {
    /// Lenders to start
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=32), value_name = "N")]
    lenders: u32,
    /// Bits of each number to factorise
    #[arg(long, default_value_t = 152, value_parser = clap::value_parser!(u32).range(32..=220), value_name = "N")]
    bits: u32,
    /// Numbers to factorise
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    count: u32,
    /// Make the same numbers again
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// One more lender, which only pretends to work
    #[arg(long)]
    liar: bool,
    /// One more lender, which is killed in the middle of its work
    #[arg(long)]
    kill: bool,
    /// One more lender, which hangs in the middle of its work
    #[arg(long)]
    hang: bool,
    /// Where the picture of who did what when is written
    #[arg(long, default_value = "grove-demo.svg", value_name = "FILE")]
    svg: PathBuf,
    /// One JSON object on standard output at the end
    #[arg(long)]
    json: bool,
}

/// One number, factorised.
struct Row {
    factors: String,
    verified: bool,
    by: String,
    micros: u64,
}

impl Demo {
    pub fn go(&self, _place: &Place) -> anyhow::Result<Exit> {
        let begun = Instant::now();
        timeline::try_out(&self.svg)?;
        let numbers = self.numbers()?;
        say::talk(&format!(
            "grove demo: {} of {} bits, {} and a hub, each a process of its own",
            say::many(self.count as u64, "number"),
            self.bits,
            say::many(self.roles().len() as u64, "lender")
        ));
        let mut children = Children::start_hub()?;
        let hub = Hub::find(&children.place())?;
        let blob = send_tool(&hub)?;
        let mut play = Play::default();
        let alone = self.start_lenders(&hub, &blob, &mut children, &mut play)?;
        let job = new_id()?;
        let mut screen = Screen::new(&numbers);
        let events = play::listen(&hub, &job)?;
        submit(&hub, &job, &blob, numbers.iter().map(Number::to_string))?;
        let started = Instant::now();
        self.watch(&hub, &job, &events, &mut play, &mut screen, &mut children)?;
        let wall = started.elapsed();
        play.end();
        screen.draw(&play);
        let rows = rows(&hub, &job, &numbers, &play)?;
        let credits: CreditsShape = hub.get("/v1/credits")?;
        let status: Status = hub.get("/v1/status")?;
        children.stop();
        timeline::write(&self.svg, &play, wall)?;
        let speed_up = play.fuel() as f64 / wall.as_secs_f64() / alone.max(1.0);
        let verified = rows.iter().filter(|row| row.verified).count();
        self.report(&rows, &play, wall, speed_up, &credits, status.refused, begun)?;
        Ok(if verified == numbers.len() { Exit::Done } else { Exit::SomeFailed })
    }

    fn numbers(&self) -> anyhow::Result<Vec<Number>> {
        let mut state = match self.seed {
            Some(seed) => seed,
            None => random()?,
        };
        let mut next = || {
            state = state.wrapping_add(1);
            grove_core::verify::mix(state)
        };
        Ok((0..self.count).map(|_| factor::semiprime(self.bits, &mut next)).collect())
    }

    /// The lenders in the order of their lanes.
    fn roles(&self) -> Vec<Role> {
        let mut roles = vec![Role::Honest; self.lenders as usize];
        let extra = [(self.liar, Role::Liar), (self.kill, Role::Killed), (self.hang, Role::Hung)];
        roles.extend(extra.into_iter().filter(|(wanted, _)| *wanted).map(|(_, role)| role));
        roles
    }

    /// Starts the lenders one by one. The first is measured while it is alone: fuel per second of one lender.
    fn start_lenders(&self, hub: &Hub, blob: &str, children: &mut Children, play: &mut Play) -> anyhow::Result<f64> {
        let mut alone = 0.0;
        for (at, role) in self.roles().into_iter().enumerate() {
            let name = format!("lender {}", at + 1);
            let node = children.start_lender(hub, role)?;
            play.meet(node, &name, role);
            if at == 0 {
                say::talk("measuring one lender alone …");
                alone = self.measure(hub, blob)?;
            }
        }
        Ok(alone)
    }

    fn measure(&self, hub: &Hub, blob: &str) -> anyhow::Result<f64> {
        let mut state = 1_u64;
        let mut next = || {
            state += 1;
            grove_core::verify::mix(state)
        };
        // A piece of a number as long as the others: longer ones are another kind of work to a machine.
        let number = factor::semiprime(self.bits, &mut next);
        let piece = factor::pieces(&number, 1)
            .into_iter()
            .nth(CALIBRATED)
            .map(|piece| format!("{} {} {} {}", piece.number, piece.bound, piece.first_curve, piece.curves));
        let input = piece.unwrap_or_else(|| number.to_string());
        let job = new_id()?;
        let events = play::listen(hub, &job)?;
        submit(hub, &job, blob, [input].into_iter())?;
        let (mut fuel, mut micros) = (0, 0);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let Ok(event) = events.recv_timeout(Duration::from_secs(5)) else {
                continue;
            };
            match event.kind {
                EventKind::Answered { fuel: some, micros: took, .. } if some.0 > 0 => {
                    fuel += some.0;
                    micros += took;
                }
                EventKind::Ended { .. } => break,
                _ => {}
            }
        }
        Ok(fuel as f64 * 1e6 / (micros.max(1) as f64))
    }

    /// Follows the job to its end, and does to the lenders what they are there for.
    fn watch(
        &self,
        hub: &Hub,
        job: &str,
        events: &play::Events,
        play: &mut Play,
        screen: &mut Screen,
        children: &mut Children,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut drawn = Instant::now();
        while !play.ended() {
            match events.recv_timeout(FRAME) {
                Ok(event) => {
                    play.hear(&event);
                    children.act(play);
                }
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                    // The stream broke off; the job has not.
                    let shown: JobShape = hub.get(&page(job, ""))?;
                    if shown.standing != StandingShape::Running {
                        break;
                    }
                    std::thread::sleep(FRAME);
                }
            }
            if drawn.elapsed() >= FRAME {
                drawn = Instant::now();
                play.tick();
                play.fresh_lines().iter().for_each(|line| screen.note(line));
                screen.draw(play);
            }
            if play.is_deserted() && !play.ended() {
                let error =
                    Failure::new(Exit::NotPlaced, "every lender was found out, killed or hangs: nobody is left");
                return Err(error.hint("have more honest ones: --lenders 4").into());
            }
            if begun.elapsed() > PATIENCE {
                return Err(Failure::new(Exit::NotPlaced, "the demo does not come to an end").into());
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "all that there is to report, once")]
    fn report(
        &self,
        rows: &[Row],
        play: &Play,
        wall: Duration,
        speed_up: f64,
        credits: &CreditsShape,
        refused: u64,
        begun: Instant,
    ) -> anyhow::Result<()> {
        let verified = rows.iter().filter(|row| row.verified).count();
        if self.json {
            return say::json(&serde_json::json!({
                "v": V,
                "numbers": rows.len(),
                "verified": verified,
                "lenders": play.lanes().len(),
                "parts": play.parts(),
                "wall_ms": u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
                "speedup": (speed_up * 100.0).round() / 100.0,
                "ledger_sum": i64::try_from(credits.ledger_sum.0).unwrap_or(i64::MAX),
                "refused": refused,
                "caught": play.caught(),
                "svg": self.svg.display().to_string(),
                "total_ms": u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            }));
        }
        screen::table(rows.iter().map(|row| {
            let mark = if row.verified { "ok" } else { "WRONG" };
            [row.factors.clone(), mark.to_owned(), row.by.clone(), format!("{:.2} s", row.micros as f64 / 1e6)]
        }))?;
        screen::lanes(play)?;
        let compared = if wall < TELLING {
            "too quick to compare with one lender alone; `--bits 152 --count 10` works longer".to_owned()
        } else {
            format!("{speed_up:.2} x one lender alone")
        };
        say::line(&format!(
            "{verified} of {} verified in {:.1} s by {}; {compared}\n\
             {} refused; all accounts together: {}",
            rows.len(),
            wall.as_secs_f64(),
            say::many(play.parts(), "part"),
            say::many(refused, "answer"),
            credits.ledger_sum.0
        ))?;
        say::line(&format!("picture: {}", self.svg.display()))?;
        Ok(())
    }
}

fn send_tool(hub: &Hub) -> Result<String, Failure> {
    let blob = blake3::hash(FACTORISER).to_hex().to_string();
    if let Some(offset) = hub.missing_from(&blob)? {
        let rest = usize::try_from(offset).ok().and_then(|at| FACTORISER.get(at..)).unwrap_or(FACTORISER);
        hub.send_blob(&blob, offset, &mut &rest[..])?;
    }
    Ok(blob)
}

fn submit(hub: &Hub, job: &str, blob: &str, inputs: impl Iterator<Item = String>) -> Result<Accepted, Failure> {
    let tool = ToolShape {
        module: blob.to_owned(),
        args: Vec::new(),
        stdin: true,
        uncut: false,
        real_time: false,
        caps: Default::default(),
    };
    let submit = Submit {
        v: V,
        id: job.to_owned(),
        name: "factorise".to_owned(),
        tool,
        source: SourceShape::Inputs(inputs.map(InputShape::Text).collect()),
        chunk: ChunkShape::Items(1),
        check: Some(CheckShape::Prove { spot_per_mille: AUDITED }),
        merge: false,
        open: false,
        budget: None,
        fails_max: None,
    };
    hub.insist(|| hub.post("/v1/jobs", &submit))
}

/// What the hub has in its store, checked once more by this process.
fn rows(hub: &Hub, job: &str, numbers: &[Number], play: &Play) -> Result<Vec<Row>, Failure> {
    let limit = numbers.len();
    let results: Results = hub.get(&page(job, &format!("/results?from=0&limit={limit}")))?;
    let row = |(at, number): (usize, &Number)| {
        let result = results.results.iter().find(|result| result.item == at as u64);
        let answer = result.map(|result| match &result.stdout {
            crate::shape::Content::Text(text) => text.trim().to_owned(),
            _ => String::new(),
        });
        let factors = answer.unwrap_or_else(|| format!("{number} = ?"));
        Row {
            verified: proves(number, &factors),
            factors,
            by: result.map_or_else(|| "nobody".to_owned(), |result| play.name(&result.by)),
            micros: play.took(at as u64),
        }
    };
    Ok(numbers.iter().enumerate().map(row).collect())
}

/// Whether a line `n = p * q` says the prime factors of this number.
fn proves(number: &Number, line: &str) -> bool {
    let Some((left, right)) = line.split_once(" = ") else {
        return false;
    };
    let factors: Result<Vec<Number>, _> = right.split(" * ").map(str::parse).collect();
    let Ok(factors) = factors else { return false };
    let one = Number::from(1);
    let product = factors.iter().try_fold(one, |product, factor| product.checked_mul(*factor));
    left == number.to_string() && factors.len() > 1 && product == Some(*number) && factors.iter().all(factor::is_prime)
}

fn new_id() -> Result<String, Failure> {
    Ok(grove_core::id::JobId(random()?).to_string())
}

fn random() -> Result<u64, Failure> {
    getrandom::u64().map_err(|error| Failure::new(Exit::Error, format!("the system gives no random numbers: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_prime_factors_of_that_number_prove_it() {
        let number: Number = "8051".parse().unwrap();
        assert!(proves(&number, "8051 = 83 * 97"));
        for wrong in ["8051 = 8051", "8051 = 1 * 8051", "8052 = 83 * 97", "8051 = 83 * 98", "none", "8051 = 83 * x"] {
            assert!(!proves(&number, wrong), "{wrong}");
        }
    }
}
