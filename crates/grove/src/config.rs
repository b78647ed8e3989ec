//! Settings, resolved once: a flag, else a `GROVE_*` variable, else the user's file, else `config/default.toml`.
//!
//! It knows where the files of this machine's node are. It does not know what anybody does with a setting.

mod bounds;
pub mod change;
mod group;
mod home;

pub use group::{Group, Neighbours};
pub use home::{Home, HomeError, Hub, Joined, Known, Session};

use crate::address::{Address, NotAnAddress};
use crate::amount::{NotAnAmount, parse_bytes, parse_millis};
use crate::owner::Rules;
use crate::owner::rules::NotHours;
use grove_core::units::Millis;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Every setting with its default and its meaning.
const DEFAULTS: &str = include_str!("config/default.toml");
/// A settings file is a page of text; more is a mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What holds for this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub home: Home,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where other nodes are heard.
    pub link: SocketAddr,
    /// TLS on this machine too.
    pub tls: bool,
    /// Where others reach the hub, where that is not where it listens.
    pub address: Vec<Address>,
    /// The hub makes itself known on the local network, if it can be reached from there.
    pub announce: bool,
    /// Another hub than the one that the home folder names.
    pub hub: Option<String>,
    pub slots: u32,
    /// Bytes for all parts together; 0 for as many as jobs allow.
    pub memory_bytes: u64,
    pub disk_bytes: u64,
    pub keep: Millis,
    /// When this machine may work for others.
    pub rules: Rules,
    pub log: String,
}

