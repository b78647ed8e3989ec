//! Linux has no one place that knows: desktops say it on D-Bus, terminals by the times of their files.

mod bus;
mod logind;
mod mutter;
mod terminals;
mod wayland;
mod x11;

use super::Probe;
use std::path::Path;

/// Where logind writes down its sessions, for everybody to read.
const SESSIONS: &str = "/run/systemd/sessions";

/// The best first.
pub(super) fn desktop_probes() -> Vec<Box<dyn Probe>> {
    vec![
        Box::new(mutter::Mutter::new()),
        Box::new(wayland::Wayland::default()),
        Box::new(x11::X11::default()),
        Box::new(logind::Logind::new()),
    ]
}

pub(super) fn terminals() -> Option<Box<dyn Probe>> {
    Some(Box::new(terminals::Terminals))
}

/// What somebody may be sitting at: the kind of a graphical session on this machine.
pub(super) fn desktop() -> Option<String> {
    session(Path::new(SESSIONS)).or_else(surroundings)
}

fn session(folder: &Path) -> Option<String> {
    let files = std::fs::read_dir(folder).ok()?.flatten();
    let kind = |text: String| {
        let said = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let graphical = said("TYPE=").filter(|kind| ["wayland", "x11", "mir"].contains(&kind.as_str()))?;
        let sits = said("CLASS=").is_none_or(|class| class == "user") && said("REMOTE=").is_none_or(|far| far == "0");
        sits.then(|| said("DESKTOP=").unwrap_or(graphical))
    };
    files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).find_map(kind)
}

/// Without logind: what this process was told when it was started. A display with a host's name is another machine's.
fn surroundings() -> Option<String> {
    let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let here = said("WAYLAND_DISPLAY").is_some() || said("DISPLAY").is_some_and(|display| display.starts_with(':'));
    here.then(|| said("XDG_CURRENT_DESKTOP").unwrap_or_else(|| "graphical".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graphical_session_of_somebody_who_sits_here_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("1", "UID=1000\nCLASS=user\nTYPE=tty\nREMOTE=1\n");
        write("c1", "UID=42\nCLASS=greeter\nTYPE=wayland\nREMOTE=0\n");
        assert_eq!(session(dir.path()), None);
        write("2", "UID=1000\nCLASS=user\nTYPE=wayland\nREMOTE=0\nDESKTOP=KDE\n");
        assert_eq!(session(dir.path()).as_deref(), Some("KDE"));
        assert_eq!(session(&dir.path().join("none")), None);
    }
}
