//! What has a process used? CPU time in nanoseconds, and memory.

use std::path::PathBuf;

use anyhow::Context as _;

/// Two ways to read the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CpuTime {
    /// All threads that live, exact.
    threads_ns: u64,
    /// The whole process with ended threads, in steps of 10 ms.
    ticks_ns: u64,
}

/// Nanoseconds in a clock tick of `/proc/PID/stat`.
const TICK_NS: u64 = 10_000_000;

impl CpuTime {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let mut threads_ns = 0;
        for thread in std::fs::read_dir(proc(pid, "task")).context("the process has gone")? {
            let Ok(schedstat) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            threads_ns += schedstat.split(' ').next().and_then(|on_cpu| on_cpu.parse::<u64>().ok()).unwrap_or(0);
        }
        let stat = std::fs::read_to_string(proc(pid, "stat")).context("the process has gone")?;
        Ok(Self { threads_ns, ticks_ns: ticks(&stat).context("stat cannot be read")? * TICK_NS })
    }

    /// Nanoseconds used since an earlier reading.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        let (threads, ticks) =
            (self.threads_ns.saturating_sub(earlier.threads_ns), self.ticks_ns.saturating_sub(earlier.ticks_ns));
        // Threads that ended in between are missing in the exact reading.
        if ticks > threads + 3 * TICK_NS { ticks } else { threads }
    }
}

/// Resident memory in KiB.
pub(crate) fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(proc(pid, "status")).context("the process has gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().context("VmRSS is no number")
}

fn proc(pid: u32, file: &str) -> PathBuf {
    ["/proc", &pid.to_string(), file].iter().collect()
}

/// `utime` + `stime`, which stand after the name in parentheses.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_a_name_with_parentheses() {
        let stat = "1 (a (b) c) S 0 1 1 0 -1 4194560 1 2 3 4 70 30 5 6 20 0 1 0 1";
        assert_eq!(ticks(stat), Some(100));
    }

    #[test]
    fn ended_threads_are_not_forgotten() {
        let before = CpuTime { threads_ns: 1_000, ticks_ns: 0 };
        assert_eq!(CpuTime { threads_ns: 5_000, ticks_ns: TICK_NS }.since(before), 4_000);
        assert_eq!(CpuTime { threads_ns: 500, ticks_ns: 40 * TICK_NS }.since(before), 40 * TICK_NS);
    }
}
