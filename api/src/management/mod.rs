//! The operator's calls as the old gateway had them: same paths, members and words, for scripts that know it.
//!
//! Where the old gateway was careless, this one is not: no token and no secret is in any answer, and nothing that is in
//! the pool is overwritten. `docs/seed-compatibility.md` has the differences, call by call.

mod cache;
mod failure;
mod settings;
mod stats;
mod storage;
mod tokens;

use cache::CacheApi;
use settings::SettingsApi;
use stats::StatsApi;
use storage::StorageApi;
use tokens::TokensApi;

pub(crate) use stats::StatsMemo;

/// All of the operator's calls.
pub(crate) type ManagementApis = (TokensApi, SettingsApi, CacheApi, StatsApi, StorageApi);

/// All of the operator's calls.
pub(crate) const fn apis() -> ManagementApis {
    (TokensApi, SettingsApi, CacheApi, StatsApi, StorageApi)
}
