//! Where a stack or a change set is in the console of its partition.

use crate::model::{ChangeSetId, StackId};

/// Returns the address of a stack's events, where its partition has a console.
pub(super) fn stack(id: &StackId) -> Option<String> {
    let page = format!("stacks/events?stackId={}", encoded(id.as_str()));
    console(id.as_str(), &page)
}

/// Returns the address of a change set, where its partition has a console.
pub(super) fn change_set(stack: &StackId, id: &ChangeSetId) -> Option<String> {
    let page = format!(
        "stacks/changesets/changes?stackId={}&changeSetId={}",
        encoded(stack.as_str()),
        encoded(id.as_str())
    );
    console(id.as_str(), &page)
}

fn console(arn: &str, page: &str) -> Option<String> {
    let mut parts = arn.split(':').skip(1);
    let (partition, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let is_plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if service != "cloudformation" || !is_plain(region) {
        return None;
    }
    // What the isolated partitions call theirs is not public.
    let host = match partition {
        "aws" => format!("{region}.console.aws.amazon.com"),
        "aws-cn" => format!("{region}.console.amazonaws.cn"),
        "aws-us-gov" => "console.amazonaws-us-gov.com".to_owned(),
        _ => return None,
    };
    Some(format!(
        "https://{host}/cloudformation/home?region={region}#/{page}"
    ))
}

/// Returns `text` with everything encoded that could mean something in an address.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(partition: &str, region: &str) -> (StackId, ChangeSetId) {
        let of = |rest: &str| {
            format!("arn:{partition}:cloudformation:{region}:111111111111:{rest}/app/1")
        };
        (
            StackId::new(of("stack")).unwrap(),
            ChangeSetId::new(of("changeSet")).unwrap(),
        )
    }

    #[test]
    fn each_partition_has_its_console() {
        for (partition, region, begin) in [
            (
                "aws",
                "eu-west-1",
                "https://eu-west-1.console.aws.amazon.com/cloudformation/home?region=eu-west-1#/",
            ),
            (
                "aws-cn",
                "cn-north-1",
                "https://cn-north-1.console.amazonaws.cn/cloudformation/home?region=cn-north-1#/",
            ),
            (
                "aws-us-gov",
                "us-gov-west-1",
                "https://console.amazonaws-us-gov.com/cloudformation/home?region=us-gov-west-1#/",
            ),
        ] {
            let (stack, change_set) = ids(partition, region);
            let of_stack = format!(
                "arn%3A{partition}%3Acloudformation%3A{region}%3A111111111111%3Astack%2Fapp%2F1"
            );
            assert_eq!(
                super::stack(&stack),
                Some(format!("{begin}stacks/events?stackId={of_stack}"))
            );
            let of_change_set = of_stack.replace("stack%2F", "changeSet%2F");
            assert_eq!(
                super::change_set(&stack, &change_set),
                Some(format!(
                    "{begin}stacks/changesets/changes?stackId={of_stack}&changeSetId={of_change_set}"
                ))
            );
        }
        assert_eq!(super::stack(&ids("aws-iso", "us-iso-east-1").0), None);
    }
}
