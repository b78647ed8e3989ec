//! `grove run`: a tool on many inputs, on everybody's machines. Results come back in the order of the inputs.

mod cut;
mod events;
mod files;
mod follow;
mod inputs;
mod item;
mod kept;
mod names;
mod out;
mod program;
mod progress;
mod resume;
mod script;
mod spool;
mod stall;
mod trial;
mod words;

pub(super) use events::print_events;
pub(super) use follow::Follow;
pub(super) use inputs::{Inputs, Reading};
pub(super) use kept::{Changed, Kept};
pub(super) use names::Names;
pub use names::safe_name;
pub(super) use out::{Out, Which, make_folder};
use words::Words;
pub(super) use words::words;

use super::hub::Hub;
use super::{Exit, Failure, Place, interrupt, promise, say};
use crate::amount::{parse_bytes, parse_credits, parse_millis, parse_range};
use crate::shape::{
    Accepted, Big, CapsShape, CheckShape, ChunkShape, JobShape, Peers, SourceShape, Submit, ToolShape, V, Why,
};
use crate::tokens;
use clap::Args;
use cut::{Cut, Measure};
use grove_core::id::JobId;
use grove_core::job::Abilities;
use grove_core::units::{Credits, Millis};
use program::Program;
use resume::{Caught, Resume};
use script::Brought;
use serde::Serialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Options stand before the tool; everything after it is the tool's own, up to
the inputs:
  ::: a b c        these inputs; several `:::` are combined, each with each
  :::: file        each line of a file (`-` for standard input)
  (none)           the tool runs once, with what is piped in

