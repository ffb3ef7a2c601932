//! A Redis server of one's own, to be mistreated.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::free_port;
use super::process::{Process, wait_for};

/// Longest wait for it to answer.
const START: Duration = Duration::from_secs(20);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A running server that keeps nothing on disk.
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
    port: u16,
    folder: PathBuf,
}

impl RedisServer {
    /// Starts one in `folder`.
    ///
    /// # Errors
    /// It is not installed, or does not answer.
    pub async fn start(folder: &Path) -> Result<Self> {
        let port = free_port().await?;
        let mut server = Self { process: spawn(port, folder)?, port, folder: folder.to_owned() };
        server.answers().await?;
        Ok(server)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it and starts another one in its place, which knows nothing.
    ///
    /// # Errors
    /// The new one does not answer.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = spawn(self.port, &self.folder)?;
        self.answers().await
    }

    /// Lets it stand still.
    ///
    /// # Errors
    /// It cannot be signalled.
    pub fn pause(&self) -> Result<()> {
        self.process.pause()
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It cannot be signalled.
    pub fn resume(&self) -> Result<()> {
        self.process.resume()
    }

    async fn answers(&mut self) -> Result<()> {
        wait_for("Redis answers", START, async || {
            self.process.expect_alive()?;
            Ok(self.ask(&["PING"]).await.ok().filter(|answer| answer.contains("PONG")))
        })
        .await
        .map(drop)
    }

    /// Sends a command, and answers the beginning of what comes back, as it comes.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn ask(&self, words: &[&str]) -> Result<String> {
        let asked = async {
            let mut connection = TcpStream::connect(("127.0.0.1", self.port)).await?;
            let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
            let count = words.len();
            let command = format!("*{count}\r\n{}", words.collect::<String>());
            connection.write_all(command.as_bytes()).await?;
            let mut answer = vec![0; 4096];
            let length = connection.read(&mut answer).await?;
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer[..length]).into_owned())
        };
        Ok(tokio::time::timeout(ANSWER, asked).await.context("Redis does not answer")??)
    }
}

fn spawn(port: u16, folder: &Path) -> Result<Process> {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]);
    command.arg("--port").arg(port.to_string()).arg("--dir").arg(folder);
    Process::start(command, &folder.join("redis.log"))
}
