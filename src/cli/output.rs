//! Where commands write: results to standard output, remarks to standard error.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

/// Where a command writes.
pub(crate) struct Output {
    results: Box<dyn Write + Send>,
    remarks: Box<dyn Write + Send>,
    /// Whether a person reads the results.
    pub(super) is_terminal: bool,
    /// Whether a person sees the remarks, so that progress may be shown in place.
    pub(super) shows_progress: bool,
}

impl Output {
    /// Standard output and standard error of this process.
    pub(super) fn of_process() -> Self {
        Self {
            results: Box::new(io::stdout()),
            remarks: Box::new(io::stderr()),
            is_terminal: io::stdout().is_terminal(),
            shows_progress: io::stderr().is_terminal(),
        }
    }

    /// Writes a line of the result.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.results, "{text}")
    }

    /// Writes a JSON value on a line of its own.
    pub(super) fn json(&mut self, value: &Value) -> io::Result<()> {
        writeln!(self.results, "{value}")
    }

    /// Writes a remark: not part of the result.
    pub(super) fn remark(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.remarks, "{text}")
    }

    /// Shows progress in place, when a person sees it.
    pub(super) fn progress(&mut self, text: &str) -> io::Result<()> {
        if self.shows_progress {
            write!(self.remarks, "\r\u{1b}[2K{text}")?;
            self.remarks.flush()?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod captured {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// What was written so far.
    #[derive(Clone, Default)]
    pub(in crate::cli) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        /// The text, which is taken away.
        pub(in crate::cli) fn take(&self) -> String {
            let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output {
        /// An output that keeps results and remarks, as if they went to a pipe.
        pub(in crate::cli) fn captured() -> (Self, Captured, Captured) {
            let (results, remarks) = (Captured::default(), Captured::default());
            let output = Self {
                results: Box::new(results.clone()),
                remarks: Box::new(remarks.clone()),
                is_terminal: false,
                shows_progress: false,
            };
            (output, results, remarks)
        }
    }
}