In the tool's arguments, as in GNU parallel:
  {}               the input; appended where none of these is said
  {.}  {/}  {/.}   it without extension, its last part, that without extension
  {//}  {#}        its folder, its number
  {1}  {2}         the input of the first source, of the second
  {in}             the path of the input, which is a file, in the sandbox

A script whose inputs all are files gets each as `{in}` if no token is said.

With --stdin, and for tools that declare abilities, the input is given on
standard input instead; an input that names a file then stands for what is in
it, and `-` for what is piped in.

Results go to standard output in the order of the inputs. What failed parts
printed does not: standard error tells of it, and `grove get --failed` has it.

Examples:
  grove run square.wasm ::: 1 2 3
  grove run -o out --stdin count.wasm ::: *.txt folder
  grove run -o out --split big.csv --records --header --lines 10000 count.wasm
  grove run convert.wasm --size {1} {2} ::: small large ::: a.svg b.svg
  grove run --range 0..1000000 --chunk auto search.wasm
  grove run script.py --fast ::: a b
  grove run square.py::square ::: 1 2 3";

/// A piece of a file: some seconds of work for a tool that reads it.
const PIECE_BYTES: u64 = 16 << 20;

/// The least memory that anything runs in: a tool's own stack takes most of this.
const MEMORY_MIN: u64 = 1 << 20;
/// The most memory that a part can address.
const MEMORY_MAX: u64 = 4 << 30;

/// The share of answers that are run again where nothing is said.
const SPOT_PER_MILLE: u32 = 30;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    /// Each line of this file is an input, as with `:::: FILE`
    #[arg(long, value_name = "FILE", help_heading = "Inputs")]
    each_line: Option<PathBuf>,
    /// Each number is an input: FIRST..END, without END, or FIRST..=LAST
    #[arg(long, value_name = "FIRST..END", allow_hyphen_values = true, help_heading = "Inputs")]
    range: Option<String>,
    /// Inputs in one run of the tool: a number, or `auto` for about two seconds of work
    #[arg(long, default_value = "1", value_name = "auto|N", value_parser = parse_chunk, help_heading = "Inputs")]
    chunk: ChunkShape,
    /// Cut this file: each piece is an input, given on the tool's standard input
    #[arg(long, value_name = "FILE", help_heading = "Inputs")]
    split: Option<PathBuf>,
    /// Lines of the file in one piece; with --records, records
    #[arg(long, value_name = "N", requires = "split", conflicts_with = "bytes", help_heading = "Inputs")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    lines: Option<u64>,
    /// The size of one piece, which ends with a whole line [default: 16MiB]
    #[arg(long, value_name = "SIZE", requires = "split", value_parser = parse_bytes, help_heading = "Inputs")]
    bytes: Option<u64>,
    /// The file is CSV: a line break between quotes does not end a record
    #[arg(long, requires = "split", help_heading = "Inputs")]
    records: bool,
    /// Give each piece the first line of the file, or its first record, too
    #[arg(long, requires = "split", help_heading = "Inputs")]
    header: bool,
    /// Give inputs on the tool's standard input rather than as arguments
    #[arg(long, help_heading = "Inputs")]
    stdin: bool,
    /// Make a job that `grove send` adds inputs to; prints its id
    #[arg(long, help_heading = "Inputs")]
    open: bool,
    /// Write one file for each input into this folder, named after the input
    #[arg(short, long, value_name = "FOLDER", help_heading = "Results")]
    out: Option<PathBuf>,
    /// Go on with a run that was broken off: leave out the inputs whose results are in the folder already
    #[arg(long, requires = "out", help_heading = "Results")]
    resume: bool,
    /// Results in the order of the inputs; they always are
    #[arg(short, long, hide = true)]
    keep_order: bool,
    /// Merge all answers into one, by the tool's own merge
    #[arg(long, help_heading = "Results")]
    merge: bool,
    /// Print results as JSON, one a line, and the job at the end
    #[arg(long, help_heading = "Results")]
    json: bool,
    /// Do not wait for results; prints the job's id
    #[arg(short, long, help_heading = "Results")]
    detach: bool,
    /// End at once, with exit code 4, when nobody lends
    #[arg(long, help_heading = "Results")]
    no_wait: bool,
    /// How answers are verified: prove, spot[=PERCENT], copies or trust [default: prove if the tool can, else spot=3]
    #[arg(long, value_name = "HOW", value_parser = parse_check, help_heading = "Terms")]
    check: Option<CheckShape>,
    /// The most that the job may cost [default: a quarter of what is available]
    #[arg(long, value_name = "CREDITS", value_parser = parse_credits, help_heading = "Terms")]
    budget: Option<Credits>,
    /// Memory of one part, such as 512MiB [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, help_heading = "Terms")]
    memory: Option<u64>,
    /// Time of one part, such as 90s, 2m or 1h30m; a number alone is seconds [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = parse_millis, help_heading = "Terms")]
    timeout: Option<Millis>,
    /// Stop the job when more parts than this have failed
    #[arg(long, value_name = "N", help_heading = "Terms")]
    max_fails: Option<u64>,
    /// Give the tool the true time and true chance; answers can then not be compared
    #[arg(long, help_heading = "Terms")]
    real_time: bool,
    /// Run a few parts, and say what all of them would take
    #[arg(long, conflicts_with_all = ["detach", "open", "out"], help_heading = "Terms")]
    dry_run: bool,
    /// What the job is called [default: the tool's name]
    #[arg(long, help_heading = "Terms")]
    name: Option<String>,
    /// A module or package that a Python script imports, which travels with it
    #[arg(long, value_name = "PATH", help_heading = "Python")]
    with: Vec<PathBuf>,
    /// Pure-Python packages that a script imports, as in pip's files of requirements
    #[arg(long, value_name = "FILE", help_heading = "Python")]
    requirements: Vec<PathBuf>,
    /// A WebAssembly module compiled for wasm32-wasip1, or a Python script (FILE.py, FILE.py::FUNCTION), its arguments, then `::: inputs…` or `:::: file`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "TOOL ARGS… ::: INPUTS…")]
    words: Vec<OsString>,
}

