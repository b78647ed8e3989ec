//! What the core has promised to the outside: the bytes of its facts and messages.
#![expect(clippy::disallowed_methods, reason = "samples are committed files, and blessing is asked for from outside")]

mod golden;
