//! `/api/requests` and `/api/stats/…`: what was asked, and the figures that plots are drawn of.

mod cursor;
mod export;
mod object;
mod overview;
mod query;
mod range;
mod requests;
mod series;

pub(crate) use object::KeyNames;
pub(crate) use overview::OverviewApi;
pub(crate) use query::text;
pub(crate) use requests::RequestsApi;
pub(crate) use series::SeriesApi;
