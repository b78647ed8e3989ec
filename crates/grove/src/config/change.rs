//! What each setting is and where that was said, and changing one line of the user's file; the rest stays as it is.

use super::{ConfigError, DEFAULTS, Layer, user_file};
use std::io::Write;
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Value};

/// When a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A node that runs heeds it too, a moment after it was said.
    AtOnce,
    /// Commands read it each time.
    NextCommand,
    /// A node reads it when it starts.
    AfterRestart,
}

/// Settings that commands read each time.
const READ_EACH_TIME: [&str; 1] = ["hub"];
/// Settings that a node reads again while it runs.
const HEEDED: [&str; 9] =
    ["disk", "keep", "idle_after", "hours", "on_battery", "on_metered", "load", "temperature", "unless"];

/// One setting as it holds here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub key: String,
    pub value: String,
    /// `default`, `file` or the variable that says so.
    pub from: String,
}

/// All settings of the file with their values, in its order.
pub fn list() -> Result<Vec<Setting>, ConfigError> {
    let file = match user_file() {
        Some(path) => Layer::from_file(&path)?,
        None => Layer::default(),
    };
    let env = Layer::from_env(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
    Ok(keys().into_iter().map(|key| setting(key, &env, &file)).collect())
}

/// One of them.
pub fn get(key: &str) -> Result<Setting, ConfigError> {
    known(key)?;
    Ok(list()?
        .into_iter()
        .find(|setting| setting.key == key)
        .unwrap_or_else(|| setting(key.to_owned(), &Layer::default(), &Layer::default())))
}

/// When what was said of that setting holds.
pub fn holds(key: &str) -> Holds {
    match key {
        key if HEEDED.contains(&key) => Holds::AtOnce,
        key if READ_EACH_TIME.contains(&key) => Holds::NextCommand,
        _ => Holds::AfterRestart,
    }
}

/// Says what a setting is from now on, in the user's file; without a value, what it is by default. The path of the file.
pub fn set(key: &str, value: Option<&str>) -> Result<PathBuf, ConfigError> {
    let path = user_file().ok_or(ConfigError::NoHome)?;
    set_in(&path, key, value)?;
    Ok(path)
}

fn set_in(path: &Path, key: &str, value: Option<&str>) -> Result<(), ConfigError> {
    let kind = known(key)?;
    // What is wrong there already has to be put right by whoever wrote it.
    Layer::from_file(path)?;
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?,
    };
    let damaged = |error: toml_edit::TomlError| ConfigError::NotToml { path: path.to_owned(), source: Box::new(error) };
    let mut document: DocumentMut = text.parse().map_err(damaged)?;
    match value {
        Some(value) => document[key] = Item::Value(read(key, value, &kind)?),
        None => drop(document.remove(key)),
    }
    let text = document.to_string();
    // Whatever cannot hold is refused before it is written.
    Layer::from_text(&text, path)?.or(Layer::built_in()?).settle()?;
    write(path, &text).map_err(|source| ConfigError::Unwritable { path: path.to_owned(), source })
}

/// Whole or not at all.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = std::fs::File::create(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}

/// What kind of value the defaults have there.
fn known(key: &str) -> Result<Value, ConfigError> {
    let kind = defaults().get(key).and_then(Item::as_value).cloned();
    kind.ok_or_else(|| ConfigError::NoSuchSetting { key: key.to_owned(), all: keys().join(", ") })
}

fn read(key: &str, text: &str, kind: &Value) -> Result<Value, ConfigError> {
    let wrong = |kind| ConfigError::WrongKind { key: key.to_owned(), value: text.to_owned(), kind };
    match kind {
        Value::Boolean(_) => text.parse::<bool>().map(Value::from).map_err(|_| wrong("true or false")),
        Value::Integer(_) => text.parse::<i64>().map(Value::from).map_err(|_| wrong("a number")),
        _ => Ok(Value::from(text)),
    }
}

fn keys() -> Vec<String> {
    defaults().iter().map(|(key, _)| key.to_owned()).collect()
}

fn defaults() -> DocumentMut {
    DEFAULTS.parse().unwrap_or_default()
}

fn setting(key: String, env: &Layer, file: &Layer) -> Setting {
    let said = |layer: &Layer| {
        let table = toml::Table::try_from(layer).unwrap_or_default();
        table.get(&key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let default = || Layer::built_in().ok().as_ref().and_then(said).unwrap_or_default();
    let (value, from) = match (said(env), said(file)) {
        (Some(value), _) => (value, format!("GROVE_{}", key.to_uppercase())),
        (None, Some(value)) => (value, "file".to_owned()),
        (None, None) => (default(), "default".to_owned()),
    };
    Setting { key, value, from }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_changes_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grove/config.toml");
        set_in(&path, "keep", Some("2d")).unwrap();
        std::fs::write(&path, "# mine\nkeep = \"2d\" # short\n\nslots = 3\n").unwrap();
        set_in(&path, "slots", Some("4")).unwrap();
        set_in(&path, "announce", Some("false")).unwrap();
        set_in(&path, "address", Some("hub.example.org:7420, 10.0.0.1:7420")).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# mine\nkeep = \"2d\" # short\n\nslots = 4\nannounce = false\n"), "{text}");
        let file = Layer::from_file(&path).unwrap();
        let listed: Vec<Setting> = keys()
            .into_iter()
            .map(|key| setting(key, &Layer::default(), &file))
            .filter(|one| one.from == "file")
            .collect();
        assert_eq!(listed.len(), 4);
        set_in(&path, "slots", None).unwrap();
        assert!(!std::fs::read_to_string(&path).unwrap().contains("slots"));
    }

    #[test]
    fn what_cannot_hold_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        for (key, value) in [
            ("lisen", "1"),
            ("listen", "here"),
            ("slots", "many"),
            ("slots", "-1"),
            ("tls", "yes"),
            ("disk", "lots"),
            ("keep", "soon"),
            ("address", "a b"),
            ("load", "500"),
            ("hours", "7-7"),
            ("disk", "0"),
            ("memory", "0"),
            ("temperature", "9999"),
            ("slots", "999999"),
        ] {
            let error = set_in(&path, key, Some(value)).unwrap_err().to_string();
            assert!(error.contains("hint: ") && !path.exists(), "{key}: {error}");
        }
    }

    #[test]
    fn every_setting_has_a_variable() {
        let all = |name: &'static str| {
            let value = match name {
                "GROVE_SLOTS" | "GROVE_LOAD" | "GROVE_TEMPERATURE" => "7",
                "GROVE_TLS" | "GROVE_ANNOUNCE" | "GROVE_ALWAYS" | "GROVE_ON_BATTERY" | "GROVE_ON_METERED" => "true",
                _ => "x",
            };
            Some(value.to_owned())
        };
        let env = Layer::from_env(all).unwrap();
        for key in keys() {
            let setting = setting(key.clone(), &env, &Layer::default());
            assert_eq!(setting.from, format!("GROVE_{}", key.to_uppercase()));
        }
    }
}
