//! Which name was meant.

/// The candidate that `name` most likely stands for; `None` when nothing is near.
///
/// A last part that fits wins (`api_key` for `grok.api_key`), then the fewest changed letters, at most a third.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or(&name);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance =
            if candidate.rsplit('.').next() == Some(last) { 0 } else { strsim::damerau_levenshtein(&name, candidate) };
        if distance <= (candidate.len() / 3).max(1) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_key_and_nonsense_finds_none() {
        let keys = ["grok.api_key", "grok.proxy_url", "chat.max_choices", "listen"];
        assert_eq!(nearest("grok.apikey", keys.into_iter()), Some("grok.api_key"));
        assert_eq!(nearest("api_key", keys.into_iter()), Some("grok.api_key"));
        assert_eq!(nearest("lisen", keys.into_iter()), Some("listen"));
        assert_eq!(nearest("global.proxy_url", keys.into_iter()), Some("grok.proxy_url"));
        assert_eq!(nearest("colour", keys.into_iter()), None);
    }
}
