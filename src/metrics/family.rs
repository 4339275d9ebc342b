//! Every metric family: the only place with metric names. docs/metrics.md is held to it by a test.

/// A metric family.
#[derive(Debug)]
pub struct Family {
    /// The name of its samples, but for a histogram's suffixes.
    pub name: &'static str,
    /// What `# TYPE` says.
    pub kind: Kind,
    /// What `# HELP` says; without line breaks and backslashes.
    pub help: &'static str,
    /// The names of its labels, in the order they are written.
    pub labels: &'static [&'static str],
}

/// A metric type of the text format 0.0.4, which has no `stateset` and no `info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only rises, and begins anew with the process.
    Counter,
    /// Counts by upper bound.
    Histogram,
}

impl Kind {
    /// The word after `# TYPE` and the name.
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
    ($($(#[doc = $help:literal])+ $id:ident = $kind:ident $name:literal $labels:expr;)+) => {
        $(pub(crate) const $id: Family = Family {
            name: $name,
            kind: Kind::$kind,
            help: families!(@help $($help)+),
            labels: &$labels,
        };)+

        /// Every family of the page, in the order of the page; `process_*` follows them.
        pub const ALL: &[Family] = &[$($id),+];
    };
    (@help $help:literal) => { $help.trim_ascii_start() };
}

families! {
    /// The status Atlas reports for the peering, to the letter; exactly one series per peering. As of the last poll, not of the scrape.
    STATUS = Gauge "mongodbatlas_network_peering_status" ["provider", "vpcId", "group_id", "peering_id", "status"];
    /// 1 if the peering's status is AVAILABLE, else 0.
    AVAILABLE = Gauge "mongodbatlas_network_peering_available" ["provider", "vpcId", "group_id", "peering_id"];
    /// When the peering was made, from its id; missing if the id is no ObjectId.
    CREATED = Gauge "mongodbatlas_network_peering_created_timestamp_seconds" ["provider", "vpcId", "group_id", "peering_id"];
    /// What identifies the peering to people: AWS's connection id, the user's network, and the container with the network on Atlas's side.
    INFO = Gauge "mongodbatlas_network_peering_info" ["provider", "vpcId", "group_id", "peering_id", "container_id", "connection_id", "cloud_account", "resource_group", "accepter_region", "cidr_block", "atlas_region", "atlas_cidr_block"];
    /// 1 while Atlas reports an error for the peering; free text counts as OTHER and is in the log.
    ERROR_INFO = Gauge "mongodbatlas_network_peering_error_info" ["provider", "vpcId", "group_id", "peering_id", "reason"];
    /// How many peerings have the status; 0 for every documented status of the provider without one.
    PEERINGS = Gauge "mongodbatlas_network_peerings" ["group_id", "provider", "status"];
    /// Names the group (an Atlas project) as the config does, else as Atlas does; and its organization, where groups are discovered.
    GROUP_INFO = Gauge "mongodbatlas_group_info" ["group_id", "group_name", "org_id", "account"];
    /// How many groups are watched with the account; 0 before its groups are known.
    ACCOUNT_GROUPS = Gauge "mongodbatlas_account_groups" ["account"];
    /// 1 if Atlas listed the account's groups completely when it was last asked, and these are watched, else 0; 0 before the first time.
    DISCOVERY_SUCCESS = Gauge "mongodbatlas_discovery_success" ["account"];
    /// When Atlas last listed the account's groups completely; 0 before the first time.
    DISCOVERY_LAST_SUCCESS = Gauge "mongodbatlas_discovery_last_success_timestamp_seconds" ["account"];
    /// How often Atlas is asked for the account's groups.
    DISCOVERY_INTERVAL = Gauge "mongodbatlas_discovery_interval_seconds" ["account"];
    /// How often Atlas was asked for the account's groups.
    DISCOVERIES = Counter "mongodbatlas_discoveries_total" ["account"];
    /// Discoveries that failed; a reason appears with its first failure.
    DISCOVERY_FAILURES = Counter "mongodbatlas_discovery_failures_total" ["account", "reason"];
    /// 1 while the last discovery failed, with why; no series while it did not.
    DISCOVERY_FAILURE = Gauge "mongodbatlas_discovery_failure_info" ["account", "reason"];
    /// 1 if the last poll of the group and provider brought every page and is not too old, else 0; 0 before the first.
    POLL_SUCCESS = Gauge "mongodbatlas_peering_poll_success" ["group_id", "provider"];
    /// When a poll last succeeded; 0 before the first.
    POLL_LAST_SUCCESS = Gauge "mongodbatlas_peering_poll_last_success_timestamp_seconds" ["group_id", "provider"];
    /// How long the last poll took, repetitions included.
    POLL_DURATION = Gauge "mongodbatlas_peering_poll_duration_seconds" ["group_id", "provider"];
    /// 1 while peerings of an earlier poll are served because a later one failed.
    POLL_STALE = Gauge "mongodbatlas_peering_poll_stale" ["group_id", "provider"];
    /// Peerings that Atlas sent more than once in the listing that is served; each is counted once.
    POLL_DUPLICATES = Gauge "mongodbatlas_peering_poll_duplicates" ["group_id", "provider"];
    /// Polls that ended, well or not.
    POLLS = Counter "mongodbatlas_peering_polls_total" ["group_id", "provider"];
    /// Polls that failed; a reason appears with its first failure.
    POLL_FAILURES = Counter "mongodbatlas_peering_poll_failures_total" ["group_id", "provider", "reason"];
    /// 1 while the last poll of the group and provider failed, with why; no series while it did not.
    POLL_FAILURE = Gauge "mongodbatlas_peering_poll_failure_info" ["group_id", "provider", "reason"];
    /// How often each group and provider is polled.
    POLL_INTERVAL = Gauge "mongodbatlas_peering_poll_interval_seconds" [];
    /// Peerings of a group and provider older than this are dropped from the page.
    MAX_STALENESS = Gauge "mongodbatlas_peering_max_staleness_seconds" [];
    /// HTTP requests that left for Atlas, digest challenges included; code is the HTTP status, or a reason where none came.
    API_REQUESTS = Counter "mongodbatlas_api_requests_total" ["account", "endpoint", "code"];
    /// Time from sending a request to Atlas to the headers of its answer.
    API_DURATION = Histogram "mongodbatlas_api_request_duration_seconds" ["account", "endpoint"];
    /// Requests left in a token bucket when Atlas last told; that of peers and containers is the group's, others have no group.
    RATE_LIMIT_REMAINING = Gauge "mongodbatlas_api_ratelimit_remaining" ["account", "endpoint", "group_id"];
    /// Size of that token bucket when Atlas last told.
    RATE_LIMIT = Gauge "mongodbatlas_api_ratelimit_limit" ["account", "endpoint", "group_id"];
    /// From when on Atlas calls the API version in use deprecated; missing while it does not.
    API_DEPRECATION = Gauge "mongodbatlas_api_deprecation_timestamp_seconds" ["account", "endpoint", "version"];
    /// When the API version in use stops answering; missing while Atlas announces no end.
    API_SUNSET = Gauge "mongodbatlas_api_sunset_timestamp_seconds" ["account", "endpoint", "version"];
    /// 1 while Atlas refuses the account's credential, else 0.
    CREDENTIAL_REFUSED = Gauge "mongodbatlas_api_credential_refused" ["account"];
    /// 1 while the files of the account's credential cannot be read, so that what they held before stays in use, else 0.
    CREDENTIAL_UNREADABLE = Gauge "mongodbatlas_api_credential_unreadable" ["account"];
    /// When the account's credential ends, as the config says; missing where it does not.
    CREDENTIAL_EXPIRY = Gauge "mongodbatlas_api_credential_expiry_timestamp_seconds" ["account"];
    /// When the service account's access token ends; it is renewed before. 0 while there is none that Atlas accepts.
    TOKEN_EXPIRY = Gauge "mongodbatlas_api_token_expiry_timestamp_seconds" ["account"];
    /// Access tokens that were minted.
    TOKEN_MINTS = Counter "mongodbatlas_api_token_mints_total" ["account"];
    /// Access tokens that could not be minted.
    TOKEN_MINT_FAILURES = Counter "mongodbatlas_api_token_mint_failures_total" ["account"];
    /// The version of this exporter.
    BUILD_INFO = Gauge "mongodbatlas_peering_exporter_build_info" ["version"];
    /// Which of several exporters this is, from 0; they watch different groups.
    SHARD_INDEX = Gauge "mongodbatlas_peering_exporter_shard_index" [];
    /// How many exporters there are, which watch different groups.
    SHARD_COUNT = Gauge "mongodbatlas_peering_exporter_shards" [];
    /// 1 if the config was read without faults when it was last read.
    CONFIG_SUCCESS = Gauge "mongodbatlas_peering_exporter_config_last_reload_successful" [];
    /// When the config was last read without faults.
    CONFIG_SUCCESS_TIME = Gauge "mongodbatlas_peering_exporter_config_last_reload_success_timestamp_seconds" [];
}
