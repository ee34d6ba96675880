//! Everything that is tested through the binary and against emulators, in one program: each one costs seconds of
//! linking.

#[path = "../support/mod.rs"]
mod support;

mod bad_days;
mod clean;
mod crash;
mod delete;
mod detect;
mod diff;
mod doctor;
mod drift;
mod exports;
mod faults;
mod first_deploy;
mod fleet;
mod gates;
mod giving_up;
mod harness;
mod import;
mod large_template;
mod localstack;
mod ministack;
mod moto;
mod nested;
mod network;
mod options;
mod oracle;
mod organization;
mod packaging;
mod parameters;
mod portable;
mod recover;
mod rehearse;
mod retry;
mod risks;
mod rollback;
mod rollout;
mod screens;
mod settings;
mod sso;
mod terminal;
mod throttled;
mod validate;
mod validate_others;
mod waves;
