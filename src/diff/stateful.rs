//! Which resources hold data that is gone with them.

/// Sorted, for the binary search. Types that only point at data, or whose deletion the service refuses while
/// data is in them, are here as well: a person should have looked.
const STATEFUL: &[&str] = &[
    "AWS::ACMPCA::CertificateAuthority",
    "AWS::APS::Workspace",
    "AWS::AmazonMQ::Broker",
    "AWS::Backup::BackupVault",
    "AWS::Backup::LogicallyAirGappedBackupVault",
    "AWS::Cassandra::Keyspace",
    "AWS::Cassandra::Table",
    // What is in a nested stack is not seen from outside.
    "AWS::CloudFormation::Stack",
    "AWS::CloudTrail::EventDataStore",
    "AWS::CodeArtifact::Repository",
    "AWS::CodeCommit::Repository",
    "AWS::Cognito::IdentityPool",
    "AWS::Cognito::UserPool",
    "AWS::Connect::Instance",
    "AWS::CustomerProfiles::Domain",
    "AWS::DSQL::Cluster",
    "AWS::DocDB::DBCluster",
    "AWS::DocDB::DBInstance",
    "AWS::DocDBElastic::Cluster",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::ECR::PublicRepository",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::EMR::Cluster",
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::ServerlessCache",
    "AWS::Elasticsearch::Domain",
    "AWS::Events::Archive",
    "AWS::FSx::FileSystem",
    "AWS::FSx::StorageVirtualMachine",
    "AWS::FSx::Volume",
    "AWS::Glue::Database",
    "AWS::Glue::Registry",
    "AWS::Glue::Table",
    "AWS::HealthImaging::Datastore",
    "AWS::HealthLake::FHIRDatastore",
    "AWS::IoTAnalytics::Datastore",
    "AWS::KMS::Key",
    "AWS::KMS::ReplicaKey",
    "AWS::Kendra::Index",
    "AWS::Kinesis::Stream",
    "AWS::KinesisVideo::Stream",
    "AWS::Lightsail::Bucket",
    "AWS::Lightsail::Database",
    "AWS::Lightsail::Disk",
    "AWS::Location::Tracker",
    "AWS::Logs::LogGroup",
    "AWS::MSK::Cluster",
    "AWS::MSK::ServerlessCluster",
    "AWS::MemoryDB::Cluster",
    "AWS::Neptune::DBCluster",
    "AWS::Neptune::DBInstance",
    "AWS::NeptuneGraph::Graph",
    "AWS::OpenSearchServerless::Collection",
    "AWS::OpenSearchService::Domain",
    "AWS::Organizations::Account",
    "AWS::Organizations::Organization",
    "AWS::Pinpoint::App",
    "AWS::QLDB::Ledger",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::RDS::GlobalCluster",
    "AWS::Redshift::Cluster",
    "AWS::RedshiftServerless::Namespace",
    "AWS::Route53::HostedZone",
    "AWS::S3::Bucket",
    "AWS::S3Express::DirectoryBucket",
    "AWS::S3Outposts::Bucket",
    "AWS::S3Tables::Namespace",
    "AWS::S3Tables::Table",
    "AWS::S3Tables::TableBucket",
    "AWS::S3Vectors::Index",
    "AWS::S3Vectors::VectorBucket",
    "AWS::SDB::Domain",
    "AWS::SQS::Queue",
    "AWS::SageMaker::Domain",
    "AWS::SageMaker::FeatureGroup",
    "AWS::SageMaker::NotebookInstance",
    "AWS::SecretsManager::Secret",
    "AWS::Serverless::SimpleTable",
    "AWS::Timestream::Database",
    "AWS::Timestream::InfluxDBInstance",
    "AWS::Timestream::Table",
    "AWS::Transfer::Server",
    "AWS::WorkSpaces::Workspace",
];

/// Returns whether resources of the type hold data that is gone with them.
pub fn is_stateful(resource_type: &str) -> bool {
    STATEFUL.binary_search(&resource_type).is_ok()
}

/// Returns whether a snapshot is taken when such a resource is deleted and no policy is written.
pub(super) fn has_snapshot_by_default(resource_type: &str) -> bool {
    // A database instance of a cluster has none; the template does not always show which it is, so
    // only clusters count.
    resource_type == "AWS::RDS::DBCluster"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(STATEFUL.is_sorted());
    }

    #[test]
    fn data_stores_are_stateful_and_what_points_at_them_is_not() {
        for stateful in [
            "AWS::DynamoDB::Table",
            "AWS::RDS::DBInstance",
            "AWS::S3::Bucket",
            "AWS::EFS::FileSystem",
            "AWS::KMS::Key",
            "AWS::SecretsManager::Secret",
            "AWS::SQS::Queue",
            "AWS::Cognito::UserPool",
            "AWS::Logs::LogGroup",
            "AWS::ECR::Repository",
            "AWS::OpenSearchService::Domain",
            "AWS::Redshift::Cluster",
            "AWS::Neptune::DBCluster",
            "AWS::DocDB::DBCluster",
            "AWS::ElastiCache::ReplicationGroup",
            "AWS::FSx::FileSystem",
            "AWS::Backup::BackupVault",
            "AWS::Kinesis::Stream",
            "AWS::EC2::Volume",
        ] {
            assert!(is_stateful(stateful), "{stateful}");
        }
        for stateless in [
            "AWS::SNS::Topic",
            "AWS::KMS::Alias",
            "AWS::IAM::Role",
            "AWS::S3::BucketPolicy",
            "",
        ] {
            assert!(!is_stateful(stateless), "{stateless}");
        }
    }
}
