//! A scripted world: stacks, change sets and their events with start and end times, and what goes wrong with calls.
//!
//! It knows durations, outcomes and faults, not templates, and is no emulator for others to use: what a template means
//! is tested on real emulators. Nothing here waits or draws lots as it goes: time is an argument, and every
//! chance follows from the seed, the target and what is asked, so one seed gives one run in whatever order calls come.
//!
//! ```text
//! scenario (declared) ─► cloud (what AWS would answer, and when)
//!                          ├─► under the pure engine, in virtual time
//!                          └─► behind the SDK's HTTP client, in the real wire formats
//! ```

mod chance;
mod cloud;
mod job;
mod limit;
mod rehearsal;
mod scenario;
mod stack;
mod wire;

pub use chance::Chance;
pub use cloud::{Admission, Cloud, Counts, Refusal, Wanted};
pub use rehearsal::{Rehearsal, Rest};
pub use scenario::{Access, Ends, Length, Pattern, Percent, Rule, Scenario, ScenarioError};
pub use stack::{Change, ChangeSet, Stack, Version};
pub use wire::{Answer, Asked, answer};
