//! What a node decides. No IO, no clock, no threads.
