//! nginx as a plain pass-through: the practical limit of what a proxy can cost.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::process::{Process, free_addr, pinned, with};

/// Starts nginx in a folder of its own, as one process.
pub(crate) fn start(
    core: usize,
    binary: &Path,
    home: &Path,
    upstream: SocketAddr,
) -> anyhow::Result<(Process, SocketAddr)> {
    let addr = free_addr()?;
    std::fs::write(home.join("nginx.conf"), config(addr, upstream)).context("nginx.conf cannot be written")?;
    let home_text = home.to_string_lossy().into_owned();
    let command = with(pinned(core, binary), ["-p", &home_text, "-c", "nginx.conf", "-e", "error.log"]);
    let log = std::fs::File::create(home.join("output.log")).context("no log")?;
    let mut process = Process::start_quiet("nginx", command, log)?;
    process.wait_for(addr, Duration::from_secs(10))?;
    Ok((process, addr))
}

fn config(addr: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log error.log error;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    tcp_nodelay on;
    keepalive_timeout 300s;
    keepalive_requests 1000000;
    upstream simulator {{
        server {upstream};
        keepalive 1024;
        keepalive_requests 1000000;
        keepalive_timeout 300s;
    }}
    server {{
        listen {addr} backlog=4096;
        location / {{
            proxy_pass http://simulator;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_buffering off;
            proxy_read_timeout 300s;
        }}
    }}
}}
"
    )
}
