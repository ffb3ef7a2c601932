//! What this machine offers: folders, room, ports.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use grok2api_config::{MediaStore, StartUp};

use super::finding::Finding;
use crate::cli::healthcheck;

/// With less room than this, in bytes, nothing can be accepted soon.
const LEAST_ROOM: u64 = 100 << 20;
/// Less room than this, in bytes, deserves a look.
const LITTLE_ROOM: u64 = 1 << 30;

/// The data folder.
pub(super) fn data_folder(startup: &StartUp) -> Finding {
    const NAME: &str = "data folder";
    let path = &startup.data_dir;
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(_) => match nearest(path).filter(|parent| is_writable(parent)) {
            Some(_) => Finding::doubtful(NAME, format!("{shown} does not exist yet"), "`grok2api serve` makes it."),
            None => Finding::bad(
                NAME,
                format!("{shown} does not exist and cannot be made"),
                "Make it, and give it to the user who runs this program.",
            ),
        },
        Ok(found) if !found.is_dir() => {
            Finding::bad(NAME, format!("{shown} is no folder"), "Set data_dir to a folder.")
        }
        Ok(_) if !is_writable(path) => Finding::bad(
            NAME,
            format!("{shown} cannot be written to"),
            format!("Give it to the user who runs this program: chown -R USER {shown}"),
        ),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => Finding::doubtful(
            NAME,
            format!("{shown} is open to other users (mode {:o})", found.permissions().mode() & 0o777),
            format!("chmod 700 {shown}"),
        ),
        Ok(_) => Finding::good(NAME, shown.to_string()),
    }
}

/// Room on the disks that are written to.
pub(super) fn room(startup: &StartUp) -> Finding {
    const NAME: &str = "disk space";
    let places = [startup.data_dir.clone(), startup.media_folder()];
    let free = places.iter().filter_map(|place| nearest(place)).filter_map(|place| free(&place)).min();
    let Some(free) = free else {
        return Finding::doubtful(NAME, "the system does not tell", "Look with `df`.");
    };
    let says = format!("{:.1} GiB free", f64::from(u32::try_from(free >> 20).unwrap_or(u32::MAX)) / 1024.0);
    let advice = "Make room, or lower global.image_cache_max_size_mb and global.video_cache_max_size_mb.";
    match free {
        ..LEAST_ROOM => Finding::bad(NAME, says, advice),
        LEAST_ROOM..LITTLE_ROOM => Finding::doubtful(NAME, says, advice),
        _ => Finding::good(NAME, says),
    }
}

/// Where pictures and videos lie.
pub(super) fn media(startup: &StartUp) -> Finding {
    const NAME: &str = "media";
    let folder = startup.media_folder();
    let shown = folder.display();
    let writable = nearest(&folder).is_some_and(|place| is_writable(&place));
    if !writable {
        return Finding::bad(
            NAME,
            format!("{shown} cannot be written to"),
            "Give it to the user who runs this program, or set media.folder.",
        );
    }
    match startup.media.store {
        MediaStore::Folder => Finding::good(NAME, format!("folder {shown}")),
        MediaStore::S3 if startup.media.s3.bucket.is_empty() => {
            Finding::bad(NAME, "S3 without a bucket", "Set media.s3_bucket.")
        }
        MediaStore::S3 => Finding::good(NAME, format!("S3, bucket {} (not asked)", startup.media.s3.bucket)),
    }
}

/// A port: free, or a server of ours answers there.
pub(super) fn port(name: &'static str, address: SocketAddr) -> Finding {
    match std::net::TcpListener::bind(address) {
        Ok(_) => Finding::good(name, format!("{address} is free")),
        Err(_) if healthcheck::answers(address) => Finding::good(name, format!("a server answers at {address}")),
        Err(error) => Finding::bad(
            name,
            format!("cannot listen on {address}: {error}"),
            "End the program that listens there, or set another address (listen, worker.listen, scheduler.listen).",
        ),
    }
}

/// The path itself, or the nearest folder above it that exists.
fn nearest(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    absolute.ancestors().find(|place| place.exists()).map(Path::to_owned)
}

fn is_writable(folder: &Path) -> bool {
    tempfile::Builder::new().prefix(".grok2api-doctor-").tempfile_in(folder).is_ok()
}

fn free(place: &Path) -> Option<u64> {
    let told = rustix::fs::statvfs(place).ok()?;
    Some(told.f_bavail.saturating_mul(told.f_frsize))
}
