//! `/api/jobs`, `/api/generations` and `/api/workers`: all durable work, for the operator.

mod generations;
mod jobs;
mod object;
mod page;
mod workers;

pub(crate) use generations::GenerationsApi;
pub(crate) use jobs::OwnJobsApi;
pub(crate) use workers::WorkersApi;
