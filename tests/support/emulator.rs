//! The emulators, and which tests use which.

/// Which emulator a test runs on.
///
/// None is AWS. A test chooses the one that is faithful in what it checks:
///
/// * change sets, their review, overrides, roles, several accounts and regions → LocalStack;
/// * anything that fails, rolls back, waits, imports or is read while it is in progress → ministack;
/// * calls that IAM denies → moto, which alone knows users, roles and their policies, and looks at signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emulator {
    /// Describes change sets with property values before and after, and masks secrets. Never rolls back, knows no
    /// slow resource, forgets tags-only changes, and leaves a stale change set executable.
    LocalStack,
    /// Rolls back, waits on conditions, enforces termination protection and puts request tokens into events. Describes
    /// change sets without property values, and secrets in plain text.
    Ministack,
    /// Enforces the identity policies of users and roles, by action and, for roles to be assumed, by resource. Says
    /// neither resource nor kind of policy when it denies, trusts everybody of another account, and reports a stack
    /// that fails to the caller of the execution. See [`Organization`](super::organization::Organization).
    Moto,
}

impl Emulator {
    /// Returns the emulator's endpoint.
    pub fn endpoint(self) -> String {
        let variable = match self {
            Emulator::LocalStack => "STACKGATE_TEST_LOCALSTACK",
            Emulator::Ministack => "STACKGATE_TEST_MINISTACK",
            Emulator::Moto => "STACKGATE_TEST_MOTO",
        };
        std::env::var(variable).unwrap_or_else(|_| {
            panic!("{variable} is not set: this test needs an emulator; run `make test`")
        })
    }
}
