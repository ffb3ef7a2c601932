//! Who may connect: so many connections altogether, and so many from one address (H4).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::client_address::{TrustedProxies, network};

/// Counts connections by address.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    total: Arc<std::sync::atomic::AtomicUsize>,
    most: usize,
    most_of_one: usize,
    exempt: TrustedProxies,
}

/// The place of a connection; dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Crowd,
    counted: Option<IpAddr>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// All are taken.
    Everywhere,
    /// Those of this address are.
    Address,
}

impl Crowd {
    pub(super) fn new(most: usize, most_of_one: usize, exempt: TrustedProxies) -> Self {
        Self { counts: Arc::default(), total: Arc::default(), most: most.max(1), most_of_one, exempt }
    }

    /// A place for a connection of `peer`.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn admit(&self, peer: IpAddr) -> Result<Place, Full> {
        use std::sync::atomic::Ordering::Relaxed;
        // Only the accept loop adds, so what is read here can only become less.
        if self.total.load(Relaxed) >= self.most {
            return Err(Full::Everywhere);
        }
        let peer = peer.to_canonical();
        let is_exempt = peer.is_loopback() || self.exempt.contains(peer);
        let counted = (!is_exempt).then(|| network(peer));
        if let Some(network) = counted {
            let mut counts = self.counts();
            let count = counts.entry(network).or_default();
            if *count >= self.most_of_one {
                return Err(Full::Address);
            }
            *count += 1;
        }
        self.total.fetch_add(1, Relaxed);
        Ok(Place { crowd: self.clone(), counted })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.total.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        let Some(network) = self.counted else { return };
        let mut counts = self.crowd.counts();
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn h4_one_address_cannot_take_the_places_of_all() {
        let crowd = Crowd::new(10, 2, TrustedProxies::default());
        let first = crowd.admit(ip("203.0.113.1")).unwrap();
        let _second = crowd.admit(ip("::ffff:203.0.113.1")).unwrap();
        assert_eq!(crowd.admit(ip("203.0.113.1")).unwrap_err(), Full::Address);
        let _other = crowd.admit(ip("203.0.113.2")).unwrap();
        drop(first);
        let _again = crowd.admit(ip("203.0.113.1")).unwrap();
        let _six = [crowd.admit(ip("2001:db8::1")).unwrap(), crowd.admit(ip("2001:db8::2")).unwrap()];
        assert_eq!(crowd.admit(ip("2001:db8::ffff:0:0:3")).unwrap_err(), Full::Address, "one /64 is one client");
        assert!(crowd.admit(ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn h4_proxies_and_this_machine_are_bound_by_the_total_only() {
        let crowd = Crowd::new(4, 1, TrustedProxies::from(vec!["10.0.0.0/8".parse().unwrap()]));
        let mut places: Vec<Place> = ["10.1.2.3", "10.1.2.3", "127.0.0.1", "::1"]
            .into_iter()
            .map(|peer| crowd.admit(ip(peer)).unwrap())
            .collect();
        assert_eq!(crowd.admit(ip("10.1.2.3")).unwrap_err(), Full::Everywhere);
        places.clear();
        assert!(crowd.admit(ip("10.1.2.3")).is_ok());
        assert!(crowd.counts().is_empty(), "who has gone is forgotten");
    }
}
