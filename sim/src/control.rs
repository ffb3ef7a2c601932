//! What can another process ask the simulator, and tell it? `/__sim/…`, beside the upstream's own addresses.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use http::{Method, Response};
use serde::{Deserialize, Serialize};

use crate::accounts::AccountStats;
use crate::body::SimBody;
use crate::refusal::{Refusal, bad_request, respond};
use crate::state::State;

/// Where all of this lies.
const PREFIX: &str = "/__sim/";

/// What `GET /__sim/stats` tells.
#[derive(Serialize)]
struct Stats {
    total_calls: u64,
    cancelled: u64,
    /// Requests that followed a redirect of ours to another host.
    honeypot_visits: u64,
    /// Of these, those that brought a credential along.
    leaked_credentials: u64,
    /// Downloads with the credential of an account that did not make the file.
    foreign_downloads: u64,
    accounts: BTreeMap<String, AccountStats>,
}

/// What `POST /__sim/faults` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetFaults {
    /// Whose faults; everybody's when it is left out.
    account: Option<String>,
    /// Names of faults, instead of those before.
    faults: Vec<String>,
}

/// The answer to a request that is for the simulator itself and not for what it simulates.
pub(crate) fn answer(state: &State, method: &Method, path: &str, body: &[u8]) -> Option<Response<SimBody>> {
    let question = path.strip_prefix(PREFIX)?;
    Some(match (method, question) {
        (&Method::GET, "creates") => json(&state.creates.all()),
        (&Method::GET, "stats") => json(&stats(state)),
        (&Method::POST, "reset") => {
            state.forget();
            respond(200, "application/json", "{}")
        }
        (&Method::POST, "faults") => match serde_json::from_slice::<SetFaults>(body) {
            Ok(wanted) => {
                let faults: Vec<&str> = wanted.faults.iter().map(String::as_str).collect();
                match wanted.account {
                    Some(account) => state.set_faults(&account, &faults),
                    None => state.set_outage(&faults),
                }
                respond(200, "application/json", "{}")
            }
            Err(error) => bad_request(&error.to_string()),
        },
        _ => Refusal::NotFound.response(None),
    })
}

fn stats(state: &State) -> Stats {
    Stats {
        total_calls: state.total_calls.load(Ordering::Relaxed),
        cancelled: state.departures.count(),
        honeypot_visits: state.honeypot.visits.load(Ordering::Relaxed),
        leaked_credentials: state.honeypot.credentials.load(Ordering::Relaxed),
        foreign_downloads: state.honeypot.foreign_downloads.load(Ordering::Relaxed),
        accounts: state.accounts.stats(),
    }
}

fn json(of: &impl Serialize) -> Response<SimBody> {
    match serde_json::to_vec(of) {
        Ok(body) => respond(200, "application/json", body),
        Err(_) => Refusal::Internal.response(None),
    }
}
