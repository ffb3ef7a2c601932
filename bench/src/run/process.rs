//! Processes of a measurement: pinned to a core, with room for many descriptors, and ended with their handle.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Descriptors a process may open: 5,000 streams in and 5,000 out, and room to spare.
const DESCRIPTORS: u32 = 20_000;
const POLL: Duration = Duration::from_millis(10);

/// A process that ends with this handle.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
}

/// A command pinned to a core. The shell only raises the descriptor limit and becomes the program.
pub(crate) fn pinned(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    let script = format!("ulimit -n {DESCRIPTORS} && exec \"$0\" \"$@\"");
    command.args(["-c", &core.to_string(), "sh", "-c", &script]).arg(program);
    command
}

/// A port of the loopback interface that is free now.
pub(crate) fn free_addr() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no free port")?.local_addr()?)
}

impl Process {
    /// Starts a command whose output we read.
    pub(crate) fn start(name: &'static str, mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        Ok(Self { name, child, stdin, stdout })
    }

    /// Starts a server whose output nobody reads.
    pub(crate) fn start_quiet(name: &'static str, mut command: Command, log: std::fs::File) -> anyhow::Result<Self> {
        let errors = log.try_clone().context("the log cannot be shared")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, stdin: None, stdout: None })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its output.
    pub(crate) fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let stdout = self.stdout.as_mut().context("its output is not read")?;
        let read = stdout.read_line(&mut line).with_context(|| format!("cannot read from {}", self.name))?;
        anyhow::ensure!(read > 0, "{} has ended without a word", self.name);
        Ok(line.trim_end().to_owned())
    }

    /// Ends its input: what waits for that goes on.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end and returns what is left of its output.
    pub(crate) fn finish(mut self, limit: Duration) -> anyhow::Result<String> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "{} failed: {status}", self.name);
                let mut output = String::new();
                self.stdout.as_mut().map(|stdout| stdout.read_to_string(&mut output)).transpose()?;
                return Ok(output);
            }
            if Instant::now() > deadline {
                bail!("{} does not end", self.name);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits until a server accepts connections.
    pub(crate) fn wait_for(&mut self, addr: SocketAddr, limit: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        while std::net::TcpStream::connect_timeout(&addr, POLL).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} has ended at its start: {status}", self.name);
            }
            if Instant::now() > deadline {
                bail!("{} does not listen", self.name);
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about a process that cannot be ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command with arguments.
pub(crate) fn with<A: AsRef<OsStr>>(mut command: Command, arguments: impl IntoIterator<Item = A>) -> Command {
    command.args(arguments);
    command
}
