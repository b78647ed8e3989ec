//! A system for which no walls are built yet: nothing stands, so nothing is lent.

use super::{Attempt, Plan, Targets, Wall};

pub(crate) fn raise(_plan: &Plan) -> Result<Vec<Wall>, Wall> {
    let why = "no walls are built for this system yet\nhint: lend from Linux; this machine can run jobs on others";
    Err(Wall { name: "executor".into(), stands: false, floor: true, why: why.into() })
}

pub(crate) fn escape(_targets: &Targets) -> Vec<Attempt> {
    Vec::new()
}