/// What one place says; anything may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    pub home: Option<PathBuf>,
    pub listen: Option<String>,
    pub link: Option<String>,
    pub tls: Option<bool>,
    pub address: Option<String>,
    pub announce: Option<bool>,
    pub hub: Option<String>,
    pub slots: Option<u32>,
    pub disk: Option<String>,
    pub memory: Option<String>,
    pub keep: Option<String>,
    pub always: Option<bool>,
    pub idle_after: Option<String>,
    pub hours: Option<String>,
    pub on_battery: Option<bool>,
    pub on_metered: Option<bool>,
    pub load: Option<u32>,
    pub temperature: Option<u32>,
    pub unless: Option<String>,
    pub log: Option<String>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the settings in {}: {source}\nhint: check the file and its rights", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the settings in {} are longer than {FILE_BYTES_MAX} bytes\nhint: is this the right file?", path.display())]
    TooLong { path: PathBuf },
    #[error("the settings in {} are wrong: {source}hint: `grove config` lists them all", path.display())]
    Wrong { path: PathBuf, source: Box<toml::de::Error> },
    #[error("the setting {name} is wrong: {source}\nhint: correct it in {place}")]
    Amount { name: &'static str, place: &'static str, source: NotAnAmount },
    #[error("the setting {name} is wrong: {value:?} is not a number\nhint: correct the variable, or unset it")]
    NotANumber { name: &'static str, value: String },
    #[error("the setting {name} is wrong: {value:?} is not an address and a port\nhint: for instance 127.0.0.1:7420")]
    NotAnAddress { name: &'static str, value: String },
    #[error(
        "{slots} slots are too many: this machine runs {most} parts at one time at the most\n\
         hint: more slots than cores make nothing faster; leave it out for one slot a core"
    )]
    TooManySlots { slots: u32, most: u32 },
    #[error("the setting {name} cannot be {said}\nhint: {hint}")]
    Beyond { name: &'static str, said: String, hint: &'static str },
    #[error(
        "the setting {name} is wrong: {value:?} is neither true nor false\nhint: correct the variable, or unset it"
    )]
    NotYesOrNo { name: &'static str, value: String },
    #[error("the setting hours is wrong: {source}")]
    Hours { source: NotHours },
    #[error("the setting {name} is wrong: {source}")]
    NoPlace { name: &'static str, source: NotAnAddress },
    #[error("there is no setting {key:?}\nhint: there are {all}")]
    NoSuchSetting { key: String, all: String },
    #[error("the setting {key} cannot be {value:?}\nhint: it is {kind}")]
    WrongKind { key: String, value: String, kind: &'static str },
    #[error("the settings in {} are not understood: {source}\nhint: correct the file", path.display())]
    NotToml { path: PathBuf, source: Box<toml_edit::TomlError> },
    #[error("cannot write the settings to {}: {source}\nhint: check the folder and its rights", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("there is no home folder\nhint: say where this node keeps its state, with --home or GROVE_HOME")]
    NoHome,
}

impl Settings {
    /// Slots of a lender: fewer, where otherwise none would have the memory that most jobs ask for.
    pub fn lent_slots(&self) -> u32 {
        let usual = grove_core::job::Caps::default().memory_bytes;
        let fit = u32::try_from(self.memory_bytes / usual).unwrap_or(u32::MAX).max(1);
        if self.memory_bytes == 0 { self.slots } else { self.slots.min(fit) }
    }

    /// Bytes that one part may have at a lender; 0 for as many as a job allows.
    pub fn memory_of_a_part(&self) -> u64 {
        self.memory_bytes / u64::from(self.lent_slots().max(1))
    }

    /// What flags, environment, file and defaults come to.
    pub fn resolve(flags: Layer) -> Result<Settings, ConfigError> {
        let file = match user_file() {
            Some(path) => Layer::from_file(&path)?,
            None => Layer::default(),
        };
        let env = Layer::from_env(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
        flags.or(env).or(file).or(Layer::built_in()?).settle()
    }

    /// All settings with their defaults, as a file that can be changed.
    pub fn explained() -> &'static str {
        DEFAULTS
    }
}

impl Layer {
    /// The defaults: the only place that has them is the commented file.
    fn built_in() -> Result<Layer, ConfigError> {
        Layer::from_text(DEFAULTS, Path::new("default.toml"))
    }

    fn from_file(path: &Path) -> Result<Layer, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Layer::default()),
            Err(error) => return Err(unreadable(error)),
            Ok(found) if found.len() > FILE_BYTES_MAX => return Err(ConfigError::TooLong { path: path.to_owned() }),
            Ok(_) => {}
        }
        Layer::from_text(&std::fs::read_to_string(path).map_err(unreadable)?, path)
    }

    fn from_text(text: &str, path: &Path) -> Result<Layer, ConfigError> {
        let wrong = |error| ConfigError::Wrong { path: path.to_owned(), source: Box::new(error) };
        toml::from_str(text).map_err(wrong)
    }

    fn from_env(look: impl Fn(&'static str) -> Option<String>) -> Result<Layer, ConfigError> {
        Ok(Layer {
            home: look("GROVE_HOME").map(PathBuf::from),
            listen: look("GROVE_LISTEN"),
            link: look("GROVE_LINK"),
            tls: yes_or_no("GROVE_TLS", &look)?,
            address: look("GROVE_ADDRESS"),
            announce: yes_or_no("GROVE_ANNOUNCE", &look)?,
            hub: look("GROVE_HUB"),
            slots: number("GROVE_SLOTS", &look)?,
            disk: look("GROVE_DISK"),
            memory: look("GROVE_MEMORY"),
            keep: look("GROVE_KEEP"),
            always: yes_or_no("GROVE_ALWAYS", &look)?,
            idle_after: look("GROVE_IDLE_AFTER"),
            hours: look("GROVE_HOURS"),
            on_battery: yes_or_no("GROVE_ON_BATTERY", &look)?,
            on_metered: yes_or_no("GROVE_ON_METERED", &look)?,
            load: number("GROVE_LOAD", &look)?,
            temperature: number("GROVE_TEMPERATURE", &look)?,
            unless: look("GROVE_UNLESS"),
            log: look("GROVE_LOG"),
        })
    }

    fn or(self, other: Layer) -> Layer {
        Layer {
            home: self.home.or(other.home),
            listen: self.listen.or(other.listen),
            link: self.link.or(other.link),
            tls: self.tls.or(other.tls),
            address: self.address.or(other.address),
            announce: self.announce.or(other.announce),
            hub: self.hub.or(other.hub),
            slots: self.slots.or(other.slots),
            disk: self.disk.or(other.disk),
            memory: self.memory.or(other.memory),
            keep: self.keep.or(other.keep),
            always: self.always.or(other.always),
            idle_after: self.idle_after.or(other.idle_after),
            hours: self.hours.or(other.hours),
            on_battery: self.on_battery.or(other.on_battery),
            on_metered: self.on_metered.or(other.on_metered),
            load: self.load.or(other.load),
            temperature: self.temperature.or(other.temperature),
            unless: self.unless.or(other.unless),
            log: self.log.or(other.log),
        }
    }

    fn settle(self) -> Result<Settings, ConfigError> {
        let amount =
            |name| move |source| ConfigError::Amount { name, place: "the file or variable that sets it", source };
        let rules = self.rules()?;
        let bytes = |name, text: &str| parse_bytes(text).map_err(amount(name));
        let memory = self.memory.filter(|memory| !memory.is_empty());
        let memory = memory.map(|memory| bounds::memory(bytes("memory", &memory)?)).transpose()?;
        let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        let said = self.slots.filter(|slots| *slots > 0);
        Ok(Settings {
            home: Home::at(self.home.or_else(state_folder).ok_or(ConfigError::NoHome)?),
            listen: address("listen", self.listen.unwrap_or_default())?,
            link: address("link", self.link.unwrap_or_default())?,
            tls: self.tls.unwrap_or_default(),
            address: addresses(&self.address.unwrap_or_default())?,
            announce: self.announce.unwrap_or_default(),
            hub: self.hub.filter(|hub| !hub.is_empty()),
            slots: said.map_or(Ok(cores), |slots| bounds::slots(slots, cores))?,
            memory_bytes: memory.unwrap_or(0),
            disk_bytes: bounds::disk(bytes("disk", &self.disk.unwrap_or_default())?)?,
            keep: parse_millis(&self.keep.unwrap_or_default()).map_err(amount("keep"))?,
            rules,
            log: self.log.unwrap_or_default(),
        })
    }

    /// What the owner of this machine allows.
    fn rules(&self) -> Result<Rules, ConfigError> {
        let usual = Rules::default();
        let idle_after = parse_millis(self.idle_after.as_deref().unwrap_or_default());
        let hours = self.hours.as_deref().filter(|hours| !hours.is_empty()).map(str::parse).transpose();
        let unless = self.unless.as_deref().unwrap_or_default().split(',').map(str::trim);
        Ok(Rules {
            heeds_owner: !self.always.unwrap_or_default(),
            idle_after: idle_after.map_err(|source| ConfigError::Amount {
                name: "idle_after",
                place: "the flag, file or variable that sets it",
                source,
            })?,
            hours: hours.map_err(|source| ConfigError::Hours { source })?,
            on_battery: self.on_battery.unwrap_or(usual.on_battery),
            on_metered: self.on_metered.unwrap_or(usual.on_metered),
            load_most: bounds::load(self.load.unwrap_or(usual.load_most))?,
            celsius_most: bounds::temperature(self.temperature.unwrap_or(usual.celsius_most))?,
            unless: unless.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            ..usual
        })
    }
}

