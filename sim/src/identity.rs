//! Which ids stand for what: derived from a seed, so that the same question gets the same bytes.

use std::hash::{DefaultHasher, Hash, Hasher};

use uuid::Uuid;

/// A number that depends on nothing but the parts.
pub(crate) fn seed(parts: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// An id for one purpose within a seed.
pub(crate) fn id(seed_value: u64, purpose: &str) -> Uuid {
    let high = seed(&(seed_value, purpose));
    let low = seed(&(high, purpose));
    Uuid::from_u64_pair(high, low)
}

/// The user id behind an account's name: the second part of all its asset paths.
pub(crate) fn user_id(account: &str) -> Uuid {
    id(seed(account), "user")
}

/// First group of the id of a file whose size was ordered.
const SIZED: u32 = 0x5153_1ced;

/// The id of a file of so many MiB: the size is part of it, so that any process knows it.
pub(crate) fn sized(file: Uuid, mib: Option<u16>) -> Uuid {
    let Some(mib) = mib else { return file };
    let (high, low) = file.as_u64_pair();
    Uuid::from_u64_pair((u64::from(SIZED) << 32) | (high & 0xffff_0000) | u64::from(mib), low)
}

/// The size that is part of a file's id, in MiB.
pub(crate) fn size_mib(file: &str) -> Option<u16> {
    let (high, _) = Uuid::try_parse(file).ok()?.as_u64_pair();
    let mib = u16::try_from(high & 0xffff).ok()?;
    (high >> 32 == u64::from(SIZED) && mib > 0).then_some(mib)
}

/// The id of an account's n-th upload. Its first group names the account, so that a foreign id is noticed.
pub(crate) fn upload_id(account: &str, number: u64) -> Uuid {
    let high = (u64::from(upload_mark(account)) << 32) | (seed(&(account, number, "upload")) >> 32);
    Uuid::from_u64_pair(high, seed(&(number, account)))
}

/// Whether an upload id was issued to this account.
pub(crate) fn owns_upload(account: &str, upload: &str) -> bool {
    Uuid::try_parse(upload).is_ok_and(|upload| (upload.as_u64_pair().0 >> 32) == u64::from(upload_mark(account)))
}

fn upload_mark(account: &str) -> u32 {
    let [a, b, c, d, ..] = seed(&(account, "upload")).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
