//! Which kind of answer fits a prompt, what does it cost, and how is it sent?

use std::hash::Hash;
use std::time::Duration;

use bytes::Bytes;

use super::fixture::{self, UnknownFixture};
use super::language::mentions;
use super::rendered::Rendered;
use super::{bench, image, search, text, thinking, video};
use crate::directive::{BenchOrder, Directive, FixtureOrder};
use crate::dispatch::Call;
use crate::media_order::MediaOrder;
use crate::pace::{Pace, Schedule};
use crate::plan::{End, Plan};
use crate::turn::ChatBody;

/// Units that a drawing turn uses.
const DRAWING_COST: u32 = 4;

/// Kinds of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    Fixture(FixtureOrder<'a>),
    Bench(BenchOrder),
    Say(&'a str),
    Video,
    Pictures,
    Search,
    Thinking,
    Text,
}

impl<'a> Kind<'a> {
    /// The kind for a prompt. `shape`: what every answer is to look like, unless the prompt itself orders something.
    pub(crate) fn of(turn: &'a ChatBody, shape: Option<bench::AnswerShape>) -> Self {
        let prompt = turn.prompt();
        match (Directive::find(prompt), shape) {
            (Some(Directive::Fixture(order)), _) => return Self::Fixture(order),
            (Some(Directive::Bench(order)), _) => return Self::Bench(order),
            (Some(Directive::Say(text)), _) => return Self::Say(text),
            (None, Some(shape)) => return Self::Bench(BenchOrder { shape, gap: None, wait: false }),
            (None, None) => {}
        }
        if turn.wants_video() {
            Self::Video
        } else if turn.pictures() > 0 && wants_picture(prompt) {
            Self::Pictures
        } else if turn.may_search() && mentions(prompt, &["search", "news", "搜索", "新闻", "搜一下"]) {
            Self::Search
        } else if turn.is_heavy() || turn.thinks() && wants_thinking(prompt) {
            Self::Thinking
        } else {
            Self::Text
        }
    }

    /// Units that it uses.
    pub(crate) fn cost(&self, turn: &ChatBody) -> u32 {
        match self {
            Self::Pictures => DRAWING_COST,
            Self::Fixture(_)
            | Self::Bench(_)
            | Self::Say(_)
            | Self::Video
            | Self::Search
            | Self::Thinking
            | Self::Text => turn.text_cost(),
        }
    }

    /// Whether pictures or a video come of it, as far as the prompt tells.
    pub(crate) fn makes_media(&self) -> bool {
        matches!(self, Self::Video | Self::Pictures)
    }

    /// Pictures or a video, as the prompt orders them.
    fn media(&self, turn: &ChatBody, call: &Call) -> Plan {
        let order = MediaOrder::of(turn.prompt());
        let render = if *self == Self::Video { video::answer } else { image::answer };
        let rendered = render(turn, &call.account.name, call.number, &order);
        let mut plan = Plan::answer(&rendered, order.gap.map_or(call.state.options.pace, Pace::Every));
        plan.head_delay = order.head_delay;
        if order.stall {
            plan.end = End::Hang;
        }
        plan
    }

    /// What is sent, in its time.
    ///
    /// # Errors
    /// The recording that the prompt asks for does not exist.
    pub(crate) fn plan(&self, turn: &ChatBody, call: &Call) -> Result<Plan, UnknownFixture> {
        let pace = call.state.options.pace;
        Ok(match self {
            Self::Fixture(order) => recording(order, pace)?,
            Self::Bench(order) => {
                let rendered = cached(turn, call, order.shape, || bench::render(turn, order.shape));
                ordered(&rendered, *order, pace)
            }
            Self::Say(said) => Plan::answer(&text::say(turn, said), pace),
            Self::Video | Self::Pictures => self.media(turn, call),
            Self::Search => Plan::answer(&cached(turn, call, "search", || search::answer(turn)), pace),
            Self::Thinking => Plan::answer(&cached(turn, call, "thinking", || thinking::answer(turn)), pace),
            Self::Text => Plan::answer(&cached(turn, call, "text", || text::answer(turn)), pace),
        })
    }
}

/// An answer that depends on nothing but the question.
fn cached(turn: &ChatBody, call: &Call, kind: impl Hash, render: impl FnOnce() -> Rendered) -> Rendered {
    let options = (turn.pictures(), turn.temporary, &turn.file_attachments);
    call.state.answers.get_or_render(&(kind, &turn.message, &turn.model_name, &turn.model_mode, options), render)
}

fn wants_picture(prompt: &str) -> bool {
    let lower = prompt.to_lowercase();
    mentions(prompt, &["draw", "paint", "sketch", "画", "绘制", "生成图片", "修改图片"])
        || ["generate an image", "create an image", "edit the image", "edit this image"]
            .iter()
            .any(|wish| lower.contains(wish))
}

fn wants_thinking(prompt: &str) -> bool {
    mentions(prompt, &["think", "why", "reason", "prove", "思考", "想想", "想一想", "为什么", "为何"])
}

/// A recording, cut as ordered.
fn recording(order: &FixtureOrder<'_>, pace: Pace) -> Result<Plan, UnknownFixture> {
    let bytes = fixture::fixture(order.name)?;
    let whole = Bytes::from_static(bytes);
    let mut pieces = match order.pieces {
        Some(size) => fixture::pieces(&whole, size),
        None if order.splits.is_empty() => fixture::lines(bytes),
        None => fixture::splits(&whole, &order.splits),
    };
    if let Some(kept) = order.cut.or(order.end) {
        fixture::truncate(&mut pieces, kept);
    }
    let all = 0..pieces.len();
    let mut plan = Plan::pieces(pieces);
    plan.schedule = Schedule::new(order.gap.map_or(pace, Pace::Every), &all, 1);
    if order.cut.is_some() {
        plan.end = End::Cut;
    }
    Ok(plan)
}

/// An answer of an exact shape, at its own pace, perhaps without an end.
fn ordered(rendered: &Rendered, order: BenchOrder, pace: Pace) -> Plan {
    let pace = order.gap.filter(|gap| *gap > Duration::ZERO).map_or(pace, Pace::Every);
    let plan = Plan::answer(rendered, pace);
    if order.wait { plan.after(rendered.paced().end, End::Hang) } else { plan }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(prompt: &str, mode: &str) -> String {
        let turn = ChatBody { message: prompt.to_owned(), model_mode: mode.to_owned(), ..ChatBody::default() };
        format!("{:?}", Kind::of(&turn, None))
    }

    #[test]
    fn the_prompt_decides() {
        for (prompt, expected) in [
            ("Hello", "Text"),
            ("Draw a lighthouse", "Pictures"),
            ("画一座灯塔", "Pictures"),
            ("Search the news", "Search"),
            ("最新新闻", "Search"),
            ("why is the sky blue?", "Text"),
        ] {
            assert_eq!(kind(prompt, "MODEL_MODE_FAST"), expected, "{prompt}");
        }
        assert_eq!(kind("why is the sky blue?", "MODEL_MODE_EXPERT"), "Thinking");
        assert_eq!(kind("为什么天是蓝的", "MODEL_MODE_GROK_4_MINI_THINKING"), "Thinking");
        assert_eq!(kind("Hello", "MODEL_MODE_HEAVY"), "Thinking");
        assert!(kind("fixture:03 pieces=7", "MODEL_MODE_FAST").starts_with("Fixture"));
    }
}
