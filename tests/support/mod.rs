//! What the tests of the binary share: a hermetic place to run it in, emulators, a proxy that disturbs, and a
//! client to look at what really happened.
//!
//! Emulators come from `make test`, which starts them and names them in the environment. Tests run side by side on
//! the same ones, so each [`TestEnv`] has accounts of its own.

pub mod bucket;
pub mod cloud;
pub mod emulator;
pub mod environment;
pub mod fake;
pub mod http;
pub mod organization;
pub mod output;
pub mod process;
pub mod proxy;
pub mod rollout;
pub mod schema;
#[path = "scripted.rs"]
pub mod scripted;
pub mod simulated;
pub mod vt;
pub mod xml;

pub use cloud::Cloud;
pub use emulator::Emulator;
pub use environment::TestEnv;
pub use organization::Organization;

/// A template whose stack is under way until its condition is signalled, or for two minutes.
pub const WAITING: &str = r#"
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    Properties: {Handle: !Ref Handle, Timeout: "120"}
"#;
