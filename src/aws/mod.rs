//! Sessions per target, clients and conversions: the only user of `aws_sdk_*`.
