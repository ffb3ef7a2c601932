//! Who is measured?

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;

use super::process::Process;
use super::{Options, gateway, nginx};
use crate::load::Dialect;

/// Servers that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Target {
    /// The pass-through.
    Nginx,
    /// The gateway.
    Gateway,
}

/// A server that runs, and the folder that goes with it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) addr: SocketAddr,
    _home: tempfile::TempDir,
}

impl Target {
    pub(crate) const ALL: [Self; 2] = [Self::Nginx, Self::Gateway];

    /// The language its clients speak.
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Nginx => Dialect::Grok,
            Self::Gateway => Dialect::Gateway,
        }
    }

    /// Starts it in front of the simulator.
    pub(crate) fn start(self, options: &Options, upstream: SocketAddr) -> anyhow::Result<Server> {
        let home = tempfile::tempdir().context("no temporary folder")?;
        let path: &Path = home.path();
        let (process, addr) = match (self, &options.gateway) {
            (Self::Nginx, _) => nginx::start(options.server_core, &options.nginx, path, upstream)?,
            (Self::Gateway, Some(binary)) => gateway::start(options.server_core, binary, path, upstream)?,
            (Self::Gateway, None) => anyhow::bail!("the gateway's binary is not given"),
        };
        Ok(Server { process, addr, _home: home })
    }
}
