//! How is a chat call answered?

use std::io;

use http::Response;

use crate::accounts::Running;
use crate::answer::{Kind, attachment_error};
use crate::body::SimBody;
use crate::creates::name_of;
use crate::dispatch::{Call, send};
use crate::faults::Spoil;
use crate::identity::owns_upload;
use crate::plan::Plan;
use crate::refusal::{Refusal, bad_request};
use crate::turn::ChatBody;

/// Answers a chat call: what it asks for, if the account may still ask, spoilt by the account's faults.
pub(crate) async fn answer(
    call: &Call,
    spoils: &[Spoil],
    running: &mut Option<Running>,
) -> io::Result<Response<SimBody>> {
    let turn = match ChatBody::parse(&call.body) {
        Ok(turn) => turn,
        Err(message) => return Ok(bad_request(message)),
    };
    for spoil in spoils {
        if let Some(plan) = spoil.instead(&turn).await? {
            return Ok(send(plan, running).await);
        }
    }
    if !turn.file_attachments.iter().all(|upload| owns_upload(&call.account.name, upload)) {
        return Ok(send(Plan::answer(&attachment_error(&turn), call.state.options.pace), running).await);
    }
    let kind = Kind::of(&turn, call.state.options.shape);
    let plan = match kind.plan(&turn, call) {
        Ok(plan) => plan,
        Err(unknown) => return Ok(bad_request(&unknown.to_string())),
    };
    if call.state.options.budgets {
        let now = call.state.clock.now();
        if !call.account.budgets.lock().take(&turn.model_name, kind.cost(&turn), now) {
            return Ok(Refusal::TooMany.response(None));
        }
    }
    if let Some(running) = running {
        running.accept(name_of(&turn, kind.makes_media() || turn.wants_video()));
    }
    let plan = spoils.iter().fold(plan, |plan, spoil| spoil.change(plan));
    Ok(send(plan, running).await)
}
