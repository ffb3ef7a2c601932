//! Table `account`: one row per account of the pool.

mod due;
mod edit;
mod insert;
mod list;
mod load;
mod model;
mod record;
mod search;
mod standing;
mod summary;

pub use due::{expired_and_untested, mark_quota_asked, mark_tested, of_status_tested_before, with_budgets_to_read};
pub use edit::{all_tags, delete_many, ids_by_fingerprints, set_note, set_tags};
pub use insert::{Failures, Inserted, NewAccount, insert, insert_many};
pub use list::{Filter, Page, count, delete, find, find_by_fingerprints, known_fingerprints, list};
pub use load::{Loaded, load_page};
pub use model::{ActiveModel, Column, Entity, Kind, Model, PrimaryKey, Relation, Status, decode_tags, encode_tags};
pub use record::{StateChange, record_states};
pub use search::{After, Found, Search, Sort, search, search_count, search_ids, set_disabled};
pub use standing::{Standing, Standings, Tally, tally};
pub use summary::{Start, Summary, summaries};
