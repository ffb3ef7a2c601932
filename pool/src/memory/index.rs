//! One ranked list of accounts for one budget and tier.
//!
//! Accounts of equal rank hang in a doubly linked list in order of last use; the few distinct ranks are keys of a small
//! map. Moving an account costs the same in a pool of a hundred and of a million.

use std::collections::BTreeMap;

use crate::strategy::End;

const NONE: u32 = u32::MAX;

/// Where an account stands: how many of the distinct call costs its budget still covers, and its rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Number of cost steps covered, at least 1.
    pub(crate) level: u8,
    /// The smaller the better.
    pub(crate) rank: u64,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    prev: u32,
    next: u32,
    place: Option<Place>,
    touched: u64,
}

const UNLINKED: Link = Link { prev: NONE, next: NONE, place: None, touched: 0 };

#[derive(Debug, Clone, Copy)]
struct Ends {
    front: u32,
    back: u32,
}

#[derive(Debug)]
pub(crate) struct Index {
    links: Vec<Link>,
    /// By level - 1.
    levels: Vec<BTreeMap<u64, Ends>>,
    touches: u64,
}

impl Index {
    pub(crate) fn new(levels: usize) -> Self {
        Self { links: Vec::new(), levels: vec![BTreeMap::new(); levels], touches: 0 }
    }

    /// Links, moves or (with `None`) unlinks an account. `touch` says that it was used just now, which moves it to the
    /// end of its equals.
    pub(crate) fn place(&mut self, slot: u32, place: Option<Place>, touch: bool) {
        if self.links.len() <= slot as usize {
            if place.is_none() {
                return;
            }
            self.links.resize(slot as usize + 1, UNLINKED);
        }
        if self.links[slot as usize].place == place && !(touch && place.is_some()) {
            return;
        }
        self.unlink(slot);
        if let Some(place) = place {
            self.link_back(slot, place);
        }
    }

    /// Links an account that was never used in front of its equals.
    pub(crate) fn place_first(&mut self, slot: u32, place: Place) {
        if self.links.len() <= slot as usize {
            self.links.resize(slot as usize + 1, UNLINKED);
        }
        self.unlink(slot);
        let front = self.levels[usize::from(place.level) - 1].get(&place.rank).map(|ends| ends.front);
        let Some(front) = front else {
            self.link_back(slot, place);
            self.links[slot as usize].touched = 0;
            return;
        };
        self.links[slot as usize] = Link { prev: NONE, next: front, place: Some(place), touched: 0 };
        self.links[front as usize].prev = slot;
        if let Some(ends) = self.levels[usize::from(place.level) - 1].get_mut(&place.rank) {
            ends.front = slot;
        }
    }

    /// The best account whose budget covers at least `level` cost steps and that `usable` accepts.
    pub(crate) fn best(&self, level: u8, end: End, usable: impl Fn(u32) -> bool) -> Option<u32> {
        let mut best: Option<(u64, u64, u32)> = None;
        for ranks in &self.levels[usize::from(level.max(1)) - 1..] {
            let Some((rank, slot)) = self.first_usable(ranks, end, &usable) else { continue };
            let touched = self.links[slot as usize].touched;
            let order = match end {
                End::LeastRecent => touched,
                End::MostRecent => u64::MAX - touched,
            };
            if best.is_none_or(|(r, o, _)| (rank, order) < (r, o)) {
                best = Some((rank, order, slot));
            }
        }
        best.map(|(_, _, slot)| slot)
    }

    fn first_usable(&self, ranks: &BTreeMap<u64, Ends>, end: End, usable: &impl Fn(u32) -> bool) -> Option<(u64, u32)> {
        for (&rank, ends) in ranks {
            let mut slot = match end {
                End::LeastRecent => ends.front,
                End::MostRecent => ends.back,
            };
            while slot != NONE {
                if usable(slot) {
                    return Some((rank, slot));
                }
                let link = self.links[slot as usize];
                slot = match end {
                    End::LeastRecent => link.next,
                    End::MostRecent => link.prev,
                };
            }
        }
        None
    }

    fn unlink(&mut self, slot: u32) {
        let link = self.links[slot as usize];
        let Some(place) = link.place else { return };
        let ranks = &mut self.levels[usize::from(place.level) - 1];
        if link.prev == NONE && link.next == NONE {
            ranks.remove(&place.rank);
        } else if let Some(ends) = ranks.get_mut(&place.rank) {
            if link.prev == NONE {
                ends.front = link.next;
            }
            if link.next == NONE {
                ends.back = link.prev;
            }
        }
        if link.prev != NONE {
            self.links[link.prev as usize].next = link.next;
        }
        if link.next != NONE {
            self.links[link.next as usize].prev = link.prev;
        }
        self.links[slot as usize] = UNLINKED;
    }

    fn link_back(&mut self, slot: u32, place: Place) {
        self.touches += 1;
        let ends =
            self.levels[usize::from(place.level) - 1].entry(place.rank).or_insert(Ends { front: slot, back: NONE });
        let back = ends.back;
        ends.back = slot;
        self.links[slot as usize] = Link { prev: back, next: NONE, place: Some(place), touched: self.touches };
        if back != NONE {
            self.links[back as usize].next = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equals_are_served_in_order_of_last_use() {
        let mut index = Index::new(1);
        let place = Some(Place { level: 1, rank: 7 });
        for slot in 0..3 {
            index.place(slot, place, false);
        }
        assert_eq!(index.best(1, End::LeastRecent, |_| true), Some(0));
        index.place(0, place, true);
        assert_eq!(index.best(1, End::LeastRecent, |_| true), Some(1));
        assert_eq!(index.best(1, End::MostRecent, |_| true), Some(0));
        assert_eq!(index.best(1, End::LeastRecent, |slot| slot == 2), Some(2));
    }

    proptest! {
        /// The linked lists agree with a plain vector kept in order.
        #[test]
        fn agrees_with_a_plain_list(moves in proptest::collection::vec((0u32..12, 0u8..3, 0u64..4), 1..200)) {
            let mut index = Index::new(2);
            let mut model: Vec<(u32, Place)> = Vec::new();
            for (slot, level, rank) in moves {
                model.retain(|(other, _)| *other != slot);
                let place = (level > 0).then_some(Place { level, rank });
                index.place(slot, place, true);
                if let Some(place) = place {
                    model.push((slot, place));
                }
                for level in 1..=2u8 {
                    let expected = model
                        .iter()
                        .enumerate()
                        .filter(|(_, (_, place))| place.level >= level)
                        .min_by_key(|(at, (_, place))| (place.rank, *at))
                        .map(|(_, (slot, _))| *slot);
                    prop_assert_eq!(index.best(level, End::LeastRecent, |_| true), expected);
                }
            }
        }
    }
}
