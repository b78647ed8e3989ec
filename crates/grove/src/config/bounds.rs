//! What a setting is at the least and at the most, where that can be known before anybody uses it.

use super::ConfigError;
use crate::amount::bytes_text;
use grove_core::limits::SLOTS_MAX;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// Per cent of all cores.
const LOADS: RangeInclusive<u32> = 1..=100;
/// Degrees Celsius: from a warm room to where machines switch themselves off.
const TEMPERATURES: RangeInclusive<u32> = 30..=120;
/// Less holds no tool with its inputs.
const DISK_LEAST: u64 = 1 << 20;
/// Less holds no tool that runs: its own memory and what the sandbox keeps beside it.
const MEMORY_LEAST: u64 = 64 << 20;
/// Parts that wait for something else than a processor may be several to a core.
const SLOTS_PER_CORE: u32 = 4;
/// So many may be tried out on the smallest machine.
const SLOTS_ANYWHERE: u32 = 64;

pub(super) fn load(percent: u32) -> Result<u32, ConfigError> {
    within("load", percent, LOADS, "it is per cent of all cores, from 1 to 100; with 100 other work may take them all")
}

pub(super) fn temperature(celsius: u32) -> Result<u32, ConfigError> {
    within("temperature", celsius, TEMPERATURES, "it is degrees Celsius, from 30 to 120")
}

pub(super) fn disk(bytes: u64) -> Result<u64, ConfigError> {
    at_least("disk", bytes, DISK_LEAST, "it is a size of 1MiB at the least, such as 20GiB")
}

pub(super) fn memory(bytes: u64) -> Result<u64, ConfigError> {
    let hint = "it is a size of 64MiB at the least, such as 4GiB; without it parts have as much as their jobs allow";
    at_least("memory", bytes, MEMORY_LEAST, hint)
}

pub(super) fn slots(slots: u32, cores: u32) -> Result<u32, ConfigError> {
    let most = cores.saturating_mul(SLOTS_PER_CORE).clamp(SLOTS_ANYWHERE, SLOTS_MAX);
    if slots > most { Err(ConfigError::TooManySlots { slots, most }) } else { Ok(slots) }
}

fn at_least(name: &'static str, bytes: u64, least: u64, hint: &'static str) -> Result<u64, ConfigError> {
    if bytes < least { Err(beyond(name, bytes_text(bytes), hint)) } else { Ok(bytes) }
}

fn within(name: &'static str, said: u32, may: RangeInclusive<u32>, hint: &'static str) -> Result<u32, ConfigError> {
    if may.contains(&said) { Ok(said) } else { Err(beyond(name, said, hint)) }
}

fn beyond(name: &'static str, said: impl Display, hint: &'static str) -> ConfigError {
    ConfigError::Beyond { name, said: said.to_string(), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_the_bounds_and_cores_bound_slots() {
        for (error, named) in [
            (load(101), "from 1 to 100"),
            (load(0), "from 1 to 100"),
            (temperature(29), "from 30 to 120"),
            (slots(65, 2), "leave it out"),
        ] {
            assert!(error.unwrap_err().to_string().contains(named));
        }
        let least = |error: Result<u64, ConfigError>| error.unwrap_err().to_string();
        assert!(least(disk(DISK_LEAST - 1)).contains("1MiB") && DISK_LEAST == 1 << 20);
        assert!(least(memory(MEMORY_LEAST - 1)).contains("64MiB") && MEMORY_LEAST == 64 << 20);
        assert!((load(100).is_ok(), temperature(120).is_ok(), disk(DISK_LEAST).is_ok()) == (true, true, true));
        assert!(memory(MEMORY_LEAST).is_ok() && slots(64, 2).is_ok() && slots(128, 32).is_ok());
        assert!(slots(129, 32).is_err() && slots(SLOTS_MAX + 1, 1_000).is_err());
    }
}
