//! Everything that is tested through the binary and against emulators, in one program: each one costs seconds of
//! linking.

#[path = "../support/mod.rs"]
mod support;

mod bad_days;
mod crash;
mod delete;
mod doctor;
mod faults;
mod first_deploy;
mod harness;
mod large_template;
mod localstack;
mod ministack;
mod nested;
mod network;
mod options;
mod portable;
mod screens;
mod settings;
mod terminal;
mod validate;
