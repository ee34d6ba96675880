//! The least that a program has to do to deploy stacks by change sets, as a yardstick for `make bench`.
//!
//! It creates a change set, polls it every 50 ms, executes it and polls the stack every 50 ms, in all targets at
//! once. There is no review, no journal, no event, and any failure ends it. Accounts other than the caller's own are
//! reached by a role, as they would be on AWS.
//!
//!     raw_client TEMPLATE STACK OWN_ACCOUNT ACCOUNT,… REGION,…

#![expect(clippy::disallowed_methods, reason = "a yardstick polls in real time")]

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_cloudformation::types::ChangeSetType;

const POLL: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [template, stack, own, accounts, regions] = arguments.as_slice() else {
        bail!("usage: raw_client TEMPLATE STACK OWN_ACCOUNT ACCOUNT,… REGION,…");
    };
    let template = std::fs::read_to_string(template).context("no template")?;
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;

    let mut credentials = BTreeMap::new();
    for account in accounts.split(',') {
        if account != own {
            credentials.insert(account, assume(&config, account).await?);
        }
    }
    let mut running = tokio::task::JoinSet::new();
    for account in accounts.split(',') {
        for region in regions.split(',') {
            let mut builder = aws_sdk_cloudformation::config::Builder::from(&config)
                .region(Region::new(region.to_owned()));
            if let Some(credentials) = credentials.get(account) {
                builder = builder.credentials_provider(credentials.clone());
            }
            let client = Client::from_conf(builder.build());
            running.spawn(deploy(client, stack.clone(), template.clone()));
        }
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}

async fn assume(config: &SdkConfig, account: &str) -> Result<SharedCredentialsProvider> {
    let reply = aws_sdk_sts::Client::new(config)
        .assume_role()
        .role_arn(format!(
            "arn:aws:iam::{account}:role/AWSCloudFormationStackSetExecutionRole"
        ))
        .role_session_name("raw-client")
        .send()
        .await?;
    let given = reply.credentials.context("no credentials")?;
    Ok(SharedCredentialsProvider::new(Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        None,
        "raw-client",
    )))
}

async fn deploy(client: Client, stack: String, template: String) -> Result<()> {
    let is_there = client
        .describe_stacks()
        .stack_name(&stack)
        .send()
        .await
        .is_ok();
    let created = client
        .create_change_set()
        .stack_name(&stack)
        .change_set_name(format!("raw-{}", uuid::Uuid::now_v7().simple()))
        .change_set_type(if is_there {
            ChangeSetType::Update
        } else {
            ChangeSetType::Create
        })
        .template_body(template)
        .send()
        .await?;
    let id = created.id.context("no change set")?;
    loop {
        let read = client
            .describe_change_set()
            .change_set_name(&id)
            .send()
            .await?;
        match read.status.as_ref().map_or("", |status| status.as_str()) {
            "CREATE_COMPLETE" => break,
            // There is nothing to change, or something is wrong; a yardstick needs not tell them apart.
            "FAILED" => return Ok(()),
            _ => tokio::time::sleep(POLL).await,
        }
    }
    client
        .execute_change_set()
        .change_set_name(&id)
        .send()
        .await?;
    loop {
        let reply = client.describe_stacks().stack_name(&stack).send().await?;
        let stack = reply.stacks().first().context("no stack")?;
        match stack
            .stack_status
            .as_ref()
            .map_or("", |status| status.as_str())
        {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => return Ok(()),
            status if status.ends_with("_IN_PROGRESS") => tokio::time::sleep(POLL).await,
            status => bail!("the stack ended as {status}"),
        }
    }
}
