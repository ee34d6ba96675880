//! Ways out for stacks that are stuck. Each is sent once, with a token that its events carry.

use super::call::Call;
use super::connection::Aws;
use crate::model::{CallFailure, Recovery, StackId, TargetSpec};

/// What is asked for with an operation that gets a stack out of where it is stuck.
#[derive(Debug, Clone, Copy)]
pub struct RecoverStack<'a> {
    /// The operation.
    pub recovery: Recovery,
    /// The `ClientRequestToken`.
    pub token: &'a str,
    /// Resources that the rollback passes over; only for [`Recovery::ContinueRollback`].
    pub skip: &'a [String],
    /// The role that CloudFormation acts with; without it, the one it acted with last.
    pub role_arn: Option<&'a str>,
}

impl Aws {
    /// Asks for the operation. `Ambiguous`: it may run; the stack's events with the token tell.
    pub async fn recover_stack(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        asked: RecoverStack<'_>,
    ) -> Result<(), CallFailure> {
        let RecoverStack {
            recovery,
            token,
            skip,
            role_arn,
        } = asked;
        let role = role_arn.map(str::to_owned);
        match recovery {
            Recovery::CancelUpdate => self
                .call(Call::asked("CancelUpdateStack"), spec, |client| {
                    client
                        .cancel_update_stack()
                        .stack_name(stack.as_str())
                        .client_request_token(token)
                        .send()
                })
                .await
                .map(drop),
            Recovery::ContinueRollback => self
                .call(Call::asked("ContinueUpdateRollback"), spec, |client| {
                    client
                        .continue_update_rollback()
                        .stack_name(stack.as_str())
                        .client_request_token(token)
                        .set_resources_to_skip((!skip.is_empty()).then(|| skip.to_vec()))
                        .set_role_arn(role.clone())
                        .send()
                })
                .await
                .map(drop),
            Recovery::RollbackStack => self
                .call(Call::asked("RollbackStack"), spec, |client| {
                    client
                        .rollback_stack()
                        .stack_name(stack.as_str())
                        .client_request_token(token)
                        .set_role_arn(role.clone())
                        .send()
                })
                .await
                .map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{STACK, aws, spec, stack_id};
    use super::super::scripted::{Reply, Scripted};
    use super::*;
    use crate::model::FailureKind;

    const OPERATIONS: [(Recovery, &str); 3] = [
        (Recovery::CancelUpdate, "CancelUpdateStack"),
        (Recovery::ContinueRollback, "ContinueUpdateRollback"),
        (Recovery::RollbackStack, "RollbackStack"),
    ];

    #[tokio::test(start_paused = true)]
    async fn every_operation_carries_its_token_and_what_it_takes() {
        let skip = ["Queue".to_owned(), "Child.Topic".to_owned()];
        for (recovery, operation) in OPERATIONS {
            let script = Scripted::new();
            script.ok(operation, "");
            let asked = RecoverStack {
                recovery,
                token: "t-1",
                skip: &skip,
                role_arn: Some("arn:role"),
            };
            let aws = aws(&script).await;
            aws.recover_stack(&spec(), &stack_id(), asked)
                .await
                .unwrap();
            let sent = script.requests_of(operation);
            assert_eq!(sent[0].field("StackName"), STACK);
            assert_eq!(sent[0].field("ClientRequestToken"), "t-1");
            let continues = recovery == Recovery::ContinueRollback;
            let skipped = sent[0].field("ResourcesToSkip.member.2");
            assert_eq!(skipped == "Child.Topic", continues, "{operation}");
            let role = sent[0].field("RoleARN");
            assert_eq!(role == "arn:role", recovery != Recovery::CancelUpdate);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_whose_reply_is_lost_is_sent_once() {
        for (recovery, operation) in OPERATIONS {
            let script = Scripted::new();
            script.on(operation, Reply::Lost);
            let asked = RecoverStack {
                recovery,
                token: "t-1",
                skip: &[],
                role_arn: None,
            };
            let aws = aws(&script).await;
            let sent = aws.recover_stack(&spec(), &stack_id(), asked).await;
            assert_eq!(sent.unwrap_err().kind, FailureKind::Ambiguous);
            assert_eq!(script.requests().len(), 1, "{operation}");
        }
    }
}
