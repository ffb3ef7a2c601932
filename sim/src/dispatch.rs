//! How does one request find its answer: account, script, trouble at the door, and then its route?

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use crate::accounts::{Account, Running, account_name};
use crate::answer;
use crate::body::SimBody;
use crate::faults::{Door, Fault};
use crate::plan::Plan;
use crate::recorder::Raw;
use crate::refusal::{Refusal, bad_request, respond};
use crate::route::Route;
use crate::script::Scripted;
use crate::state::State;
use crate::turn::ChatBody;
use crate::{assets, chat, control, creates, honeypot, rate_limits, upload};

/// Longest request body.
const MAX_BODY_BYTES: usize = 64 << 20;

/// One request whose route and account are known.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) state: Arc<State>,
    pub(crate) account: Arc<Account>,
    pub(crate) route: Route,
    pub(crate) path: String,
    pub(crate) body: Bytes,
    /// How many calls of this route the account has made, this one included.
    pub(crate) number: u64,
}

/// Answers one request. An error closes the connection without a word.
pub(crate) async fn answer(state: Arc<State>, request: Request<Incoming>) -> io::Result<Response<SimBody>> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await.map(http_body_util::Collected::to_bytes) else {
        return Ok(respond(413, "text/plain", "the body is too long or has not arrived"));
    };
    if let Some(response) = control::answer(&state, &parts.method, parts.uri.path(), &body) {
        return Ok(response);
    }
    let route = Route::of(&parts.method, parts.uri.path());
    let account = account_name(&parts.headers).map(str::to_owned);
    if state.recorder.is_on() {
        record(&state, &parts, route, &body, account.as_deref());
    }
    if parts.uri.path() == honeypot::PATH {
        state.honeypot.visited(parts.headers.contains_key(header::COOKIE));
    }
    let Some(route) = route else { return Ok(Refusal::NotFound.response(None)) };
    let Some(account) = account.and_then(|name| state.accounts.get_or_add(&name)) else {
        return Ok(Refusal::InvalidCredential.response(None));
    };
    let number = count(&account, route);
    Call { state, account, route, path: parts.uri.path().to_owned(), body, number }.answer().await
}

fn record(state: &State, parts: &Parts, route: Option<Route>, body: &Bytes, account: Option<&str>) {
    state.recorder.add(Raw {
        route,
        path: parts.uri.path().to_owned(),
        headers: parts.headers.clone(),
        body: body.clone(),
        account: account.unwrap_or_default().to_owned(),
        at: Instant::now(),
    });
}

fn count(account: &Account, route: Route) -> u64 {
    let counters = &account.counters;
    let counter = match route {
        Route::Chat => &counters.calls,
        Route::Upload => &counters.uploads,
        Route::RateLimits => &counters.rate_limit_calls,
        Route::Asset => &counters.asset_calls,
    };
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

impl Call {
    async fn answer(self) -> io::Result<Response<SimBody>> {
        let mut running = (self.route == Route::Chat).then(|| {
            self.state.total_calls.fetch_add(1, Ordering::Relaxed);
            Running::begin(Arc::clone(&self.account), Arc::clone(&self.state))
        });
        self.state.changed();
        // A stream takes `running` along. What is still here when this comes back was no stream, and nobody left early.
        let response = self.respond(&mut running).await;
        if let Some(mut running) = running {
            running.finish();
        }
        response
    }

    async fn respond(&self, running: &mut Option<Running>) -> io::Result<Response<SimBody>> {
        if let Some(scripted) = self.state.scripts.take(self.route, &self.account.name) {
            return self.play(scripted, running).await;
        }
        let (own, all) = (self.account.faults(), self.state.outage());
        let mut spoils = Vec::new();
        for fault in own.iter().chain(all.iter()).filter_map(|fault| fault.on(self.route, self.number)) {
            match fault {
                Fault::Door(door) => {
                    if let Some(response) = self.at_the_door(door).await? {
                        return Ok(response);
                    }
                }
                Fault::Spoil(spoil) => spoils.push(spoil.clone()),
                Fault::Unknown(name) => return Ok(bad_request(&format!("The simulator knows no fault \"{name}\""))),
                Fault::Flaky { .. } | Fault::Only { .. } => {}
            }
        }
        match self.route {
            Route::Chat => chat::answer(self, &spoils, running).await,
            Route::Upload => Ok(upload::answer(self)),
            Route::RateLimits => Ok(rate_limits::answer(self)),
            Route::Asset => assets::answer(self, &spoils).await,
        }
    }

    /// The response of a fault, if there is one and it does not only delay.
    async fn at_the_door(&self, door: &Door) -> io::Result<Option<Response<SimBody>>> {
        match door {
            Door::Refuse { refusal, retry_after } => Ok(Some(refusal.response(*retry_after))),
            Door::Slow(delay) => {
                tokio::time::sleep(*delay).await;
                Ok(None)
            }
            Door::Silent => std::future::pending().await,
            Door::Close => Err(closed()),
            Door::Redirect => {
                let mut response = respond(302, "text/plain", "");
                let location = format!("http://localhost:{}{}", self.state.port, honeypot::PATH);
                if let Ok(location) = HeaderValue::try_from(location) {
                    response.headers_mut().insert(header::LOCATION, location);
                }
                Ok(Some(response))
            }
        }
    }

    /// Enters a scripted answer into the ledger, under the mark in its message.
    fn accept(&self, running: &mut Option<Running>) {
        if let (Some(running), Ok(turn)) = (running, ChatBody::parse(&self.body)) {
            running.accept(creates::name_of(&turn, turn.wants_video()));
        }
    }

    async fn play(&self, scripted: Scripted, running: &mut Option<Running>) -> io::Result<Response<SimBody>> {
        match scripted {
            Scripted::Plan(plan) => {
                if plan.status.is_success() {
                    self.accept(running);
                }
                Ok(send(*plan, running).await)
            }
            Scripted::Text(text) => match ChatBody::parse(&self.body) {
                Ok(turn) => {
                    self.accept(running);
                    let rendered = answer::text::say(&turn, &text);
                    Ok(send(Plan::answer(&rendered, self.state.options.pace), running).await)
                }
                Err(message) => Ok(bad_request(message)),
            },
            Scripted::Silent => std::future::pending().await,
            Scripted::Close => Err(closed()),
        }
    }
}

/// Sends a plan, head first.
pub(crate) async fn send(plan: Plan, running: &mut Option<Running>) -> Response<SimBody> {
    if !plan.head_delay.is_zero() {
        tokio::time::sleep(plan.head_delay).await;
    }
    let (status, headers) = (plan.status, plan.headers.clone());
    let mut response = Response::new(SimBody::stream(plan, running.take()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "closed by the simulator")
}
