//! Deploys CloudFormation templates through reviewed change sets.
//!
//! How to use the program is in `README.md`, how to build and extend it in `CONTRIBUTING.md`. This is the map of the code.
//!
//! # The engine
//!
//! `deploy` and `plan` build one pipeline in memory, with the words and the shapes of AWS CodePipeline, and run it:
//!
//! ```text
//! Source ──► CreateChangeSet ──► Approval ──► ExecuteChangeSet
//! files      all targets         once         target by target, in the rollout's order
//! ```
//!
//! One loop runs it, the same for a new execution and for one that is taken up again:
//!
//! ```text
//!  signals · inbox · replies · time
//!         │ Input
//!         ▼
//!  pipeline::Machine ──► Turn { events, steps }    decides: pure, told the time
//!                              │       │
//!                 1. journal ◄─┘       └─► 2. action ──► aws, artifact
//!                              │
//!                              └─► 3. report         draws what is on disk
//! ```
//!
//! # The rooms
//!
//! Four tiers; a room imports only from its own tier and those below, along the arrows in `CONTRIBUTING.md`.
//!
//! **Faces** show and ask.
//!
//! * [`cli`] has one file per command and puts the rooms together.
//! * [`report`] folds events into a view and draws it: the review, live progress, plain lines, JSON, the account at the end.
//!
//! **Engine** acts.
//!
//! * [`runtime`] is the one loop: it waits, appends to the journal, starts steps and tells the face.
//! * [`action`] performs the steps, in one file per provider.
//! * [`simulator`] is a scripted world, in virtual time, that the engine can run in.
//!
//! **Ports** reach the outside.
//!
//! * [`aws`] makes calls: a session per target, a budget per account and region, replies as values of ours.
//! * [`journal`] keeps the events, the lease and the inbox of executions in SQLite.
//! * [`artifact`] keeps the files an execution uses, by their content.
//!
//! **Pure** rooms decide.
//!
//! * [`pipeline`] defines pipelines, and holds the state machine with the one table of events.
//! * [`approval`] says which answer counts.
//! * [`rollout`] says which target starts when.
//! * [`plan`] puts the change sets of all targets together: digest, groups, staleness.
//! * [`diff`] says what changes, and by the risk rules what may go wrong.
//! * [`parameters`] turns override files into effective values that know where they came from.
//! * [`template`] turns text into a tree with positions.
//! * [`model`] holds the values that everyone speaks.
//!
//! # Invariants
//!
//! Some hold by what is absent, which no single file shows:
//!
//! * **The pure rooms have no async, clock, randomness or input and output.** The time and ids are arguments. What they need from
//!   outside they return as a [`pipeline::Step`].
//! * **Nothing happens that is not on disk.** The events of a turn are appended in one transaction before its steps start, and a
//!   screen is drawn from them afterwards. A step makes at most one changing call.
//! * **Recovery is not another path.** A stored event and a new one go through the same table; an event that does not fit is an
//!   error, not a guess.
//! * **Nothing is sent twice.** Names and tokens are derived from the execution and the target, so that a run that is taken up finds
//!   what an earlier process made. What cannot be found out is asked.
//! * **One process owns an execution**, by a lease with a fencing number. Every other one, the prompt included, posts to its inbox.
//! * **An approval is for a digest**, and each target is compared with it again just before it is executed.
//! * **Only [`aws`] knows the SDK**, only [`cli`] prints and chooses exit codes, and nothing imports [`cli`].
//! * **No secret and no raw text gets out.** Values are masked by the template before they become events; text from outside passes
//!   [`model::clean`] before it is shown.
//!
//! `tests/architecture.rs` holds the arrows, and `.clippy.toml` what is banned and why.

// Lints for the library alone; those for tests and benchmarks too are in `Cargo.toml`. Output goes through the writers of
// `cli`, which know where data and progress belong. Tests may stop at the first surprise.
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::unwrap_used), deny(unsafe_code))]

pub mod action;
pub mod approval;
pub mod artifact;
pub mod aws;
pub mod cli;
pub mod diff;
pub mod journal;
pub mod model;
pub mod parameters;
pub mod pipeline;
pub mod plan;
pub mod report;
pub mod rollout;
pub mod runtime;
pub mod simulator;
pub mod template;
