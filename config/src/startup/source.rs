//! Where a value of the configuration comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Where a value of the configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Built in.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A file that an environment variable names.
    SecretFile {
        /// The variable, ending in `_FILE`.
        variable: String,
        /// The file.
        path: PathBuf,
    },
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::SecretFile { variable, path } => write!(f, "file {} named by {variable}", path.display()),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// Where each value of a loaded configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    set: BTreeMap<&'static str, Source>,
}

impl Provenance {
    /// The source of `key`, such as `server.max_body_bytes`.
    pub fn of(&self, key: &str) -> &Source {
        self.set.get(key).unwrap_or(&Source::Default)
    }

    /// The files values come from, each once.
    pub fn files(&self) -> Vec<&PathBuf> {
        let mut files: Vec<&PathBuf> = Vec::new();
        for source in self.set.values() {
            if let Source::File(path) = source
                && !files.contains(&path)
            {
                files.push(path);
            }
        }
        files
    }

    pub(super) fn note(&mut self, key: &'static str, source: Source) {
        self.set.insert(key, source);
    }
}
