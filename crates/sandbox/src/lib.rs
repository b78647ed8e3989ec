//! Runs one tool on one input under limits, and meters it.
