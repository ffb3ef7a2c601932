//! One encrypted file of lines: a manifest, tables, files, and an end that proves that nothing is missing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use age::secrecy::SecretString;
use age::stream::{StreamReader, StreamWriter};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// Longest line that is read, in bytes: a row with a whole request, or a piece of a file.
const LONGEST_LINE: u64 = 256 << 20;
/// The form that this release writes.
pub(super) const FORM: u32 = 1;

/// The first line: what this is a backup of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Form of the archive.
    pub grok2api_backup: u32,
    /// Version of the program that made it.
    pub version: String,
    /// Steps that the schema had.
    pub schema: Vec<String>,
    /// Where the records lay: `file`, `mysql` or `postgres`.
    pub storage_mode: String,
    /// Which master key opens the secrets in it: an id, not the key.
    pub key_id: Option<String>,
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
    /// Whether pictures and videos are in it.
    pub with_media: bool,
    /// Whether the master key is in it.
    pub with_key: bool,
}

/// Any other line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// A table begins.
    Table { name: String, columns: Vec<String> },
    /// A row of it.
    Row(Vec<Json>),
    /// The master key.
    Key(String),
    /// A file of the media store begins; its name is a path of two parts.
    File(String),
    /// Base64 of some bytes of it.
    Piece(String),
    /// It is complete, and this is the SHA-256 of its bytes.
    FileEnd(String),
    /// The end: rows by table, files, and the SHA-256 of all lines before.
    End { rows: BTreeMap<String, u64>, files: u64, sha256: String },
}

/// Binary logarithm of the work of a passphrase in tests.
const TEST_WORK: u8 = 4;

/// An archive that is being written; it appears under its name when it is complete.
pub(super) struct Writer {
    out: StreamWriter<BufWriter<File>>,
    hash: Sha256,
}

impl Writer {
    /// Begins an archive in a file that must not exist, for its owner only.
    pub(super) fn begin(path: &Path, passphrase: SecretString, manifest: &Manifest) -> Result<Self> {
        let mut options = File::options();
        options.write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).with_context(|| format!("cannot make {}", path.display()))?;
        let mut recipient = age::scrypt::Recipient::new(passphrase);
        if cfg!(test) {
            // The work that keeps guesses slow would keep tests slow.
            recipient.set_work_factor(TEST_WORK);
        }
        let recipients = std::iter::once(&recipient as &dyn age::Recipient);
        let out = age::Encryptor::with_recipients(recipients)?.wrap_output(BufWriter::new(file))?;
        let mut this = Self { out, hash: Sha256::new() };
        this.put(manifest)?;
        Ok(this)
    }

    /// Writes one line.
    pub(super) fn line(&mut self, line: &Line) -> Result<()> {
        self.put(line)
    }

    fn put(&mut self, line: &impl Serialize) -> Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.hash.update(&bytes);
        Ok(self.out.write_all(&bytes)?)
    }

    /// Writes the end and waits until the disk has everything.
    pub(super) fn end(mut self, rows: BTreeMap<String, u64>, files: u64) -> Result<()> {
        let sha256 = hex(&self.hash.clone().finalize());
        self.put(&Line::End { rows, files, sha256 })?;
        let file = self.out.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok(file.sync_all()?)
    }
}

/// An archive that is being read.
pub(super) struct Reader {
    lines: BufReader<StreamReader<BufReader<File>>>,
    hash: Sha256,
    /// What it is a backup of.
    pub(super) manifest: Manifest,
}

impl Reader {
    /// Opens an archive.
    pub(super) fn open(path: &Path, passphrase: SecretString) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let decryptor = age::Decryptor::new_buffered(BufReader::new(file)).context("this is no backup")?;
        let identity = age::scrypt::Identity::new(passphrase);
        let opened = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity));
        let mut lines = BufReader::new(opened.context("the passphrase does not open this backup")?);
        let mut hash = Sha256::new();
        let first = next(&mut lines)?.context("the backup is empty")?;
        hash.update(&first);
        let manifest: Manifest = serde_json::from_slice(&first).context("this is no backup of grok2api")?;
        ensure!(manifest.grok2api_backup == FORM, "the backup was made by a newer release: use that one");
        Ok(Self { lines, hash, manifest })
    }

    /// The next line. The last one is the end, which proves that nothing is missing.
    pub(super) fn next(&mut self) -> Result<Line> {
        let Some(bytes) = next(&mut self.lines)? else { bail!("the backup is cut off") };
        let line: Line = serde_json::from_slice(&bytes).context("the backup is damaged")?;
        if let Line::End { sha256, .. } = &line {
            let ours = hex(&self.hash.clone().finalize());
            ensure!(*sha256 == ours, "the backup is damaged: its checksum is {ours} instead of {sha256}");
        }
        self.hash.update(&bytes);
        Ok(line)
    }
}

fn next(lines: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    lines.take(LONGEST_LINE).read_until(b'\n', &mut line).context("the backup is damaged or cut off")?;
    if line.is_empty() {
        return Ok(None);
    }
    ensure!(line.ends_with(b"\n"), "the backup is cut off");
    Ok(Some(line))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
