//! The kinds of jobs there are.

use grok2api_entity::job::Kind;

/// All kinds.
pub const ALL: [Kind; 13] = [
    Kind::GenerateImage,
    Kind::GenerateVideo,
    Kind::CacheMedia,
    Kind::SweepMedia,
    Kind::TokenTest,
    Kind::QuotaReset,
    Kind::StatsRollup,
    Kind::BulkTest,
    Kind::BulkImport,
    Kind::BulkDelete,
    Kind::BulkTag,
    Kind::BulkEnable,
    Kind::BulkDisable,
];

/// The kind of that name.
pub fn parse(name: &str) -> Option<Kind> {
    ALL.into_iter().find(|kind| kind.as_str() == name)
}

/// The place of a kind in [`ALL`].
pub(crate) fn place(kind: Kind) -> usize {
    ALL.iter().position(|known| *known == kind).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use sea_orm::Iterable;

    use super::*;

    #[test]
    fn every_kind_has_a_place_of_its_own() {
        let places: HashSet<usize> = Kind::iter().map(place).collect();
        assert_eq!(places.len(), Kind::iter().count());
    }
}