impl Run {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let tool = self.tool();
        self.refuse_amounts()?;
        let mut words = words(self.words.get(1..).unwrap_or_default())?;
        let piped = self.stdin || self.split.is_some();
        let program = Program::open(tool, Brought { with: &self.with, requirements: &self.requirements }, piped)?;
        let reads = piped || program.abilities != Abilities::default();
        let reading = self.reading(&program, reads, &mut words)?;
        let mut inputs = self.inputs(&words.sources, reading)?;
        if let (true, ChunkShape::Items(chunk)) = (program.cuts_ranges(), self.chunk) {
            inputs = inputs.in_chunks(chunk)?;
        }
        let home = place.settings()?.home;
        let made_by = program.mark(&self.called(&words.args))?;
        let resume = self.out.as_deref().filter(|_| self.resume).map(|folder| Resume::of(&home, folder, &made_by));
        if let Some(resume) = &resume
            && !resume.leave_out_done(&mut inputs)?
        {
            return Ok(Exit::Done);
        }
        let hub = Hub::find(place)?;
        // Before anything is paid for.
        self.out.as_deref().map_or(Ok(()), make_folder)?;
        if let Some(resume) = &resume {
            match resume.catch_up(&hub, self.json, self.detach)? {
                Caught::Nothing => {}
                Caught::All(exit) => return Ok(exit),
                Caught::Some if !resume.leave_out_done(&mut inputs)? => return Ok(Exit::Done),
                Caught::Some => {}
            }
        }
        interrupt::say_on_leaving("nothing was submitted");
        promise::to_a_runner(&home);
        let id = JobId(getrandom::u64()?).to_string();
        let script = program.script_name().map(str::to_owned);
        let tool = ToolShape { module: program.send(&hub)?, ..self.shape(&words.args, reads || inputs.is_once()) };
        let mut submit = self.submit(id, tool);
        if self.dry_run {
            return trial::run(&hub, &submit, &inputs, script.as_deref(), self.json);
        }
        submit.source = inputs.source(&hub)?;
        interrupt::say_on_leaving(farewell(&submit.id));
        // The id is ours, so that saying it again after a lost answer still makes one job.
        let accepted: Accepted = hub.insist(|| hub.post("/v1/jobs", &submit))?;
        let kept = Kept::new(&submit, self.out.as_deref(), script.as_deref(), &made_by, inputs.noted());
        kept.keep(&home, &accepted.job);
        self.accepted(&hub, &accepted, inputs, script)
    }

    /// How the tool is called, and what its inputs are cut from: what a result depends on besides them and the tool.
    fn called(&self, args: &[String]) -> impl Serialize {
        let cut = self.split.as_deref().map(|file| (kept::stamp_of(file), self.lines, self.bytes));
        (args.to_vec(), self.stdin, self.real_time, cut, self.records, self.header)
    }

    /// The job without its inputs.
    fn submit(&self, id: String, tool: ToolShape) -> Submit {
        Submit {
            v: V,
            id,
            name: self.name.clone().unwrap_or_else(|| program::stem(self.tool())),
            tool,
            source: SourceShape::Inputs(Vec::new()),
            chunk: self.chunk,
            check: self.check,
            merge: self.merge,
            open: self.open,
            budget: self.budget.map(|budget| Big(budget.0)),
            fails_max: self.max_fails.map(Big),
        }
    }

    /// How the tool is called, whichever it is.
    fn shape(&self, args: &[String], stdin: bool) -> ToolShape {
        let caps =
            CapsShape { wall_ms: self.timeout.map(|time| time.0), memory_bytes: self.memory, ..CapsShape::default() };
        // Whoever says how a file is cut has cut it: each further cut would send all of it through the hub again.
        let uncut = self.split.is_some();
        ToolShape { module: String::new(), args: args.to_vec(), stdin, uncut, real_time: self.real_time, caps }
    }

    /// What an input that names a file stands for. Who runs a script on files means the files.
    fn reading(&self, program: &Program, reads: bool, words: &mut Words) -> Result<Reading, Failure> {
        if reads && tokens::wants_file(&words.args) {
            return Err(Failure::usage("{in} gives an input as a file, and here it comes on standard input")
                .hint("leave out {in}, or --stdin"));
        }
        if reads {
            return Ok(Reading::Contents);
        }
        if program.is_file_reader() && !tokens::has_token(&words.args) && self.each_line.is_none() {
            match words.mistyped() {
                Some(lost) if lost.among_files => {
                    return Err(lost.refused("to give the script all of them as words, say `{}`"));
                }
                Some(lost) => say::talk(&lost.taken()),
                None => {}
            }
            if words.all_files() {
                words.args.push(tokens::FILE.to_owned());
            }
        }
        Ok(if tokens::wants_file(&words.args) { Reading::Files } else { Reading::Words })
    }

    /// A part that may use nothing can only fail, and none can use more than it can address.
    fn refuse_amounts(&self) -> Result<(), Failure> {
        let (message, hint) = match (self.timeout, self.memory, self.bytes) {
            (Some(Millis(0)), ..) => ("--timeout 0 leaves a part no time", "leave it out, or give more: --timeout 90s"),
            (_, Some(..MEMORY_MIN), _) => {
                ("--memory leaves a part less than 1MiB, and nothing runs in that", "give more: --memory 512MiB")
            }
            (_, Some(size), _) if size > MEMORY_MAX => (
                "--memory is more than 4GiB, and no part can use that: tools are 32-bit WebAssembly",
                "--memory 4GiB is the most; cut the work into more inputs",
            ),
            (.., Some(0)) => ("--bytes 0 cuts nothing", "give the size of a piece, such as --bytes 16MiB"),
            _ => return Ok(()),
        };
        Err(Failure::usage(message).hint(hint))
    }

    /// The first word behind the options.
    fn tool(&self) -> &Path {
        Path::new(self.words.first().map(OsString::as_os_str).unwrap_or_default())
    }

    fn inputs(&self, sources: &[words::Source], reading: Reading) -> Result<Inputs, Failure> {
        let said = [self.each_line.is_some(), self.range.is_some(), self.split.is_some(), !sources.is_empty()];
        if said.iter().filter(|said| **said).count() > 1 {
            return Err(Failure::usage("inputs come from one of :::, ::::, --each-line, --split and --range")
                .hint("several `:::` and `::::` can be combined with one another"));
        }
        if let Some(range) = &self.range {
            let (from, count) = parse_range(range).map_err(|error| Failure::caused(Exit::Usage, &error))?;
            return Ok(Inputs::Numbers { from, count });
        }
        if let Some(file) = &self.split {
            let by = match (self.lines, self.bytes) {
                (Some(lines), _) => Measure::Lines(lines),
                (None, bytes) => Measure::Bytes(bytes.unwrap_or(PIECE_BYTES)),
            };
            return Inputs::split(file, Cut { by, records: self.records, header: self.header });
        }
        if let Some(file) = &self.each_line {
            return Inputs::lines(file, self.of_lines(reading));
        }
        if self.open && sources.is_empty() {
            return Ok(Inputs::none());
        }
        if sources.is_empty() {
            self.refuse_misplaced_options()?;
            return Inputs::once();
        }
        match sources {
            // Several lines at a time are read, not given as arguments.
            [words::Source::File(file)] => Inputs::lines(file, self.of_lines(reading)),
            _ => Inputs::gather(sources, reading),
        }
    }

    /// Several lines at one time are read.
    fn of_lines(&self, reading: Reading) -> Reading {
        if self.chunk == ChunkShape::Items(1) { reading } else { Reading::Contents }
    }

    /// Options after the tool are the tool's own; who put one of ours there is told before the tool runs once for it.
    fn refuse_misplaced_options(&self) -> Result<(), Failure> {
        const OURS: [&str; 4] = ["--range", "--each-line", "--split", "--open"];
        let ours = |word: &&str| OURS.iter().any(|our| word.split('=').next() == Some(our));
        match self.words.iter().filter_map(|word| word.to_str()).find(ours) {
            Some(word) => {
                Err(Failure::usage(format!("{word} stands after the tool, so it is an argument of the tool"))
                    .hint(format!("grove run {word} … {}", self.tool().display())))
            }
            None => Ok(()),
        }
    }

    /// Two lenders have to agree, but a hub believes itself. A notice: the job is there without it.
    fn say_who_copies(hub: &Hub, accepted: &Accepted) {
        let Ok(all) = hub.get::<Peers>("/v1/peers") else { return };
        let mut lenders = all.peers.iter().filter(|peer| peer.linked && peer.slots > 0).peekable();
        if lenders.peek().is_some() && lenders.all(|peer| peer.trusted) {
            say::talk("--check copies: nobody lends now but the hub itself, which is believed: each part runs once");
        } else if accepted.lenders == 1 {
            say::talk(
                "--check copies has each part run by two lenders, and one lends now: the hub itself repeats each part\n\
                 hint: lend on another machine: grove lend; or let only some be repeated: --check spot",
            );
        }
    }

    fn accepted(&self, hub: &Hub, accepted: &Accepted, inputs: Inputs, script: Option<String>) -> anyhow::Result<Exit> {
        let id = say::short_id(&accepted.job);
        let job: JobShape = hub.insist(|| hub.get(&super::page(&accepted.job, "")))?;
        if accepted.lenders == 0 && self.no_wait {
            let why: Why = hub.insist(|| hub.get(&super::page(&accepted.job, "/why")))?;
            let _: crate::shape::Done =
                hub.insist(|| hub.post(&super::page(&accepted.job, "/cancel"), &serde_json::json!({})))?;
            let why = stall::texts(&why.reasons);
            return Err(Failure::new(Exit::NotPlaced, format!("{why}, so job {id} was cancelled"))
                .hint("lend this machine: grove lend")
                .into());
        }
        let mut follow = Follow::of(hub, job).of_script(script.is_some());
        if accepted.lenders == 0 {
            follow = follow.say_why()?;
        }
        if self.check == Some(CheckShape::Copies) {
            Self::say_who_copies(hub, accepted);
        }
        if self.detach || self.open {
            if self.json {
                say::json(accepted)?
            } else {
                say::line(&accepted.job)?
            }
            let next = if self.open { "grove send" } else { "grove watch" };
            say::talk(&format!("{next} {id}"));
            return Ok(Exit::Done);
        }
        let job = follow.job();
        let names = if job.merged { Names::of_job(hub, job) } else { inputs.names() };
        let mut out = Out::new(hub, self.out.as_deref(), self.json, names)?.of_script(script);
        follow.until_the_end(&mut out)
    }
}

