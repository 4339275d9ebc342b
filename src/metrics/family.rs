//! Every metric family: the only file with metric names. A test compares docs/metrics.md with it.

/// A metric family. A sample has exactly the labels that its family declares, because `L` is an array of known length;
/// [`ALL`] has families of every length.
#[derive(Debug)]
pub struct Family<L: ?Sized = [&'static str]> {
    /// The name of its samples, without the suffixes of a histogram.
    pub name: &'static str,
    /// The type in the `# TYPE` line.
    pub metric_type: MetricType,
    /// The text of the `# HELP` line, without line breaks and backslashes.
    pub help: &'static str,
    /// The names of its labels, in the order in which they are written.
    pub labels: L,
}

/// A metric type of the text format 0.0.4, which has no `stateset` and no `info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// A value that goes up and down.
    Gauge,
    /// A value that only rises, and starts from 0 with the process.
    Counter,
    /// Counts by upper bound.
    Histogram,
}

impl MetricType {
    /// The word in the `# TYPE` line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

macro_rules! families {
    ($(#[doc = $help:literal] $id:ident = $metric_type:ident $name:literal [$($label:literal),*];)+) => {
        $(pub(super) const $id: Family<[&'static str; <[&str]>::len(&[$($label),*])]> = Family {
            name: $name,
            metric_type: MetricType::$metric_type,
            help: $help.trim_ascii_start(),
            labels: [$($label),*],
        };)+

        /// Every family, in the order of the exposition; `process_*` follows them.
        pub const ALL: &[&Family] = &[$(&$id),+];
    };
}

families! {
    /// The peering's status exactly as Atlas reports it; one series per peering, always 1. As of the last poll, not of the scrape.
    STATUS = Gauge "mongodbatlas_network_peering_status" ["provider", "vpcId", "group_id", "peering_id", "status"];
    /// 1 if the peering's status is AVAILABLE, else 0.
    AVAILABLE = Gauge "mongodbatlas_network_peering_available" ["provider", "vpcId", "group_id", "peering_id"];
    /// Creation time, decoded from the peering's ID; absent if the ID is not an ObjectId.
    CREATED = Gauge "mongodbatlas_network_peering_created_timestamp_seconds" ["provider", "vpcId", "group_id", "peering_id"];
    /// Identifiers of the peering: the AWS connection ID, the network on your side, and the container with the network on the Atlas side. Always 1.
    INFO = Gauge "mongodbatlas_network_peering_info" ["provider", "vpcId", "group_id", "peering_id", "container_id", "connection_id", "cloud_account", "resource_group", "accepter_region", "cidr_block", "atlas_region", "atlas_cidr_block"];
    /// 1 while Atlas reports an error for the peering, labeled with the reason; any other text has the reason OTHER and is logged.
    ERROR_INFO = Gauge "mongodbatlas_network_peering_error_info" ["provider", "vpcId", "group_id", "peering_id", "reason"];
    /// Number of peerings by status; 0 for each documented status of the provider that no peering has, and only for AVAILABLE if there are no peerings.
    PEERINGS = Gauge "mongodbatlas_network_peerings" ["group_id", "provider", "status"];
    /// Name of the project (group in the API) from the config, otherwise from Atlas; its organization where projects are discovered. Always 1.
    GROUP_INFO = Gauge "mongodbatlas_group_info" ["group_id", "group_name", "org_id", "account"];
    /// Number of projects polled with the account; 0 until its projects are known.
    ACCOUNT_GROUPS = Gauge "mongodbatlas_account_groups" ["account"];
    /// 1 if the last discovery listed all of the account's projects and the exporter polls them; 0 otherwise and before the first.
    DISCOVERY_SUCCESS = Gauge "mongodbatlas_discovery_success" ["account"];
    /// Time of the last successful discovery; 0 before the first.
    DISCOVERY_LAST_SUCCESS = Gauge "mongodbatlas_discovery_last_success_timestamp_seconds" ["account"];
    /// Configured interval between discoveries of the account's projects.
    DISCOVERY_INTERVAL = Gauge "mongodbatlas_discovery_interval_seconds" ["account"];
    /// Completed discoveries of the account's projects, successful or not.
    DISCOVERIES = Counter "mongodbatlas_discoveries_total" ["account"];
    /// Failed discoveries by reason.
    DISCOVERY_FAILURES = Counter "mongodbatlas_discovery_failures_total" ["account", "reason"];
    /// 1 if the last discovery failed, labeled with the reason; absent otherwise.
    DISCOVERY_FAILURE = Gauge "mongodbatlas_discovery_failure_info" ["account", "reason"];
    /// 1 if the last poll of the project and provider read every page and is not older than poll.max_staleness; 0 otherwise and before the first.
    POLL_SUCCESS = Gauge "mongodbatlas_peering_poll_success" ["account", "group_id", "provider"];
    /// Time of the last successful poll; 0 before the first.
    POLL_LAST_SUCCESS = Gauge "mongodbatlas_peering_poll_last_success_timestamp_seconds" ["account", "group_id", "provider"];
    /// Peerings that Atlas sent more than once in the exported listing, each of which is counted once; absent if there are none.
    POLL_DUPLICATES = Gauge "mongodbatlas_peering_poll_duplicates" ["account", "group_id", "provider"];
    /// Completed polls, successful or not.
    POLLS = Counter "mongodbatlas_peering_polls_total" ["account", "group_id", "provider"];
    /// Failed polls, whatever the reason.
    POLL_FAILURES = Counter "mongodbatlas_peering_poll_failures_total" ["account", "group_id", "provider"];
    /// 1 if the last poll failed, labeled with the reason; absent otherwise.
    POLL_FAILURE = Gauge "mongodbatlas_peering_poll_failure_info" ["account", "group_id", "provider", "reason"];
    /// Failed polls of the account by reason.
    ACCOUNT_POLL_FAILURES = Counter "mongodbatlas_account_poll_failures_total" ["account", "reason"];
    /// Polls that are due and wait for a concurrency permit.
    POLLS_QUEUED = Gauge "mongodbatlas_peering_polls_queued" ["account"];
    /// Polls that hold a concurrency permit; at most poll.concurrency.
    POLLS_RUNNING = Gauge "mongodbatlas_peering_polls_running" ["account"];
    /// Time from when a poll was due until it started.
    POLL_LATENESS = Histogram "mongodbatlas_peering_poll_lateness_seconds" ["account"];
    /// Duration of polls, including retries.
    POLL_DURATION = Histogram "mongodbatlas_peering_poll_duration_seconds" ["account"];
    /// Configured limit of concurrent polls of the account.
    POLL_CONCURRENCY = Gauge "mongodbatlas_peering_poll_concurrency" ["account"];
    /// Configured interval between polls of each project and provider.
    POLL_INTERVAL = Gauge "mongodbatlas_peering_poll_interval_seconds" ["account"];
    /// Configured maximum age of a listing; older peerings are no longer exported.
    MAX_STALENESS = Gauge "mongodbatlas_peering_max_staleness_seconds" [];
    /// HTTP requests sent to Atlas, including retries and digest challenges; code is the HTTP status, or the reason if there was no response.
    API_REQUESTS = Counter "mongodbatlas_api_requests_total" ["account", "endpoint", "code"];
    /// Time from sending a request to Atlas until its response headers arrive.
    API_DURATION = Histogram "mongodbatlas_api_request_duration_seconds" ["account", "endpoint"];
    /// Requests left in the token bucket of a rate limit, as Atlas last reported; containers share the bucket of peers, and group_id is empty if the bucket does not belong to a project.
    RATE_LIMIT_REMAINING = Gauge "mongodbatlas_api_ratelimit_remaining" ["account", "endpoint", "group_id"];
    /// Capacity of each token bucket, as Atlas last reported.
    RATE_LIMIT = Gauge "mongodbatlas_api_ratelimit_limit" ["account", "endpoint"];
    /// Time from which the API version in use is deprecated; absent unless Atlas announces it.
    API_DEPRECATION = Gauge "mongodbatlas_api_deprecation_timestamp_seconds" ["account", "endpoint", "version"];
    /// Time at which the API version in use stops working; absent unless Atlas announces it.
    API_SUNSET = Gauge "mongodbatlas_api_sunset_timestamp_seconds" ["account", "endpoint", "version"];
    /// 1 while Atlas rejects the account's credential, else 0.
    CREDENTIAL_REFUSED = Gauge "mongodbatlas_api_credential_refused" ["account"];
    /// 1 while a file of the account's credential cannot be read and its previous contents stay in use, else 0.
    CREDENTIAL_UNREADABLE = Gauge "mongodbatlas_api_credential_unreadable" ["account"];
    /// Expiry of the account's credential, from the config; absent if it is not set there.
    CREDENTIAL_EXPIRY = Gauge "mongodbatlas_api_credential_expiry_timestamp_seconds" ["account"];
    /// Expiry of the service account's access token, which is renewed earlier; 0 while there is no token that Atlas accepts.
    TOKEN_EXPIRY = Gauge "mongodbatlas_api_token_expiry_timestamp_seconds" ["account"];
    /// Access tokens minted.
    TOKEN_MINTS = Counter "mongodbatlas_api_token_mints_total" ["account"];
    /// Failed attempts to mint an access token.
    TOKEN_MINT_FAILURES = Counter "mongodbatlas_api_token_mint_failures_total" ["account"];
    /// Version of the exporter. Always 1.
    BUILD_INFO = Gauge "mongodbatlas_peering_exporter_build_info" ["version"];
    /// Index of this exporter among its shards, from 0; each shard polls different projects.
    SHARD_INDEX = Gauge "mongodbatlas_peering_exporter_shard_index" [];
    /// Number of shards, which poll different projects.
    SHARD_COUNT = Gauge "mongodbatlas_peering_exporter_shards" [];
    /// 1 if the config had no errors when it was last read, else 0.
    CONFIG_SUCCESS = Gauge "mongodbatlas_peering_exporter_config_last_reload_successful" [];
    /// Time when the config was last read without errors.
    CONFIG_SUCCESS_TIME = Gauge "mongodbatlas_peering_exporter_config_last_reload_success_timestamp_seconds" [];
}
