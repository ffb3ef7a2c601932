//! The gateway as an operator would start it: a fresh data folder, a hundred accounts, one key.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::process::{Process, free_addr, pinned, with};
use crate::load::account;

const ACCOUNTS: usize = 100;
/// Time for start and health check.
const LIMIT: Duration = Duration::from_secs(30);

/// Imports the accounts, starts the gateway and waits until it is ready.
pub(crate) fn start(
    core: usize,
    binary: &Path,
    home: &Path,
    upstream: SocketAddr,
) -> anyhow::Result<(Process, SocketAddr)> {
    let addr = free_addr()?;
    let names = home.join("accounts.txt");
    let text: Vec<String> = (0..ACCOUNTS).map(account).collect();
    std::fs::write(&names, text.join("\n")).context("the accounts cannot be written")?;

    let mut import = Command::new(binary);
    settings(&mut import, home, addr, upstream);
    let imported = import.args(["token", "import"]).arg(&names).output().context("the accounts cannot be imported")?;
    ensure!(imported.status.success(), "import failed: {}", String::from_utf8_lossy(&imported.stderr));

    let mut serve = with(pinned(core, binary), ["serve"]);
    settings(&mut serve, home, addr, upstream);
    let log = std::fs::File::create(home.join("output.log")).context("no log")?;
    let mut process = Process::start_quiet("the gateway", serve, log)?;
    process.wait_for(addr, LIMIT)?;
    wait_until_ready(addr)?;
    Ok((process, addr))
}

fn settings(command: &mut Command, home: &Path, addr: SocketAddr, upstream: SocketAddr) {
    command
        .env("GROK2API_DATA_DIR", home.join("data"))
        .env("GROK2API_LISTEN", addr.to_string())
        .env("GROK2API_UPSTREAM__BASE_URL", format!("http://{upstream}"))
        .env("GROK2API_UPSTREAM__ASSETS_BASE_URL", format!("http://{upstream}"))
        .env("GROK2API_GROK__API_KEY", "bench-key")
        .env("GROK2API_POOL__MAX_IN_FLIGHT", "100")
        .env("GROK2API_SERVER__MAX_CONNECTIONS", "12000")
        .current_dir(home);
}

/// Asks for health until the answer is yes.
fn wait_until_ready(addr: SocketAddr) -> anyhow::Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if healthy(addr).unwrap_or(false) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the gateway does not become ready");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn healthy(addr: SocketAddr) -> anyhow::Result<bool> {
    let mut socket = TcpStream::connect_timeout(&addr, Duration::from_secs(1))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.write_all(b"GET /healthz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
    let mut answer = [0; 12];
    socket.read_exact(&mut answer)?;
    Ok(&answer[9..] == b"200")
}