pub(super) fn farewell(id: &str) -> String {
    format!("job {0} keeps running: grove watch {0}", say::short_id(id))
}

fn parse_chunk(text: &str) -> Result<ChunkShape, String> {
    match (text, text.parse()) {
        ("auto", _) => Ok(ChunkShape::Auto),
        (_, Ok(items)) if items > 0 => Ok(ChunkShape::Items(items)),
        _ => Err("a chunk is `auto` or a number of inputs".to_owned()),
    }
}

fn parse_check(text: &str) -> Result<CheckShape, String> {
    let (word, share) = text.split_once('=').map_or((text, None), |(word, share)| (word, Some(share)));
    let per_mille = match share.map(|share| share.trim_end_matches('%')) {
        None => Some(SPOT_PER_MILLE),
        Some(share) => share.parse::<f64>().ok().filter(|share| (0.0..=100.0).contains(share)).map(|share| {
            // Bounded above, so that nothing is lost.
            (share * 10.0).round() as u32
        }),
    };
    match (word, per_mille) {
        ("prove", Some(spot_per_mille)) => Ok(CheckShape::Prove { spot_per_mille }),
        ("spot", Some(per_mille)) => Ok(CheckShape::Spot { per_mille }),
        ("copies", _) if share.is_none() => Ok(CheckShape::Copies),
        ("trust", _) if share.is_none() => Ok(CheckShape::Trust),
        _ => Err("answers are verified by prove, spot, spot=PERCENT, copies or trust".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn run(words: &[&str]) -> Run {
        let words = ["grove", "run"].iter().chain(words);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Run(run) => *run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_stand_before_the_tool_and_all_after_it_is_the_tools() {
        let run = run(&["-o", "out", "--check", "spot=5", "--chunk=auto", "t.wasm", "-o", "--x={}", ":::", "-a", "b"]);
        assert_eq!(run.words, ["t.wasm", "-o", "--x={}", ":::", "-a", "b"]);
        assert_eq!((run.out, run.check), (Some("out".into()), Some(CheckShape::Spot { per_mille: 50 })));
        assert_eq!(run.chunk, ChunkShape::Auto);
    }

    #[test]
    fn options_behind_the_tool_are_noticed() {
        let failure = run(&["t.wasm", "--range", "0..9"]).inputs(&[], Reading::Words).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.hint.as_deref(), Some("grove run --range … t.wasm"));
    }

    #[test]
    fn ways_of_verifying_are_read() {
        assert_eq!(parse_check("prove"), Ok(CheckShape::Prove { spot_per_mille: 30 }));
        assert_eq!(parse_check("spot=0.5%"), Ok(CheckShape::Spot { per_mille: 5 }));
        assert_eq!(parse_check("trust"), Ok(CheckShape::Trust));
        for wrong in ["", "spot=", "spot=101", "spot=-1", "copies=3", "spot=NaN", "believe"] {
            assert!(parse_check(wrong).is_err(), "{wrong}");
        }
        assert!(parse_chunk("0").is_err() && parse_chunk("many").is_err());
    }
}
