//! Which account served a conversation last.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use parking_lot::Mutex;

use crate::account::AccountId;

/// Conversations of one generation; at most two of them are kept.
const GENERATION: usize = 50_000;

/// Conversations and their accounts. Those not heard of for longest are forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Sticky {
    pins: Mutex<Pins>,
}

#[derive(Debug, Default)]
struct Pins {
    young: HashMap<u64, Pin>,
    old: HashMap<u64, Pin>,
}

#[derive(Debug, Clone, Copy)]
struct Pin {
    account: AccountId,
    until_ms: i64,
}

impl Sticky {
    /// The account of a conversation, if it is still remembered at `now_ms`.
    pub(crate) fn get(&self, conversation: u64, now_ms: i64) -> Option<AccountId> {
        let pins = self.pins.lock();
        let pin = pins.young.get(&conversation).or_else(|| pins.old.get(&conversation))?;
        (pin.until_ms > now_ms).then_some(pin.account)
    }

    /// Remembers the account of a conversation until `until_ms`; true when it was another one before.
    pub(crate) fn set(&self, conversation: u64, account: AccountId, until_ms: i64) -> bool {
        let mut pins = self.pins.lock();
        if pins.young.len() >= GENERATION {
            pins.old = std::mem::take(&mut pins.young);
        }
        let older = pins.old.remove(&conversation);
        match pins.young.entry(conversation) {
            Entry::Occupied(mut pin) => {
                let before = pin.insert(Pin { account, until_ms });
                before.account != account
            }
            Entry::Vacant(place) => {
                place.insert(Pin { account, until_ms });
                older.is_none_or(|pin| pin.account != account)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_renewed_end_and_are_bounded() {
        let sticky = Sticky::default();
        let (one, other) = (AccountId::from_u128(1), AccountId::from_u128(2));
        assert!(sticky.set(7, one, 100));
        assert!(!sticky.set(7, one, 200));
        assert_eq!((sticky.get(7, 150), sticky.get(7, 200), sticky.get(8, 0)), (Some(one), None, None));
        assert!(sticky.set(7, other, 300));
        for conversation in 100..100 + 3 * GENERATION as u64 {
            sticky.set(conversation, one, 300);
            sticky.set(7, other, 300);
        }
        assert_eq!(sticky.get(7, 0), Some(other), "one that is heard of is not forgotten");
        let pins = sticky.pins.lock();
        assert!(pins.young.len() + pins.old.len() <= 2 * GENERATION);
    }
}
