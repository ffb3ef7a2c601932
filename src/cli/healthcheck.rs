//! `healthcheck`: is the server alive? Needs no credential, no shell and no other program (D7).

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use grok2api_config::StartUp;

/// Longest wait for the connection, and for the answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Which server to ask, and what.
#[derive(Debug, Args)]
#[command(after_help = "Example (container file):\n  HEALTHCHECK CMD [\"grok2api\", \"healthcheck\"]")]
pub(crate) struct HealthcheckArgs {
    /// Ask whether it is ready to serve, not only whether it is alive
    #[arg(long)]
    ready: bool,
    /// Ask a process that only works, at `worker.listen`
    #[arg(long)]
    worker: bool,
    /// Ask a process that only says what is due, at `scheduler.listen`
    #[arg(long, conflicts_with = "worker")]
    scheduler: bool,
}

/// Asks the server at the configured address.
pub(super) fn run(args: &HealthcheckArgs, startup: &StartUp) -> anyhow::Result<ExitCode> {
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let listen = if args.worker {
        startup.worker.listen.context("worker.listen is not set: a process that only works answers nowhere")?
    } else if args.scheduler {
        let nowhere = "scheduler.listen is not set: a process that only says what is due answers nowhere";
        startup.scheduler.listen.context(nowhere)?
    } else {
        startup.listen
    };
    let address = reachable(listen);
    let status = ask(address, path).with_context(|| format!("no server answers at {address}"))?;
    if status == "200" {
        return Ok(ExitCode::SUCCESS);
    }
    bail!("the server at {address} answers {path} with status {status}")
}

/// Whether a server of ours lives at an address.
pub(super) fn answers(listen: SocketAddr) -> bool {
    ask(reachable(listen), "/healthz").is_ok_and(|status| status == "200")
}

/// A server that listens on every address is asked on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The status code of one HTTP request, by hand: an HTTP client would cost its start at every check.
fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut head = [0_u8; 12];
    stream.read_exact(&mut head)?;
    let head = String::from_utf8_lossy(&head).into_owned();
    match head.strip_prefix("HTTP/1.1 ").or_else(|| head.strip_prefix("HTTP/1.0 ")) {
        Some(status) => Ok(status.to_owned()),
        None => Err(std::io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    use super::*;

    fn check(answer: &'static str) -> anyhow::Result<ExitCode> {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), server.local_addr().unwrap().port());
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            stream.write_all(answer.as_bytes()).unwrap();
            request
        });
        let outcome = run(
            &HealthcheckArgs { ready: true, worker: false, scheduler: false },
            &StartUp { listen, ..StartUp::default() },
        );
        assert_eq!(answering.join().unwrap()[0], "GET /readyz HTTP/1.1");
        outcome
    }

    #[test]
    fn d7_only_a_plain_200_is_healthy() {
        assert_eq!(check("HTTP/1.1 200 OK\r\n\r\n").unwrap(), ExitCode::SUCCESS);
        assert!(
            check("HTTP/1.1 503 Service Unavailable\r\n\r\n").unwrap_err().to_string().ends_with("with status 503")
        );
        assert!(check("SSH-2.0-OpenSSH_9\r\n").is_err());
    }

    #[test]
    fn a_process_of_one_role_is_asked_where_it_listens() {
        let worker = HealthcheckArgs { ready: false, worker: true, scheduler: false };
        let scheduler = HealthcheckArgs { ready: false, worker: false, scheduler: true };
        for (role, name) in [(&worker, "worker.listen is not set"), (&scheduler, "scheduler.listen is not set")] {
            let told = run(role, &StartUp::default()).unwrap_err().to_string();
            assert!(told.contains(name), "{told}");
        }
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut at_worker, mut at_scheduler) = (StartUp::default(), StartUp::default());
        at_worker.worker.listen = server.local_addr().ok();
        at_scheduler.scheduler.listen = server.local_addr().ok();
        let answering = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = server.accept().unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            }
        });
        assert_eq!(run(&worker, &at_worker).unwrap(), ExitCode::SUCCESS);
        assert_eq!(run(&scheduler, &at_scheduler).unwrap(), ExitCode::SUCCESS);
        answering.join().unwrap();
    }
}
