//! Which roles a process plays: the wiring of the rooms, and the commands.

pub mod accounts;
pub mod backup;
pub mod balancer;
mod cli;
pub mod demo;
pub mod entry;
mod first_admin;
pub mod house;
pub mod mirror;
pub mod serve;
pub mod store;
pub mod telemetry;
mod work;
