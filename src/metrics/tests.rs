use std::{collections::BTreeMap, time::Duration};

use insta::assert_snapshot;

use super::*;
use crate::state::{
    AccountState, CredentialChange, DiscoveryState, Failure, GroupState, ListingKey, PollResult, TokenState,
};
use atlas::{
    self, Container, Endpoint, GroupId, Listing, Outcome, Peering, Provider, RateLimit, Reason, RequestRecord,
    VersionEnds,
};

fn group() -> GroupId {
    "5e57d85c854180642f784401".parse().unwrap()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// One group with an AWS and a GCP listing, not polled yet.
fn state() -> State {
    let discovery = Some(DiscoveryState::new(Duration::from_secs(600)));
    let account = AccountState {
        api_version: "v1.0",
        console: None,
        expires: Some(at(1_800_000_000)),
        refused: false,
        unreadable: false,
        token: Some(TokenState::default()),
        looked_after: None,
        discovery,
    };
    let accounts = BTreeMap::from([("main".to_owned(), account)]);
    let listings = [Provider::Aws, Provider::Gcp].map(|provider| ListingKey { group: group(), provider });
    let groups = BTreeMap::from([(group(), GroupState::listed("main", "pay\"ments"))]);
    State::new(Duration::from_secs(60), Duration::from_secs(900), at(1_700_000_000), accounts, groups, listings)
}

fn poll(state: &mut State, provider: Provider, ended: Instant, outcome: Result<Listing, Failure>) {
    let poll =
        PollResult { ended, due: ended, ended_at: at(1_700_000_060), duration: Duration::from_millis(150), outcome };
    state.record(&ListingKey { group: group(), provider }, poll);
}

fn failed_peering() -> Peering {
    Peering {
        id: "5f3a556351db42631e16f33a".into(),
        vpc_id: "vpc-7b64b41e".into(),
        status: "FAILED".into(),
        error: Some("REJECTED: vpc peering connection request was rejected".into()),
        container_id: "5e57d85c854180642f7844bf".into(),
        cloud_account: "123456789012".into(),
        cidr_block: "172.31.0.0/16".into(),
        ..Peering::default()
    }
}

/// A state that has something of everything.
fn full(now: Instant) -> State {
    let mut state = state();
    poll(&mut state, Provider::Aws, now, Ok(Listing { peerings: vec![failed_peering()], duplicates: 1 }));
    poll(&mut state, Provider::Gcp, now, Err(failure(Reason::Timeout)));
    let container = Container {
        id: failed_peering().container_id,
        region: "EU_WEST_1".into(),
        cidr_block: "192.168.248.0/21".into(),
    };
    state.record_containers(&group(), vec![container]);
    let found = vec![atlas::Group { id: group(), name: "x".into(), org_id: "5f0".into(), tags: BTreeMap::new() }];
    state.record_discovery("main", Ok(found), &Provider::ALL, at(1_700_000_030));
    state.record_discovery("main", Err(failure(Reason::Server)), &Provider::ALL, at(1_700_000_040));
    let ends = VersionEnds { deprecation: Some(at(1_722_816_000)), sunset: Some(at(1_814_400_000)) };
    state.record_exchange("main", exchange(Endpoint::Peers, Some(group()), Some(ends)));
    state.record_exchange("main", exchange(Endpoint::Groups, None, None));
    let account = state.accounts.get_mut("main").unwrap();
    account.record_credential(CredentialChange::Minted { ends: at(1_700_003_600) });
    account.record_credential(CredentialChange::MintFailed { reason: Reason::Unauthorized });
    state
}

fn failure(reason: Reason) -> Failure {
    Failure { reason, message: String::new(), advice: reason.advice(), is_account_wide: false }
}

fn exchange(endpoint: Endpoint, group: Option<GroupId>, ends: Option<VersionEnds>) -> RequestRecord {
    RequestRecord {
        endpoint,
        group,
        outcome: Outcome::Status(200),
        duration: Duration::from_millis(150),
        rate_limit: Some(RateLimit { limit: 2000, remaining: 1998 }),
        retry_after: None,
        version_ends: ends,
    }
}

#[test]
fn the_page_before_the_first_poll() {
    let text = render(&state(), Instant::now()).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_snapshot!(samples.join("\n"), @r#"
    mongodbatlas_group_info{group_id="5e57d85c854180642f784401",group_name="pay\"ments",org_id="",account="main"} 1
    mongodbatlas_account_groups{account="main"} 1
    mongodbatlas_discovery_success{account="main"} 0
    mongodbatlas_discovery_last_success_timestamp_seconds{account="main"} 0
    mongodbatlas_discovery_interval_seconds{account="main"} 600
    mongodbatlas_discoveries_total{account="main"} 0
    mongodbatlas_peering_poll_success{group_id="5e57d85c854180642f784401",provider="AWS"} 0
    mongodbatlas_peering_poll_success{group_id="5e57d85c854180642f784401",provider="GCP"} 0
    mongodbatlas_peering_poll_last_success_timestamp_seconds{group_id="5e57d85c854180642f784401",provider="AWS"} 0
    mongodbatlas_peering_poll_last_success_timestamp_seconds{group_id="5e57d85c854180642f784401",provider="GCP"} 0
    mongodbatlas_peering_poll_stale{group_id="5e57d85c854180642f784401",provider="AWS"} 0
    mongodbatlas_peering_poll_stale{group_id="5e57d85c854180642f784401",provider="GCP"} 0
    mongodbatlas_peering_polls_total{group_id="5e57d85c854180642f784401",provider="AWS"} 0
    mongodbatlas_peering_polls_total{group_id="5e57d85c854180642f784401",provider="GCP"} 0
    mongodbatlas_peering_poll_interval_seconds 60
    mongodbatlas_peering_max_staleness_seconds 900
    mongodbatlas_api_credential_refused{account="main"} 0
    mongodbatlas_api_credential_unreadable{account="main"} 0
    mongodbatlas_api_credential_expiry_timestamp_seconds{account="main"} 1800000000
    mongodbatlas_api_token_expiry_timestamp_seconds{account="main"} 0
    mongodbatlas_api_token_mints_total{account="main"} 0
    mongodbatlas_api_token_mint_failures_total{account="main"} 0
    mongodbatlas_peering_exporter_build_info{version="VERSION"} 1
    mongodbatlas_peering_exporter_shard_index 0
    mongodbatlas_peering_exporter_shards 1
    mongodbatlas_peering_exporter_config_last_reload_successful 1
    mongodbatlas_peering_exporter_config_last_reload_success_timestamp_seconds 1700000000
    "#);
}

#[test]
#[allow(clippy::too_many_lines, reason = "it is one page")]
fn the_page_with_something_of_everything() {
    let now = Instant::now();
    assert_snapshot!(render(&full(now), now).replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r#"
    # HELP mongodbatlas_network_peering_status The status Atlas reports for the peering, to the letter; exactly one series per peering. As of the last poll, not of the scrape.
    # TYPE mongodbatlas_network_peering_status gauge
    mongodbatlas_network_peering_status{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a",status="FAILED"} 1
    # HELP mongodbatlas_network_peering_available 1 if the peering's status is AVAILABLE, else 0.
    # TYPE mongodbatlas_network_peering_available gauge
    mongodbatlas_network_peering_available{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a"} 0
    # HELP mongodbatlas_network_peering_created_timestamp_seconds When the peering was made, from its id; missing if the id is no ObjectId.
    # TYPE mongodbatlas_network_peering_created_timestamp_seconds gauge
    mongodbatlas_network_peering_created_timestamp_seconds{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a"} 1597658467
    # HELP mongodbatlas_network_peering_info What identifies the peering to people: AWS's connection id, the user's network, and the container with the network on Atlas's side.
    # TYPE mongodbatlas_network_peering_info gauge
    mongodbatlas_network_peering_info{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a",container_id="5e57d85c854180642f7844bf",connection_id="",cloud_account="123456789012",resource_group="",accepter_region="",cidr_block="172.31.0.0/16",atlas_region="EU_WEST_1",atlas_cidr_block="192.168.248.0/21"} 1
    # HELP mongodbatlas_network_peering_error_info 1 while Atlas reports an error for the peering; free text counts as OTHER and is in the log.
    # TYPE mongodbatlas_network_peering_error_info gauge
    mongodbatlas_network_peering_error_info{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a",reason="REJECTED"} 1
    # HELP mongodbatlas_network_peerings How many peerings have the status; 0 for every documented status of the provider without one.
    # TYPE mongodbatlas_network_peerings gauge
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="AVAILABLE"} 0
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="FAILED"} 1
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="FINALIZING"} 0
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="INITIATING"} 0
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="PENDING_ACCEPTANCE"} 0
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="TERMINATING"} 0
    # HELP mongodbatlas_group_info Names the group (an Atlas project) as the config does, else as Atlas does; and its organization, where groups are discovered.
    # TYPE mongodbatlas_group_info gauge
    mongodbatlas_group_info{group_id="5e57d85c854180642f784401",group_name="pay\"ments",org_id="5f0",account="main"} 1
    # HELP mongodbatlas_account_groups How many groups are watched with the account; 0 before its groups are known.
    # TYPE mongodbatlas_account_groups gauge
    mongodbatlas_account_groups{account="main"} 1
    # HELP mongodbatlas_discovery_success 1 if Atlas listed the account's groups completely when it was last asked, and these are watched, else 0; 0 before the first time.
    # TYPE mongodbatlas_discovery_success gauge
    mongodbatlas_discovery_success{account="main"} 0
    # HELP mongodbatlas_discovery_last_success_timestamp_seconds When Atlas last listed the account's groups completely; 0 before the first time.
    # TYPE mongodbatlas_discovery_last_success_timestamp_seconds gauge
    mongodbatlas_discovery_last_success_timestamp_seconds{account="main"} 1700000030
    # HELP mongodbatlas_discovery_interval_seconds How often Atlas is asked for the account's groups.
    # TYPE mongodbatlas_discovery_interval_seconds gauge
    mongodbatlas_discovery_interval_seconds{account="main"} 600
    # HELP mongodbatlas_discoveries_total How often Atlas was asked for the account's groups.
    # TYPE mongodbatlas_discoveries_total counter
    mongodbatlas_discoveries_total{account="main"} 2
    # HELP mongodbatlas_discovery_failures_total Discoveries that failed; a reason appears with its first failure.
    # TYPE mongodbatlas_discovery_failures_total counter
    mongodbatlas_discovery_failures_total{account="main",reason="server"} 1
    # HELP mongodbatlas_discovery_failure_info 1 while the last discovery failed, with why; no series while it did not.
    # TYPE mongodbatlas_discovery_failure_info gauge
    mongodbatlas_discovery_failure_info{account="main",reason="server"} 1
    # HELP mongodbatlas_peering_poll_success 1 if the last poll of the group and provider brought every page and is not too old, else 0; 0 before the first.
    # TYPE mongodbatlas_peering_poll_success gauge
    mongodbatlas_peering_poll_success{group_id="5e57d85c854180642f784401",provider="AWS"} 1
    mongodbatlas_peering_poll_success{group_id="5e57d85c854180642f784401",provider="GCP"} 0
    # HELP mongodbatlas_peering_poll_last_success_timestamp_seconds When a poll last succeeded; 0 before the first.
    # TYPE mongodbatlas_peering_poll_last_success_timestamp_seconds gauge
    mongodbatlas_peering_poll_last_success_timestamp_seconds{group_id="5e57d85c854180642f784401",provider="AWS"} 1700000060
    mongodbatlas_peering_poll_last_success_timestamp_seconds{group_id="5e57d85c854180642f784401",provider="GCP"} 0
    # HELP mongodbatlas_peering_poll_duration_seconds How long the last poll took, repetitions included.
    # TYPE mongodbatlas_peering_poll_duration_seconds gauge
    mongodbatlas_peering_poll_duration_seconds{group_id="5e57d85c854180642f784401",provider="AWS"} 0.15
    mongodbatlas_peering_poll_duration_seconds{group_id="5e57d85c854180642f784401",provider="GCP"} 0.15
    # HELP mongodbatlas_peering_poll_stale 1 while peerings of an earlier poll are served because a later one failed.
    # TYPE mongodbatlas_peering_poll_stale gauge
    mongodbatlas_peering_poll_stale{group_id="5e57d85c854180642f784401",provider="AWS"} 0
    mongodbatlas_peering_poll_stale{group_id="5e57d85c854180642f784401",provider="GCP"} 0
    # HELP mongodbatlas_peering_poll_duplicates Peerings that Atlas sent more than once in the listing that is served; each is counted once.
    # TYPE mongodbatlas_peering_poll_duplicates gauge
    mongodbatlas_peering_poll_duplicates{group_id="5e57d85c854180642f784401",provider="AWS"} 1
    # HELP mongodbatlas_peering_polls_total Polls that ended, well or not.
    # TYPE mongodbatlas_peering_polls_total counter
    mongodbatlas_peering_polls_total{group_id="5e57d85c854180642f784401",provider="AWS"} 1
    mongodbatlas_peering_polls_total{group_id="5e57d85c854180642f784401",provider="GCP"} 1
    # HELP mongodbatlas_peering_poll_failures_total Polls that failed; a reason appears with its first failure.
    # TYPE mongodbatlas_peering_poll_failures_total counter
    mongodbatlas_peering_poll_failures_total{group_id="5e57d85c854180642f784401",provider="GCP",reason="timeout"} 1
    # HELP mongodbatlas_peering_poll_failure_info 1 while the last poll of the group and provider failed, with why; no series while it did not.
    # TYPE mongodbatlas_peering_poll_failure_info gauge
    mongodbatlas_peering_poll_failure_info{group_id="5e57d85c854180642f784401",provider="GCP",reason="timeout"} 1
    # HELP mongodbatlas_peering_poll_interval_seconds How often each group and provider is polled.
    # TYPE mongodbatlas_peering_poll_interval_seconds gauge
    mongodbatlas_peering_poll_interval_seconds 60
    # HELP mongodbatlas_peering_max_staleness_seconds Peerings of a group and provider older than this are dropped from the page.
    # TYPE mongodbatlas_peering_max_staleness_seconds gauge
    mongodbatlas_peering_max_staleness_seconds 900
    # HELP mongodbatlas_api_requests_total HTTP requests that left for Atlas, digest challenges included; code is the HTTP status, or a reason where none came.
    # TYPE mongodbatlas_api_requests_total counter
    mongodbatlas_api_requests_total{account="main",endpoint="groups",code="200"} 1
    mongodbatlas_api_requests_total{account="main",endpoint="peers",code="200"} 1
    # HELP mongodbatlas_api_request_duration_seconds Time from sending a request to Atlas to the headers of its answer.
    # TYPE mongodbatlas_api_request_duration_seconds histogram
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="groups",le="0.05"} 0
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="groups",le="0.1"} 0
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="groups",le="0.25"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="groups",le="0.5"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="groups",le="1"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="groups",le="2.5"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="groups",le="5"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="groups",le="10"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="groups",le="30"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="groups",le="+Inf"} 1
    mongodbatlas_api_request_duration_seconds_sum{account="main",endpoint="groups"} 0.15
    mongodbatlas_api_request_duration_seconds_count{account="main",endpoint="groups"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="peers",le="0.05"} 0
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="peers",le="0.1"} 0
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="peers",le="0.25"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="peers",le="0.5"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="peers",le="1"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="peers",le="2.5"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="peers",le="5"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="peers",le="10"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="peers",le="30"} 1
    mongodbatlas_api_request_duration_seconds_bucket{account="main",endpoint="peers",le="+Inf"} 1
    mongodbatlas_api_request_duration_seconds_sum{account="main",endpoint="peers"} 0.15
    mongodbatlas_api_request_duration_seconds_count{account="main",endpoint="peers"} 1
    # HELP mongodbatlas_api_ratelimit_remaining Requests left in a token bucket when Atlas last told; that of peers and containers is the group's, others have no group.
    # TYPE mongodbatlas_api_ratelimit_remaining gauge
    mongodbatlas_api_ratelimit_remaining{account="main",endpoint="groups",group_id=""} 1998
    mongodbatlas_api_ratelimit_remaining{account="main",endpoint="peers",group_id="5e57d85c854180642f784401"} 1998
    # HELP mongodbatlas_api_ratelimit_limit Size of that token bucket when Atlas last told.
    # TYPE mongodbatlas_api_ratelimit_limit gauge
    mongodbatlas_api_ratelimit_limit{account="main",endpoint="groups",group_id=""} 2000
    mongodbatlas_api_ratelimit_limit{account="main",endpoint="peers",group_id="5e57d85c854180642f784401"} 2000
    # HELP mongodbatlas_api_deprecation_timestamp_seconds From when on Atlas calls the API version in use deprecated; missing while it does not.
    # TYPE mongodbatlas_api_deprecation_timestamp_seconds gauge
    mongodbatlas_api_deprecation_timestamp_seconds{account="main",endpoint="peers",version="v1.0"} 1722816000
    # HELP mongodbatlas_api_sunset_timestamp_seconds When the API version in use stops answering; missing while Atlas announces no end.
    # TYPE mongodbatlas_api_sunset_timestamp_seconds gauge
    mongodbatlas_api_sunset_timestamp_seconds{account="main",endpoint="peers",version="v1.0"} 1814400000
    # HELP mongodbatlas_api_credential_refused 1 while Atlas refuses the account's credential, else 0.
    # TYPE mongodbatlas_api_credential_refused gauge
    mongodbatlas_api_credential_refused{account="main"} 1
    # HELP mongodbatlas_api_credential_unreadable 1 while the files of the account's credential cannot be read, so that what they held before stays in use, else 0.
    # TYPE mongodbatlas_api_credential_unreadable gauge
    mongodbatlas_api_credential_unreadable{account="main"} 0
    # HELP mongodbatlas_api_credential_expiry_timestamp_seconds When the account's credential ends, as the config says; missing where it does not.
    # TYPE mongodbatlas_api_credential_expiry_timestamp_seconds gauge
    mongodbatlas_api_credential_expiry_timestamp_seconds{account="main"} 1800000000
    # HELP mongodbatlas_api_token_expiry_timestamp_seconds When the service account's access token ends; it is renewed before. 0 while there is none that Atlas accepts.
    # TYPE mongodbatlas_api_token_expiry_timestamp_seconds gauge
    mongodbatlas_api_token_expiry_timestamp_seconds{account="main"} 1700003600
    # HELP mongodbatlas_api_token_mints_total Access tokens that were minted.
    # TYPE mongodbatlas_api_token_mints_total counter
    mongodbatlas_api_token_mints_total{account="main"} 1
    # HELP mongodbatlas_api_token_mint_failures_total Access tokens that could not be minted.
    # TYPE mongodbatlas_api_token_mint_failures_total counter
    mongodbatlas_api_token_mint_failures_total{account="main"} 1
    # HELP mongodbatlas_peering_exporter_build_info The version of this exporter.
    # TYPE mongodbatlas_peering_exporter_build_info gauge
    mongodbatlas_peering_exporter_build_info{version="VERSION"} 1
    # HELP mongodbatlas_peering_exporter_shard_index Which of several exporters this is, from 0; they watch different groups.
    # TYPE mongodbatlas_peering_exporter_shard_index gauge
    mongodbatlas_peering_exporter_shard_index 0
    # HELP mongodbatlas_peering_exporter_shards How many exporters there are, which watch different groups.
    # TYPE mongodbatlas_peering_exporter_shards gauge
    mongodbatlas_peering_exporter_shards 1
    # HELP mongodbatlas_peering_exporter_config_last_reload_successful 1 if the config was read without faults when it was last read.
    # TYPE mongodbatlas_peering_exporter_config_last_reload_successful gauge
    mongodbatlas_peering_exporter_config_last_reload_successful 1
    # HELP mongodbatlas_peering_exporter_config_last_reload_success_timestamp_seconds When the config was last read without faults.
    # TYPE mongodbatlas_peering_exporter_config_last_reload_success_timestamp_seconds gauge
    mongodbatlas_peering_exporter_config_last_reload_success_timestamp_seconds 1700000000
    "#);
}

#[test]
fn every_family_of_the_table_is_on_the_page_with_its_labels_and_in_its_order() {
    let now = Instant::now();
    let text = render(&full(now), now);
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert_eq!(names, family::ALL.iter().map(|family| family.name).collect::<Vec<_>>());
    for family in family::ALL {
        let sample = text.lines().find(|line| line.starts_with(family.name)).unwrap();
        let inside =
            sample.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(inside, _)| inside);
        // The values of this state hold no comma and no equals sign.
        let labels: Vec<&str> = inside.split(',').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
        let labels: Vec<&str> = labels.into_iter().filter(|label| *label != "le").collect();
        assert_eq!(labels, family.labels, "{}", family.name);
    }
}

#[test]
fn help_is_one_line_without_escapes() {
    for family in family::ALL {
        assert!(!family.help.is_empty() && !family.help.contains(['\n', '\\']), "{}", family.name);
    }
}
