//! Compares nginx and the gateway in interleaved rounds: servers on one core, simulator and load on the other.

mod bars;
mod cpu;
mod float;
mod gateway;
mod nginx;
mod process;
mod round;
mod table;
mod target;
mod workload;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

pub(crate) use cpu::{CpuTime, resident_kib};
pub(crate) use float::float;
pub(crate) use gateway::start as start_gateway;
pub(crate) use process::{Process, free_addr, pinned, with};

use round::Sample;
use target::Target;
use workload::Workload;

/// How the comparison is run.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The release binary of the gateway; without it only nginx is measured.
    #[arg(long)]
    pub(crate) gateway: Option<PathBuf>,
    /// The nginx binary.
    #[arg(long, default_value = "/usr/sbin/nginx")]
    pub(crate) nginx: PathBuf,
    /// How often everything is measured; medians are shown.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Which workloads, of w1 to w5.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Workload::ALL)]
    pub(crate) workloads: Vec<Workload>,
    /// Which servers.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Target::ALL)]
    pub(crate) targets: Vec<Target>,
    /// Core of the servers.
    #[arg(long, default_value_t = 0)]
    pub(crate) server_core: usize,
    /// Core of the simulator and the load generator.
    #[arg(long, default_value_t = 1)]
    pub(crate) load_core: usize,
    /// Where the JSON goes.
    #[arg(long, default_value = "bench/out")]
    pub(crate) out: PathBuf,
    /// Let the simulator's lines that are ready together leave in one write.
    #[arg(long)]
    pub(crate) burst: bool,
}

/// Measures, prints the table, and writes the JSON. Fails when a bar is missed.
pub(crate) fn command(options: &Options) -> anyhow::Result<()> {
    let samples = round::all(options)?;
    let rows = bars::judge(&samples);
    let mut out = std::io::stdout();
    write!(out, "{}", table::render(&rows))?;
    let path = write_json(options, &samples, &rows)?;
    writeln!(out, "\nwritten to {}", path.display())?;
    let missed = rows.iter().filter(|row| row.passed == Some(false)).count();
    anyhow::ensure!(missed == 0, "{missed} bars are missed");
    Ok(())
}

fn write_json(options: &Options, samples: &[Sample], rows: &[bars::Row]) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(&options.out).with_context(|| format!("cannot make {}", options.out.display()))?;
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let path = options.out.join(format!("run-{at}.json"));
    let json = serde_json::json!({"unix_secs": at, "rounds": options.rounds, "rows": rows, "samples": samples});
    std::fs::write(&path, serde_json::to_vec_pretty(&json)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
