//! What kind of trouble a database is in, read from its errors.

use sea_orm::{DbErr, RuntimeErr};

/// Trouble that passes, or that its operator can end. Everything else is a fault of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It does not answer, is busy with others, or refuses connections.
    Away,
    /// There is no room left to write.
    Full,
}

/// Codes by which a server says that it cannot serve now: `SQLite` (busy, locked), `PostgreSQL` (class 08 and 57, too many
/// connections, conflicts, time-outs), `MariaDB` and `MySQL` (too many connections, going down, conflicts, time-outs).
const AWAY: [&str; 21] = [
    "5",
    "6",
    "261",
    "262",
    "517",
    "53300",
    "55P03",
    "40001",
    "40P01",
    "25P03",
    "25P04",
    "57P01",
    "57P02",
    "57P03",
    "57P05",
    "57014",
    "08S01",
    "70100",
    "mysql:1040",
    "mysql:1205",
    "08004",
];
/// Codes by which it says that the disk is full.
const FULL: [&str; 4] = ["13", "53100", "mysql:1021", "mysql:1114"];

/// The trouble that an error tells of, or one of its causes; `None` when it tells of none.
pub fn of(error: &(dyn std::error::Error + 'static)) -> Option<Trouble> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<DbErr>() {
            return of_database(error);
        }
        cause = error.source();
    }
    None
}

/// The trouble that a database's error tells of.
pub fn of_database(error: &DbErr) -> Option<Trouble> {
    use sea_orm::sqlx::Error as E;

    let (DbErr::Conn(runtime) | DbErr::Exec(runtime) | DbErr::Query(runtime)) = error else {
        return matches!(error, DbErr::ConnectionAcquire(_)).then_some(Trouble::Away);
    };
    let RuntimeErr::SqlxError(cause) = runtime else {
        return matches!(error, DbErr::Conn(_)).then_some(Trouble::Away);
    };
    match &**cause {
        E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
            Some(Trouble::Away)
        }
        E::Database(answer) => {
            let code = answer.code()?;
            let numbered = answer
                .try_downcast_ref::<sea_orm::sqlx::mysql::MySqlDatabaseError>()
                .map(|error| format!("mysql:{}", error.number()));
            let said = |codes: &[&str]| codes.iter().any(|known| *known == code || Some(*known) == numbered.as_deref());
            if said(&FULL) { Some(Trouble::Full) } else { said(&AWAY).then_some(Trouble::Away) }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f35_a_database_that_cannot_be_had_is_away_and_a_fault_of_ours_is_not() {
        let late = DbErr::Conn(RuntimeErr::Internal("late".to_owned()));
        assert_eq!(of(&late), Some(Trouble::Away));
        assert_eq!(of(&DbErr::Custom("wrong".to_owned())), None);
        assert_eq!(of(&std::io::Error::other("another's")), None);
    }
}
