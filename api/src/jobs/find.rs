//! Which work an id stands for, and what is on record about it.

use grok2api_entity::job;
use uuid::Uuid;

use super::object::{Job, Work};
use crate::error::ApiError;
use crate::state::AppState;

/// The work of this owner that an id stands for. That of others is as good as none (K7).
///
/// # Errors
/// 404, or the database does not answer.
pub(super) async fn find(state: &AppState, owner: &str, id: &str) -> Result<Work, ApiError> {
    if let Some(row) = state.jobs.generation(owner, id).await? {
        return Ok(Work::Request(row));
    }
    let missing = || ApiError::not_found("job", id);
    // Ids have one spelling: that in which they were given out.
    let uuid = Uuid::parse_str(id).ok().filter(|uuid| uuid.to_string() == id).ok_or_else(missing)?;
    let job = state.jobs.find(uuid).await?.filter(|job| job.owner == owner).ok_or_else(missing)?;
    if let Some(generation) = job.generation_id {
        // The jobs of a deleted request go with it.
        let kept = state.jobs.follow(generation).look().await?.is_some_and(|row| row.deleted_at.is_none());
        if !kept {
            return Err(missing());
        }
    }
    Ok(Work::Single(job))
}

/// All that is on record about it.
///
/// # Errors
/// The database does not answer.
pub(super) async fn whole(state: &AppState, work: &Work, base: &str) -> Result<Job, ApiError> {
    let (jobs, request) = match work {
        Work::Request(row) => (state.jobs.of_generation(row.id).await?, Some(row.id)),
        Work::Single(job) => (vec![job.clone()], job.generation_id),
    };
    let ids: Vec<Uuid> = jobs.iter().map(|job: &job::Model| job.id).collect();
    let attempts = state.jobs.attempts_of(&ids).await?;
    let results = match request {
        Some(id) => state.media.results_of(id).await?,
        None => Vec::new(),
    };
    Ok(work.whole(&jobs, &attempts, &results, base))
}
