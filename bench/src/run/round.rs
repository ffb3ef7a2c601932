//! One measurement after the other, nginx and gateway in turn.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use super::Options;
use super::cpu::{CpuTime, resident_kib};
use super::float::float;
use super::process::{Process, pinned, with};
use super::target::{Server, Target};
use super::workload::{Shape, Workload};
use crate::load::Report;

/// What one measurement gave.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    pub(crate) round: usize,
    pub(crate) workload: Workload,
    pub(crate) target: Target,
    pub(crate) metrics: BTreeMap<&'static str, f64>,
    pub(crate) report: Report,
}

/// The processes beside the server.
struct Bench<'a> {
    options: &'a Options,
    this: PathBuf,
    sim: Process,
    upstream: SocketAddr,
}

/// Measures every workload on every server, `rounds` times.
pub(crate) fn all(options: &Options) -> anyhow::Result<Vec<Sample>> {
    let bench = Bench::start(options)?;
    let mut samples = Vec::new();
    for round in 0..options.rounds {
        for workload in &options.workloads {
            let mut targets = options.targets.clone();
            if round % 2 == 1 {
                targets.reverse(); // neither is always the first
            }
            for target in targets {
                if let Some(sample) = bench.measure(round, *workload, target)? {
                    let line = format!("round {} {} {target:?}: {:?}", round + 1, workload.name(), sample.metrics);
                    writeln!(std::io::stderr(), "{line}")?;
                    samples.push(sample);
                }
            }
        }
    }
    Ok(samples)
}

impl<'a> Bench<'a> {
    fn start(options: &'a Options) -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("this program cannot be found")?;
        let mut command = with(pinned(options.load_core, &this), ["sim"]);
        if options.burst {
            command.arg("--burst");
        }
        let mut sim = Process::start("the simulator", command)?;
        let upstream = sim.line()?.parse().context("the simulator gives no address")?;
        Ok(Self { options, this, sim, upstream })
    }

    /// `None` when the server is not part of this comparison.
    fn measure(&self, round: usize, workload: Workload, target: Target) -> anyhow::Result<Option<Sample>> {
        let left_out = match target {
            Target::Gateway => self.options.gateway.is_none(),
            Target::Nginx => workload == Workload::W4, // it cannot gather an answer
        };
        if left_out {
            return Ok(None);
        }
        let server = target.start(self.options, self.upstream)?;
        let warm_up = self.load(&server, target, workload.warm_up())?;
        ensure!(warm_up.errors == 0, "{} {target:?}: {:?}", workload.name(), warm_up.first_error);
        let (metrics, report) = if workload == Workload::W5 {
            self.memory(&server, target)?
        } else {
            self.time(&server, target, workload)?
        };
        Ok(Some(Sample { round, workload, target, metrics, report }))
    }

    fn load(&self, server: &Server, target: Target, shape: Shape) -> anyhow::Result<Report> {
        let output = self.start_load(server, target, shape)?.finish(shape.limit())?;
        serde_json::from_str(output.trim()).context("the load generator's report cannot be read")
    }

    fn start_load(&self, server: &Server, target: Target, shape: Shape) -> anyhow::Result<Process> {
        let command = with(pinned(self.options.load_core, &self.this), ["load", "--addr", &server.addr.to_string()]);
        Process::start("the load generator", with(command, shape.arguments(target.dialect())))
    }

    /// CPU time per request or chunk, and the times that a client sees.
    fn time(
        &self,
        server: &Server,
        target: Target,
        workload: Workload,
    ) -> anyhow::Result<(BTreeMap<&'static str, f64>, Report)> {
        let (server_before, sim_before) = (CpuTime::of(server.process.pid())?, CpuTime::of(self.sim.pid())?);
        let report = self.load(server, target, workload.shape())?;
        let server_us = float(CpuTime::of(server.process.pid())?.since(server_before)) / 1e3;
        let sim_us = float(CpuTime::of(self.sim.pid())?.since(sim_before)) / 1e3;
        let (requests, chunks) = (float(report.requests.max(1)), float(report.chunks.max(1)));
        let metrics = BTreeMap::from([
            ("cpu_us_per_request", server_us / requests),
            ("cpu_us_per_chunk", server_us / chunks),
            ("simulator_cpu_us_per_chunk", sim_us / chunks),
            ("chunks_per_second", chunks / report.seconds.max(1e-9)),
            ("first_token_p50_ms", f64::from(report.first_token_us.p50) / 1e3),
            ("first_token_p99_ms", f64::from(report.first_token_us.p99) / 1e3),
            ("lateness_p99_ms", f64::from(report.lateness_us.p99) / 1e3),
            ("memory_mib", float(resident_kib(server.process.pid())?) / 1024.0),
        ]);
        Ok((metrics, report))
    }

    /// Memory at rest, and per stream with all of them open.
    fn memory(&self, server: &Server, target: Target) -> anyhow::Result<(BTreeMap<&'static str, f64>, Report)> {
        let shape = Workload::W5.shape();
        let at_rest = float(resident_kib(server.process.pid())?);
        let mut load = self.start_load(server, target, shape)?;
        let open: f64 =
            load.line()?.trim_start_matches("open ").parse().context("the load generator counts no streams")?;
        std::thread::sleep(Duration::from_millis(500)); // what was only needed to open them may be given back
        let held = float(resident_kib(server.process.pid())?);
        load.close_stdin();
        let report: Report = serde_json::from_str(load.finish(shape.limit())?.trim()).context("no report")?;
        let metrics = BTreeMap::from([
            ("memory_at_rest_mib", at_rest / 1024.0),
            ("kib_per_stream", (held - at_rest) / open.max(1.0)),
            ("open_streams", open),
        ]);
        Ok((metrics, report))
    }
}