fn address(name: &'static str, value: String) -> Result<SocketAddr, ConfigError> {
    value.parse::<SocketAddr>().map_err(|_| ConfigError::NotAnAddress { name, value })
}

/// Several, with commas between.
fn addresses(text: &str) -> Result<Vec<Address>, ConfigError> {
    let said = text.split(',').map(str::trim).filter(|one| !one.is_empty());
    said.map(|one| one.parse().map_err(|source| ConfigError::NoPlace { name: "address", source })).collect()
}

fn yes_or_no(name: &'static str, look: &impl Fn(&'static str) -> Option<String>) -> Result<Option<bool>, ConfigError> {
    let read = |value: String| value.parse().map_err(|_| ConfigError::NotYesOrNo { name, value });
    look(name).map(read).transpose()
}

fn number(name: &'static str, look: &impl Fn(&'static str) -> Option<String>) -> Result<Option<u32>, ConfigError> {
    look(name).map(|value| value.parse().map_err(|_| ConfigError::NotANumber { name, value })).transpose()
}

/// Where the user's own settings are.
pub fn user_file() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let places = etcetera::choose_base_strategy().ok()?;
    Some(places.config_dir().join("grove").join("config.toml"))
}

fn state_folder() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let places = etcetera::choose_base_strategy().ok()?;
    // Only some systems have a place for state of its own.
    Some(places.state_dir().unwrap_or_else(|| places.data_dir()).join("grove"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(layer: Layer) -> Settings {
        let home = Layer { home: Some("/somewhere".into()), ..Layer::default() };
        layer.or(home).or(Layer::built_in().unwrap()).settle().unwrap()
    }

    #[test]
    fn the_commented_file_holds_every_setting_and_is_the_default() {
        let Layer { home, listen, link, tls, address, announce, hub, slots, disk, keep, log, .. } =
            Layer::built_in().unwrap();
        let Layer { always, idle_after, hours, on_battery, on_metered, load, temperature, unless, .. } =
            Layer::built_in().unwrap();
        assert_eq!((always, on_battery, on_metered), (Some(false), Some(false), Some(false)));
        assert!(idle_after.is_some() && hours.is_some() && load.is_some() && temperature.is_some() && unless.is_some());
        assert_eq!(settled(Layer::default()).rules, Rules::default(), "the file and the rules say the same");
        assert!(home.is_none(), "each machine has its own");
        let said = [listen.is_some(), link.is_some(), hub.is_some(), slots.is_some(), disk.is_some(), keep.is_some()];
        assert_eq!((said, log.as_deref()), ([true; 6], Some("info")));
        assert_eq!((tls, address.as_deref(), announce), (Some(false), Some(""), Some(true)));
        let settings = settled(Layer::default());
        assert_eq!(
            (settings.disk_bytes, settings.keep, settings.hub.clone()),
            (20 << 30, Millis(30 * 86_400_000), None)
        );
        assert!(settings.slots > 0 && settings.memory_bytes == 0 && settings.memory_of_a_part() == 0);
        let limited = |memory: &str| {
            let limited = settled(Layer { memory: Some(memory.into()), slots: Some(4), ..Layer::default() });
            (limited.lent_slots(), limited.memory_of_a_part() >> 20)
        };
        assert_eq!([limited("8GiB"), limited("2560MiB"), limited("512MiB")], [(4, 2_048), (2, 1_280), (1, 512)]);
        assert!(DEFAULTS.lines().all(|line| line.is_empty() || line.starts_with('#') || line.contains(" = ")));
    }

    #[test]
    fn a_flag_comes_before_the_environment_and_that_before_the_file() {
        let say = |hub: &str, keep: Option<&str>| Layer {
            hub: Some(hub.to_owned()),
            keep: keep.map(str::to_owned),
            ..Layer::default()
        };
        let env = Layer::from_env(|name| (name == "GROVE_HUB").then(|| "env:1".to_owned())).unwrap();
        let settings = settled(say("flag:1", None).or(env.clone()).or(say("file:1", Some("2d"))));
        assert_eq!((settings.hub.as_deref(), settings.keep), (Some("flag:1"), Millis(2 * 86_400_000)));
        assert_eq!(settled(env.or(say("file:1", None))).hub.as_deref(), Some("env:1"));
    }

    #[test]
    fn a_wrong_setting_is_named_with_its_place() {
        let error = Layer::from_text("lisen = 3", Path::new("/c/config.toml")).unwrap_err().to_string();
        assert!(error.contains("/c/config.toml") && error.contains("lisen") && error.contains("\nhint: "), "{error}");
        let layer = Layer { listen: Some("here:7420".into()), ..Layer::default() };
        let error = layer.or(Layer::built_in().unwrap()).settle().unwrap_err().to_string();
        assert!(error.contains("listen") && error.contains("hint: for instance 127.0.0.1"), "{error}");
        let layer = Layer { hours: Some("late".into()), ..Layer::default() };
        let error = layer.or(Layer::built_in().unwrap()).settle().unwrap_err().to_string();
        assert!(error.contains("hours") && error.contains("hint: for instance 22-7"), "{error}");
        let error = Layer::from_env(|name| (name == "GROVE_SLOTS").then(|| "many".to_owned())).unwrap_err();
        assert!(error.to_string().contains("GROVE_SLOTS"), "{error}");
    }
}
