//! Logs: their form, their level, and following the level when the operator changes it.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use grok2api_config::{LogConfig, LogFormat, LogLevel, SettingsHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// What is too chatty to be of use below the operator's level.
const QUIET: &str =
    "sqlx=warn,sea_orm=warn,sea_orm_migration=warn,hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,h2=warn";
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

fn filter(level: LogLevel) -> EnvFilter {
    EnvFilter::new(format!("{},{QUIET}", level.as_str().to_ascii_lowercase().replace("warning", "warn")))
}

/// Starts logging to standard output: pretty on a terminal and JSON elsewhere, unless the format is set.
///
/// The configured filter (`RUST_LOG`) replaces the operator's level for this process.
pub fn start(config: &LogConfig, level: LogLevel) {
    let rust_log = config.filter.as_deref();
    let first = rust_log.map_or_else(|| filter(level), EnvFilter::new);
    let (layer, handle) = reload::Layer::new(first);
    let on_terminal = std::io::stdout().is_terminal();
    let json = match config.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !on_terminal,
    };
    let registry = tracing_subscriber::registry().with(layer);
    let started = if json {
        let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false);
        registry.with(lines).try_init()
    } else {
        registry
            .with(tracing_subscriber::fmt::layer().with_target(false).with_ansi(config.color && on_terminal).compact())
            .try_init()
    };
    if started.is_ok() && rust_log.is_none() {
        // A second start in one process keeps the first one's handle.
        drop(LEVEL.set(handle));
    }
}

/// Logs where and under which request a panic happened, never its payload: that could hold anything.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a task panicked");
    }));
}

/// Applies `global.log_level` as it changes.
pub(crate) fn follow_log_level(tasks: &TaskTracker, settings: &SettingsHandle, stop: &CancellationToken) {
    let Some(handle) = LEVEL.get() else { return };
    let (settings, stop) = (settings.clone(), stop.clone());
    tasks.spawn(async move {
        let mut current = None;
        loop {
            let wanted = settings.load().global.log_level;
            if current != Some(wanted) && handle.reload(filter(wanted)).is_ok() {
                current = Some(wanted);
            }
            tokio::select! {
                () = tokio::time::sleep(FOLLOW_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    });
}
