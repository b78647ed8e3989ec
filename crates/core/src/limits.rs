//! Every limit of the product, each with its reason. Backpressure then needs no code of its own.

use crate::units::{Credits, Fuel, Millis};

/// A lender that says nothing for this long has lost its leases.
pub const LEASE: Millis = Millis(30_000);
/// A lender says that it lives three times per lease, so one lost message costs nothing.
pub const ALIVE_EVERY: Millis = Millis(10_000);
/// Work a lender holds ahead for each slot: long enough to hide a round trip, short enough to give back.
pub const WINDOW: Millis = Millis(250);
/// The least work worth a gift of its own: with less, saying so would cost more than doing it.
pub const GIFT_LEAST: Millis = Millis(2);
/// A lender that works on the same runs for so long has long parts: others need not wait for their end.
pub const LONG: Millis = Millis(1_000);
/// Proofs of one gift: as much work as keeps one slot of the prover busy while the next gift is made.
pub const PROOF_WINDOW: Millis = Millis(1_000);
/// A part out for this many times its expected time is given once more, when somebody has nothing to do.
pub const STRAGGLER_FACTOR: u64 = 4;
/// ... but never sooner than this, since a young estimate is a guess.
pub const STRAGGLER_MIN: Millis = Millis(400);
/// ... and a piece that others cut further not before this: a copy of it is the work of many, done in vain while the
/// piece only waits its turn. Who is gone loses it at once.
pub const STRAGGLER_PIECE_MIN: Millis = Millis(20_000);
/// Pieces in one gift: an answer page stays small enough to read at once.
pub const GIFT_PIECES_MAX: u64 = 4_096;
/// Gifts that carry their inputs: 256 inputs of 4 KiB fill a quarter of a message.
pub const GIFT_INPUTS_MAX: u64 = 256;
/// Items in one piece: a chunk is one run of a tool.
pub const CHUNK_MAX: u64 = 1 << 20;
/// A timed chunk aims at this much work, so that a returning owner costs a lender little.
pub const CHUNK_WORK: Millis = Millis(2_000);
/// What a peer that shares its pieces with others holds ahead for each slot: its neighbours wait for it too.
pub const PIECES_AHEAD: Millis = Millis(1_000);
/// Gifts of different jobs that a lender begins for each slot, so that none waits for the others to end: a window holds
/// two gifts, somebody who has nothing is given one beyond it, and one is the lender's own.
pub const BEGUN_PER_SLOT: u32 = 4;
/// Among peers it is for favours to say who comes first: what is begun is shared out alike.
pub const BEGUN_PER_SLOT_OF_PEERS: u32 = 2;
/// Gifts that one lender holds for one giver.
pub const GIFTS_PER_PEER_MAX: usize = 256;
/// Slots a neighbour may claim: more cores than any machine that people lend.
pub const SLOTS_MAX: u32 = 1_024;
/// Answers in one message, as many as the pieces of a gift.
pub const ANSWERS_MAX: usize = GIFT_PIECES_MAX as usize;
/// Inputs of one job: ten million lines are one job, ten billion integers still are.
pub const ITEMS_MAX: u64 = 1 << 40;
/// Pieces a tool may cut one input into.
pub const WAYS_MAX: u64 = 4_096;
/// Parts of a tool's own split that each slot should get, so that uneven parts even out.
pub const WAYS_PER_SLOT: u64 = 4;
/// Ways into which a peer asks a tool to cut at the least: its giver runs one part again, which then costs it little.
pub const WAYS_LEAST: u64 = 32;
/// ... and of a whole job: who stands behind the neighbours is not known, and the last pieces are not to be large.
pub const WAYS_OF_A_JOB_LEAST: u64 = 64;
/// Levels of split below a job: each level costs a round trip.
pub const DEPTH_MAX: u8 = 8;
/// Outputs merged by one run of a tool; a tree of merges does the rest.
pub const MERGE_FAN: u64 = 256;
/// Inputs being split at one time: enough to keep lenders busy, few enough to hold in memory.
pub const OPEN_TASKS_MAX: usize = if cfg!(test) { 200 } else { 4_096 };
/// Tasks a peer holds for its neighbours at one time; those who have given nothing may fill half of that.
pub const TASKS_FOR_PEERS_MAX: usize = 64;
/// Jobs on the books, finished ones included until they expire. Tests fill them.
pub const JOBS_MAX: usize = if cfg!(test) { 500 } else { 100_000 };
/// Outputs up to this size travel in messages and lie in the store; larger ones are blobs.
pub const INLINE_MAX: usize = 4_096;
/// Jobs of one person that run at one time: a tenth of what the node keeps, so that ten people fit beside one another.
pub const JOBS_OF_ONE_MAX: u64 = 10_000;
/// Inputs of one person's running jobs that are kept one by one: two jobs of ten million lines. Ranges cost nothing.
pub const INPUTS_OF_ONE_MAX: u64 = 20_000_000;
/// Jobs that one person submits in a minute: a commit can bear more, but not many such people.
pub const SUBMITS_A_MINUTE_MAX: u32 = 30_000;
/// What a job's name may be long.
pub const NAME_MAX: usize = 128;
/// Arguments of one job, in bytes.
pub const ARGS_BYTES_MAX: usize = 64 << 10;
/// First fuel limit of a part whose cost nobody knows: about a second. Dearer parts are tried again with more.
pub const FUEL_FIRST: Fuel = Fuel(10_000_000_000);
/// What a piece may cost that is split further, as long as nobody knows: ten minutes of a core. Stopped short it would
/// lose the work of many.
pub const FUEL_PIECE: Fuel = Fuel(640_000_000_000);
/// No part gets less than this, so that a lucky first estimate does not stop the next part.
pub const FUEL_LEAST: Fuel = Fuel(200_000_000);
/// A part may cost this many times the dearest one seen before it is stopped and tried again with more.
pub const FUEL_SLACK: u64 = 16;
/// Fuel of one part unless the job says otherwise: about half an hour.
pub const FUEL_DEFAULT: Fuel = Fuel(20_000_000_000_000);
/// A new lender's answers are all audited until this many were right.
pub const PROBATION: u32 = 1;
/// Answers of one lender are final after this many audits that came later were right, or when the stage ends.
pub const VESTING_AUDITS: u32 = 10;
/// Broken tries of one part before the job is told that no machine can run it.
pub const BROKEN_MAX: u32 = 5;
/// Runs of one part that took too long before the job is told that it takes too long: the second was no accident.
pub const SLOW_MAX: u32 = 2;
/// A lender whose machine broke a try gets no work for this long.
pub const BROKEN_PAUSE: Millis = Millis(3_000);
/// A neighbour that declined is not asked again for this long.
pub const DECLINE_PAUSE: Millis = Millis(500);
/// A neighbour that was full, or had a part of the same job, is not asked again for this long, unless it says that it
/// has room: it does, as soon as it has.
pub const FULL_PAUSE: Millis = Millis(3_000);
/// What a peer holds is not left for longer with it when it cannot be reached: many may wait for one piece of a tree.
pub const GONE: Millis = Millis(2_000);
/// Of so many gifts that a contended node begins, one is that which has waited longest, whoever gave it: nobody is
/// locked out, and whoever has given something gets most of what there is.
pub const TURN: u32 = 4;
/// A piece that waits to be split is begun after so long although everybody is busy with others.
pub const PIECE_WAIT: Millis = Millis(2_000);
/// Gifts that a node holds for all its neighbours; those who have given nothing may fill half of that.
pub const GIFTS_HELD_MAX: usize = 1_024;
/// A child whose giver vanished keeps its answers for this long.
pub const SPOOL: Millis = Millis(40 * 60_000);
/// Times that a lender shows what one answer is made of: each costs it as much as the answer itself, and messages are
/// rarely lost.
pub const SHOWS_MAX: u32 = 16;
/// Finished jobs stay on the books for thirty days.
pub const KEEP_JOBS: Millis = Millis(30 * 24 * 3_600_000);
/// People and machines that were ever let in; each costs some hundred bytes.
pub const PEOPLE_MAX: usize = 10_000;
/// Invitations that are open at one time: somebody has to look through them.
pub const INVITATIONS_MAX: usize = 1_000;
/// An invitation lets in so many at the most.
pub const INVITATION_USES_MAX: u32 = 1_000;
/// Places where one person is logged in; one more ends the session that would end first.
pub const SESSIONS_PER_PERSON_MAX: usize = 32;
/// Node names that one machine may claim: one for each lender that it starts.
pub const NODES_PER_MACHINE_MAX: usize = 64;
/// A password's hash in its usual written form is about a hundred bytes.
pub const PASSWORD_HASH_MAX: usize = 512;
/// What a new account begins with, unless its invitation says otherwise.
pub const GRANT: Credits = Credits(10_000_000);
/// What the owner of a new circle starts with: the only mint.
pub const FIRST_GRANT: Credits = Credits(1_000_000_000);
/// What is set aside for a job at first: ten runs of which nothing is known. It doubles whenever it is used up.
pub const HOLD_FIRST: Credits = Credits(100_000);
/// A transfer never exceeds what JSON numbers can hold.
pub const TRANSFER_MAX: Credits = Credits(1 << 53);
