//! Messages at random, within what a node would say. One seed, one message.

use grove_core::id::{Digest, Incarnation, JobId, Lease};
use grove_core::job::{Abilities, Caps, Check, Tool};
use grove_core::limits;
use grove_core::message::{Answer, Data, Decline, Gift, Inputs, Message, Outcome, Output, Part, Signed, Totals, Trap};
use grove_core::task::{Act, Span};
use grove_core::units::{Credits, Fuel, Millis};
use std::sync::Arc;

/// Draws numbers; splitmix64.
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn flip(&mut self) -> bool {
        self.below(2) == 0
    }

    /// Small numbers and large ones alike.
    fn number(&mut self) -> u64 {
        let bits = self.below(65);
        self.next().checked_shr(64 - u32::try_from(bits).unwrap()).unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    fn some<T>(&mut self, most: u64, mut one: impl FnMut(&mut Draw) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| one(self)).collect()
    }

    fn text(&mut self, most: u64) -> String {
        let letters = ['a', 'ß', '{', '}', '\n', '木', '/', ' '];
        self.some(most, |draw| draw.pick(&letters)).into_iter().collect()
    }

    fn digest(&mut self) -> Digest {
        let mut bytes = [0; 32];
        bytes.fill_with(|| u8::try_from(self.below(256)).unwrap());
        Digest(bytes)
    }

    fn data(&mut self) -> Data {
        if self.flip() {
            let bytes = self.some(40, |draw| u8::try_from(draw.below(256)).unwrap());
            Data::Inline { bytes: bytes.into() }
        } else {
            Data::Blob { id: self.digest(), len: self.number() }
        }
    }

    fn span(&mut self) -> Span {
        let first = self.number() % limits::ITEMS_MAX;
        let len = 1 + self.number() % (limits::ITEMS_MAX - first);
        Span { first, len }
    }

    fn lease(&mut self) -> Lease {
        Lease(self.number())
    }

    fn tool(&mut self) -> Tool {
        Tool {
            module: self.digest(),
            abilities: Abilities { split: self.flip(), merge: self.flip(), check: self.flip(), first: self.flip() },
            args: self.some(5, |draw| draw.text(9).into_boxed_str()),
            stdin: self.flip(),
            real_time: self.flip(),
            caps: Caps {
                fuel: Fuel(self.number()),
                wall: Millis(self.number()),
                memory_bytes: self.number(),
                output_bytes: self.number(),
            },
        }
    }

    fn gift(&mut self, tools: &[Arc<Tool>]) -> Gift {
        let (ways, depth) = (self.number(), u8::try_from(self.below(256)).unwrap());
        let per_mille = u32::try_from(self.below(1_001)).unwrap();
        let acts = [Act::Run, Act::Split { ways }, Act::Merge, Act::Check, Act::Solve { depth }];
        let checks =
            [Check::Prove { spot_per_mille: per_mille }, Check::Spot { per_mille }, Check::Copies, Check::Trust];
        let inputs = if self.flip() {
            Inputs::Numbers { from: self.number() }
        } else {
            Inputs::Carried { data: self.some(12, Draw::data) }
        };
        Gift {
            lease: self.lease(),
            job: JobId(self.next()),
            tool: Arc::clone(&tools[usize::try_from(self.below(tools.len() as u64)).unwrap()]),
            act: self.pick(&acts),
            pieces: self.some(9, Draw::span),
            chunk: 1 + self.below(limits::CHUNK_MAX),
            inputs,
            fuel: Fuel(self.number()),
            price: Credits(self.number()),
            check: self.pick(&checks),
        }
    }

    fn answer(&mut self) -> Answer {
        let traps = [
            Trap::Crashed,
            Trap::OutOfMemory,
            Trap::OutputTooLarge,
            Trap::FilesTooLarge,
            Trap::TooSlow,
            Trap::OutOfFuel,
            Trap::NotATool,
        ];
        let (trap, code) = (self.pick(&traps), i32::from_ne_bytes(self.next().to_ne_bytes()[..4].try_into().unwrap()));
        let outcomes =
            [Outcome::Right, Outcome::Exit { code }, Outcome::Trapped { trap }, Outcome::OutOfFuel, Outcome::Broken];
        Answer {
            span: self.span(),
            outcome: self.pick(&outcomes),
            fuel: Fuel(self.number()),
            micros: self.number(),
            digest: Digest::default(),
            output: Output {
                stdout: self.data(),
                files: self.some(3, |draw| (Arc::from(draw.text(12)), draw.data())),
                note: Arc::from(self.text(20)),
            },
            pieces: self.number(),
        }
    }

    fn part(&mut self) -> Part {
        Part { digest: self.digest(), fuel: Fuel(self.number()), inner: self.flip() }
    }

    /// Any message that bears no signature.
    pub(super) fn message(&mut self) -> Message {
        let kind = self.below(13);
        self.message_of(kind)
    }

    /// A message of the kind with that number, in the order of the enum.
    pub(super) fn message_of(&mut self, kind: u64) -> Message {
        let slots = u32::try_from(self.below(2_000)).unwrap();
        let whys = [Decline::Full, Decline::Paused, Decline::Ancestor, Decline::TooDeep, Decline::Absurd];
        match kind {
            0 => Message::Hello {
                incarnation: Incarnation(self.number()),
                slots,
                solves: self.flip(),
                holding: self.some(20, Draw::lease),
            },
            1 => {
                let tools: Vec<Arc<Tool>> = (0..3).map(|_| Arc::new(self.tool())).collect();
                Message::Give { gifts: self.some(6, |draw| draw.gift(&tools)) }
            }
            2 => Message::Cancel { leases: self.some(20, Draw::lease) },
            3 => Message::Noted { noted: self.some(20, |draw| (draw.lease(), draw.span())) },
            4 => Message::Pay { total: Credits(self.number()) },
            5 => Message::Decline { leases: self.some(20, Draw::lease), why: self.pick(&whys) },
            6 => Message::Alive { slots, holding: self.some(20, Draw::lease) },
            7 => Message::Done { lease: self.lease(), answers: self.some(20, Draw::answer) },
            8 => Message::Bye,
            9 => Message::Memory { bytes: self.number() },
            10 => Message::Solved {
                lease: self.lease(),
                answer: self.answer(),
                ways: self.number(),
                parts: self.some(20, Draw::part),
            },
            11 => Message::Show { lease: self.lease() },
            12 => Message::Shown { lease: self.lease(), answers: self.some(20, Draw::answer) },
            13 => Message::Owns { signed: self.signed() },
            _ => Message::Recalls { signed: self.signed() },
        }
    }

    fn signed(&mut self) -> Signed {
        let totals = Totals { yours: Credits(self.number()), mine: Credits(self.number()) };
        Signed { totals, seal: self.digest().0.into() }
    }
}

/// A tiny answer, as there are thousands of.
pub(super) fn tiny(item: u64) -> Answer {
    Answer {
        span: Span { first: item, len: 1 },
        outcome: Outcome::Right,
        fuel: Fuel(1_234_567),
        micros: 42,
        digest: Digest::default(),
        output: Output::of(Data::Inline { bytes: item.to_string().into_bytes().into() }),
        pieces: 0,
    }
}

/// A gift of numbers.
pub(super) fn numbers(lease: u64, tool: &Arc<Tool>, pieces: Vec<Span>) -> Gift {
    Gift {
        lease: Lease(lease),
        job: JobId(0x0123_4567_89ab_cdef),
        tool: Arc::clone(tool),
        act: Act::Run,
        pieces,
        chunk: 1,
        inputs: Inputs::Numbers { from: 1_000_000 },
        fuel: limits::FUEL_FIRST,
        price: Credits(10_000),
        check: Check::Spot { per_mille: 20 },
    }
}

/// A plain tool.
pub(super) fn plain_tool() -> Arc<Tool> {
    Arc::new(Tool {
        module: Digest([7; 32]),
        abilities: Abilities::default(),
        args: vec!["{}".into()],
        stdin: false,
        real_time: false,
        caps: Caps::default(),
    })
}
