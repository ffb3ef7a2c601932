//! What does a test want to be answered next? One-shot answers, taken in order.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;

use crate::answer::fixture::{self, UnknownFixture};
use crate::pace::Schedule;
use crate::plan::{End, Plan};
use crate::route::Route;

/// One answer for the next call of a route: `Script::status(429).header("retry-after", "7")`.
#[derive(Debug, Clone)]
pub struct Script {
    route: Route,
    account: Option<String>,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    /// These bytes.
    Plan(Box<Draft>),
    /// An ordinary answer with this text.
    Text(String),
    /// No head, ever.
    Silent,
    /// The connection is closed without an answer.
    Close,
}

/// A plan that can still be changed.
#[derive(Debug, Clone)]
struct Draft {
    plan: Plan,
    pieces: Vec<Bytes>,
    delays: Vec<Duration>,
}

/// What a script says once it is taken.
#[derive(Debug)]
pub(crate) enum Scripted {
    Plan(Box<Plan>),
    Text(String),
    Silent,
    Close,
}

/// Scripts that wait for their calls.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    queue: Mutex<VecDeque<Script>>,
}

impl Script {
    /// An answer with this status and an empty body.
    pub fn status(code: u16) -> Self {
        let mut script = Self::lines::<&str>([]);
        if let Content::Plan(draft) = &mut script.content {
            draft.plan.status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        }
        script
    }

    /// Success with this body, in one piece.
    pub fn body(body: impl Into<Bytes>) -> Self {
        Self::of_pieces(vec![body.into()])
    }

    /// Success with these lines; each gets its line end and is sent on its own.
    pub fn lines<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Self {
        Self::of_pieces(lines.into_iter().map(|line| Bytes::from(format!("{}\n", line.as_ref()))).collect())
    }

    /// Success with the bytes of a recording, each line on its own. The beginning of the name is enough.
    ///
    /// # Errors
    /// There is no recording of that name.
    pub fn fixture(name: &str) -> Result<Self, UnknownFixture> {
        Ok(Self::of_pieces(fixture::lines(fixture::fixture(name)?)))
    }

    /// An ordinary answer with this text, in small tokens.
    pub fn text(text: impl Into<String>) -> Self {
        Self { route: Route::Chat, account: None, content: Content::Text(text.into()) }
    }

    /// No head, ever.
    pub fn silent() -> Self {
        Self { route: Route::Chat, account: None, content: Content::Silent }
    }

    /// The connection is closed without an answer.
    pub fn close() -> Self {
        Self { route: Route::Chat, account: None, content: Content::Close }
    }

    fn of_pieces(pieces: Vec<Bytes>) -> Self {
        let content = Content::Plan(Box::new(Draft { plan: Plan::empty(), pieces, delays: Vec::new() }));
        Self { route: Route::Chat, account: None, content }
    }

    /// For a call of another route than chat.
    #[must_use]
    pub fn on(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Only for calls of this account.
    #[must_use]
    pub fn for_account(mut self, name: impl Into<String>) -> Self {
        self.account = Some(name.into());
        self
    }

    /// Sets the status of a scripted body.
    #[must_use]
    pub fn with_status(self, code: u16) -> Self {
        self.change(|draft| draft.plan.status = StatusCode::from_u16(code).unwrap_or_default())
    }

    /// Adds a header, or changes one. A name or value that no header may have is left out.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.change(|draft| {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                draft.plan.headers.insert(name, value);
            }
        })
    }

    /// Cuts the body into pieces of so many bytes (at least 1), each sent on its own.
    #[must_use]
    pub fn pieces(self, bytes: usize) -> Self {
        self.change(|draft| draft.pieces = fixture::pieces(&draft.whole(), bytes))
    }

    /// Cuts the body at these offsets.
    #[must_use]
    pub fn splits(self, at: &[usize]) -> Self {
        self.change(|draft| draft.pieces = fixture::splits(&draft.whole(), at))
    }

    /// Keeps only so many bytes of the body.
    #[must_use]
    pub fn truncated(self, bytes: usize) -> Self {
        self.change(|draft| fixture::truncate(&mut draft.pieces, bytes))
    }

    /// Waits before the head.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        self.change(|draft| draft.plan.head_delay = delay)
    }

    /// Waits this long before each piece but the first.
    #[must_use]
    pub fn gap(self, gap: Duration) -> Self {
        self.change(|draft| {
            draft.delays = (0..draft.pieces.len()).map(|piece| if piece == 0 { Duration::ZERO } else { gap }).collect();
        })
    }

    /// Waits before each piece; a piece beyond the list follows at once.
    #[must_use]
    pub fn delays(self, delays: impl IntoIterator<Item = Duration>) -> Self {
        self.change(|draft| draft.delays = delays.into_iter().collect())
    }

    /// Cuts the connection after the last piece.
    #[must_use]
    pub fn then_cut(self) -> Self {
        self.change(|draft| draft.plan.end = End::Cut)
    }

    /// Sends nothing more after the last piece and leaves the connection open.
    #[must_use]
    pub fn then_hang(self) -> Self {
        self.change(|draft| draft.plan.end = End::Hang)
    }

    fn change(mut self, change: impl FnOnce(&mut Draft)) -> Self {
        if let Content::Plan(draft) = &mut self.content {
            change(draft);
        }
        self
    }

    fn fits(&self, route: Route, account: &str) -> bool {
        self.route == route && self.account.as_deref().is_none_or(|name| name == account)
    }

    fn into_scripted(self) -> Scripted {
        match self.content {
            Content::Plan(draft) => Scripted::Plan(Box::new(draft.into_plan())),
            Content::Text(text) => Scripted::Text(text),
            Content::Silent => Scripted::Silent,
            Content::Close => Scripted::Close,
        }
    }
}

impl Draft {
    fn whole(&self) -> Bytes {
        self.pieces.concat().into()
    }

    fn into_plan(self) -> Plan {
        let mut at = Duration::ZERO;
        let due: Vec<_> = (0..self.pieces.len())
            .map(|piece| {
                at += self.delays.get(piece).copied().unwrap_or_default();
                at
            })
            .collect();
        let schedule = if at.is_zero() { Schedule::Each } else { Schedule::Listed(due.into()) };
        Plan { count: self.pieces.len(), lines: self.pieces.into(), schedule, ..self.plan }
    }
}

impl Scripts {
    pub(crate) fn add(&self, script: Script) {
        self.queue.lock().push_back(script);
    }

    /// The first script that fits, taken out of the queue.
    pub(crate) fn take(&self, route: Route, account: &str) -> Option<Scripted> {
        let mut queue = self.queue.lock();
        let at = queue.iter().position(|script| script.fits(route, account))?;
        queue.remove(at).map(Script::into_scripted)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().len()
    }

    pub(crate) fn forget(&self) {
        self.queue.lock().clear();
    }
}
