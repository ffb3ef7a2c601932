//! A gateway that is, by mistake, its own upstream would answer one question with endless ones (H13).

use std::sync::Arc;

use grok2api_config::Vault;
use poem::http::HeaderMap;
use poem::http::header::VIA;

/// What this installation calls itself in `Via` headers: the same in all its processes, so that a circle of two of them
/// is found as well. Tells nothing about the master key it comes from.
#[derive(Debug, Clone)]
pub struct LoopMark(Arc<str>);

impl LoopMark {
    /// The mark of the installation with this vault.
    pub fn new(vault: &Vault) -> Self {
        let print = vault.lasting_fingerprint(b"loop mark");
        Self(format!("grok2api-{}", print.get(..16).unwrap_or(&print)).into())
    }

    /// Value of a `Via` header for calls to an upstream that might be this installation.
    pub fn via(&self) -> String {
        format!("1.1 {}", self.0)
    }

    /// Whether a request has passed this installation before.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let hops = headers.get_all(VIA).into_iter().filter_map(|line| line.to_str().ok());
        hops.flat_map(|line| line.split(',')).any(|hop| hop.split_whitespace().nth(1) == Some(&*self.0))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use secrecy::SecretString;

    use super::*;

    fn mark(key: &str) -> LoopMark {
        LoopMark::new(&Vault::new(&SecretString::from(key), &[]).unwrap())
    }

    #[test]
    fn h13_an_installation_knows_its_own_mark_among_those_of_others() {
        let (ours, other) =
            (mark("q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6"), mark("bmV3LWtleS0wOTg3NjU0MzIxLXF1eC1iYXotYmFyIQ"));
        let mut headers = HeaderMap::new();
        headers.append(VIA, "1.1 a-proxy".parse().unwrap());
        headers.append(VIA, format!("{}, 1.1 nginx", other.via()).parse().unwrap());
        assert!(other.is_in(&headers) && !ours.is_in(&headers));
        assert_eq!(ours.via(), mark("q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6").via());
    }
}
