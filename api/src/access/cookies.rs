//! The cookies of a browser: its session, and the mark by which a browser is known that somebody logged in with (A9).

use grok2api_config::Vault;
use uuid::Uuid;

use super::token;

/// Seconds for which a browser is known.
const DEVICE_SECS: i64 = 90 * 86_400;
/// Random bytes of a device's id.
const DEVICE_BYTES: usize = 16;

/// The name of the session's cookie. Over an encrypted connection browsers keep other hosts from setting it.
pub(crate) fn session_name(https: bool) -> &'static str {
    if https { "__Host-grok2api-session" } else { "grok2api-session" }
}

/// The name of the device's cookie.
pub(crate) fn device_name(https: bool) -> &'static str {
    if https { "__Host-grok2api-device" } else { "grok2api-device" }
}

/// A `Set-Cookie` for a session that lasts as long as the browser runs, and no longer than the session.
pub(crate) fn session(value: &str, max_age_secs: i64, https: bool) -> String {
    set(session_name(https), value, max_age_secs, https)
}

/// A `Set-Cookie` that takes the session's away.
pub(crate) fn no_session(https: bool) -> String {
    set(session_name(https), "", 0, https)
}

/// A `Set-Cookie` by which a browser is known again.
pub(crate) fn device(value: &str, https: bool) -> String {
    set(device_name(https), value, DEVICE_SECS, https)
}

fn set(name: &str, value: &str, max_age_secs: i64, https: bool) -> String {
    let secure = if https { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={max_age_secs}; HttpOnly; SameSite=Strict{secure}")
}

/// A mark for a browser that `admin` logged in with at the time `now`, in Unix milliseconds.
///
/// # Errors
/// The system gives no random numbers.
pub(crate) fn new_device(vault: &Vault, admin: &str, now: i64) -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; DEVICE_BYTES];
    getrandom::fill(&mut bytes)?;
    let id = Uuid::from_bytes(bytes).simple().to_string();
    let until = now / 1000 + DEVICE_SECS;
    let seal = seal(vault, admin, &id, until);
    Ok(format!("{id}.{until}.{seal}"))
}

/// The id of the browser that carries this mark, if it was made here for `admin` and is still good.
pub(crate) fn known_device(vault: &Vault, admin: &str, mark: &str, now: i64) -> Option<String> {
    let mut parts = mark.splitn(3, '.');
    let (id, until, given) = (parts.next()?, parts.next()?.parse::<i64>().ok()?, parts.next()?);
    let is_good = id.len() == 2 * DEVICE_BYTES
        && now / 1000 < until
        && token::is_same(given.as_bytes(), seal(vault, admin, id, until).as_bytes());
    is_good.then(|| id.to_owned())
}

fn seal(vault: &Vault, admin: &str, id: &str, until: i64) -> String {
    token::keyed(vault, "device", format!("{admin}\0{id}\0{until}").as_bytes())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use secrecy::SecretString;

    use super::*;

    #[test]
    fn a6_a_browser_is_known_only_by_a_mark_made_here_for_this_name_and_for_90_days() {
        let vault = Vault::new(&SecretString::from("q8Jf0Zr3pXv7LkTn5WcYb2Hd9MsEa4GuRi6"), &[]).unwrap();
        let mark = new_device(&vault, "admin", 1_000_000).unwrap();
        let id = known_device(&vault, "admin", &mark, 1_000_000).unwrap();
        assert_eq!(id.len(), 32);
        assert_eq!(known_device(&vault, "ann", &mark, 1_000_000), None);
        assert_eq!(known_device(&vault, "admin", &mark, 1_000_000 + DEVICE_SECS * 1000), None);
        for wrong in ["", "..", &mark[..mark.len() - 1], &mark.replacen('.', ".9", 1), &mark.replacen(&id[..1], "g", 1)]
        {
            assert_eq!(known_device(&vault, "admin", wrong, 1_000_000), None, "{wrong}");
        }
    }

    #[test]
    fn a9_cookies_are_for_this_site_alone_and_no_scripts() {
        assert_eq!(
            session("abc", 60, true),
            "__Host-grok2api-session=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
        );
        assert!(!session("abc", 60, false).contains("Secure"));
        assert!(no_session(true).starts_with("__Host-grok2api-session=; Path=/; Max-Age=0;"));
    }
}
