//! Batteries and sensors.

use std::path::Path;

const SUPPLIES: &str = "/sys/class/power_supply";
const SENSORS: &str = "/sys/class/thermal";
/// Sensors that are broken say nonsense.
const CELSIUS_SOUND: std::ops::RangeInclusive<u32> = 1..=150;

/// Nothing where there is no battery.
pub(in crate::owner::machine) fn on_battery() -> Option<bool> {
    battery_in(Path::new(SUPPLIES))
}

fn battery_in(folder: &Path) -> Option<bool> {
    let supplies = std::fs::read_dir(folder).ok()?.flatten();
    let said = |path: &Path, what: &str| std::fs::read_to_string(path.join(what)).unwrap_or_default().trim().to_owned();
    let mut found = None;
    for supply in supplies.map(|entry| entry.path()) {
        // Mice and headsets have batteries too.
        if said(&supply, "type") == "Battery" && said(&supply, "scope") != "Device" {
            found = Some(found.unwrap_or(false) || said(&supply, "status") == "Discharging");
        }
    }
    found
}

/// Of the hottest sensor.
pub(in crate::owner::machine) fn celsius() -> Option<u32> {
    celsius_in(Path::new(SENSORS))
}

fn celsius_in(folder: &Path) -> Option<u32> {
    let zones = std::fs::read_dir(folder).ok()?.flatten();
    let thousandths =
        zones.filter_map(|zone| std::fs::read_to_string(zone.path().join("temp")).ok()?.trim().parse().ok());
    thousandths.map(|thousandths: u32| thousandths / 1_000).filter(|celsius| CELSIUS_SOUND.contains(celsius)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_laptop_is_told_from_its_mouse() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!((battery_in(dir.path()), celsius_in(dir.path())), (None, None));
        write("mouse/type", "Battery\n");
        write("mouse/scope", "Device\n");
        write("mouse/status", "Discharging\n");
        assert_eq!(battery_in(dir.path()), None);
        write("BAT0/type", "Battery\n");
        write("BAT0/status", "Charging\n");
        assert_eq!(battery_in(dir.path()), Some(false));
        write("BAT0/status", "Discharging\n");
        assert_eq!(battery_in(dir.path()), Some(true));
        write("thermal_zone0/temp", "45500\n");
        write("thermal_zone1/temp", "71000\n");
        write("thermal_zone2/temp", "999000\n");
        assert_eq!(celsius_in(dir.path()), Some(71));
    }
}
