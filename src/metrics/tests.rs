use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use insta::assert_snapshot;

use super::*;
use crate::state::{AccountState, DiscoveryState, Failure, GroupState, ListingKey, PollResult, TokenState};
use atlas::{
    self, ClientEvent, Container, Endpoint, GroupId, Listing, Outcome, Peering, Provider, RateLimit, Reason,
    RequestRecord, VersionEnds,
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
        last_heartbeat: None,
        discovery,
    };
    let accounts = BTreeMap::from([("main".to_owned(), account)]);
    let listings = [Provider::Aws, Provider::Gcp].map(|provider| ListingKey { group: group(), provider });
    let groups = BTreeMap::from([(group(), GroupState::configured("main", "pay\"ments"))]);
    State::new(Duration::from_secs(60), Duration::from_secs(900), at(1_700_000_000), accounts, groups, listings)
}

fn poll(state: &mut State, provider: Provider, ended: Instant, outcome: Result<Listing, Failure>) {
    let poll =
        PollResult { ended, due: ended, ended_at: at(1_700_000_060), duration: Duration::from_millis(150), outcome };
    state.record_poll(&ListingKey { group: group(), provider }, poll);
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

/// A state in which every family has a sample.
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
    state.record_request("main", exchange(Endpoint::Peers, Some(group()), Some(ends)));
    state.record_request("main", exchange(Endpoint::Groups, None, None));
    let account = state.accounts.get_mut("main").unwrap();
    account.record_client_event(&ClientEvent::Minted { expires: at(1_700_003_600) });
    account.record_client_event(&ClientEvent::MintFailed { reason: Reason::Unauthorized, message: String::new() });
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
fn the_exposition_before_the_first_poll() {
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
#[allow(clippy::too_many_lines, reason = "one snapshot")]
fn the_exposition_with_every_family() {
    let now = Instant::now();
    assert_snapshot!(render(&full(now), now).replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r#"
    # HELP mongodbatlas_network_peering_status The peering's status exactly as Atlas reports it; one series per peering, always 1. As of the last poll, not of the scrape.
    # TYPE mongodbatlas_network_peering_status gauge
    mongodbatlas_network_peering_status{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a",status="FAILED"} 1
    # HELP mongodbatlas_network_peering_available 1 if the peering's status is AVAILABLE, else 0.
    # TYPE mongodbatlas_network_peering_available gauge
    mongodbatlas_network_peering_available{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a"} 0
    # HELP mongodbatlas_network_peering_created_timestamp_seconds Creation time, decoded from the peering's ID; absent if the ID is not an ObjectId.
    # TYPE mongodbatlas_network_peering_created_timestamp_seconds gauge
    mongodbatlas_network_peering_created_timestamp_seconds{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a"} 1597658467
    # HELP mongodbatlas_network_peering_info Identifiers of the peering: the AWS connection ID, the network on your side, and the container with the network on the Atlas side. Always 1.
    # TYPE mongodbatlas_network_peering_info gauge
    mongodbatlas_network_peering_info{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a",container_id="5e57d85c854180642f7844bf",connection_id="",cloud_account="123456789012",resource_group="",accepter_region="",cidr_block="172.31.0.0/16",atlas_region="EU_WEST_1",atlas_cidr_block="192.168.248.0/21"} 1
    # HELP mongodbatlas_network_peering_error_info 1 while Atlas reports an error for the peering, labeled with the reason; any other text has the reason OTHER and is logged.
    # TYPE mongodbatlas_network_peering_error_info gauge
    mongodbatlas_network_peering_error_info{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a",reason="REJECTED"} 1
    # HELP mongodbatlas_network_peerings Number of peerings by status; 0 for each documented status of the provider that no peering has.
    # TYPE mongodbatlas_network_peerings gauge
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="AVAILABLE"} 0
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="FAILED"} 1
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="FINALIZING"} 0
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="INITIATING"} 0
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="PENDING_ACCEPTANCE"} 0
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="TERMINATING"} 0
    # HELP mongodbatlas_group_info Name of the project (group in the API) from the config, otherwise from Atlas; its organization where projects are discovered. Always 1.
    # TYPE mongodbatlas_group_info gauge
    mongodbatlas_group_info{group_id="5e57d85c854180642f784401",group_name="pay\"ments",org_id="5f0",account="main"} 1
    # HELP mongodbatlas_account_groups Number of projects polled with the account; 0 until its projects are known.
    # TYPE mongodbatlas_account_groups gauge
    mongodbatlas_account_groups{account="main"} 1
    # HELP mongodbatlas_discovery_success 1 if the last discovery listed all of the account's projects and the exporter polls them; 0 otherwise and before the first.
    # TYPE mongodbatlas_discovery_success gauge
    mongodbatlas_discovery_success{account="main"} 0
    # HELP mongodbatlas_discovery_last_success_timestamp_seconds Time of the last successful discovery; 0 before the first.
    # TYPE mongodbatlas_discovery_last_success_timestamp_seconds gauge
    mongodbatlas_discovery_last_success_timestamp_seconds{account="main"} 1700000030
    # HELP mongodbatlas_discovery_interval_seconds Configured interval between discoveries of the account's projects.
    # TYPE mongodbatlas_discovery_interval_seconds gauge
    mongodbatlas_discovery_interval_seconds{account="main"} 600
    # HELP mongodbatlas_discoveries_total Completed discoveries of the account's projects, successful or not.
    # TYPE mongodbatlas_discoveries_total counter
    mongodbatlas_discoveries_total{account="main"} 2
    # HELP mongodbatlas_discovery_failures_total Failed discoveries by reason; a reason is absent until its first failure.
    # TYPE mongodbatlas_discovery_failures_total counter
    mongodbatlas_discovery_failures_total{account="main",reason="server"} 1
    # HELP mongodbatlas_discovery_failure_info 1 if the last discovery failed, labeled with the reason; absent otherwise.
    # TYPE mongodbatlas_discovery_failure_info gauge
    mongodbatlas_discovery_failure_info{account="main",reason="server"} 1
    # HELP mongodbatlas_peering_poll_success 1 if the last poll of the project and provider read every page and is not older than poll.max_staleness; 0 otherwise and before the first.
    # TYPE mongodbatlas_peering_poll_success gauge
    mongodbatlas_peering_poll_success{group_id="5e57d85c854180642f784401",provider="AWS"} 1
    mongodbatlas_peering_poll_success{group_id="5e57d85c854180642f784401",provider="GCP"} 0
    # HELP mongodbatlas_peering_poll_last_success_timestamp_seconds Time of the last successful poll; 0 before the first.
    # TYPE mongodbatlas_peering_poll_last_success_timestamp_seconds gauge
    mongodbatlas_peering_poll_last_success_timestamp_seconds{group_id="5e57d85c854180642f784401",provider="AWS"} 1700000060
    mongodbatlas_peering_poll_last_success_timestamp_seconds{group_id="5e57d85c854180642f784401",provider="GCP"} 0
    # HELP mongodbatlas_peering_poll_duration_seconds Duration of the last poll, including retries.
    # TYPE mongodbatlas_peering_poll_duration_seconds gauge
    mongodbatlas_peering_poll_duration_seconds{group_id="5e57d85c854180642f784401",provider="AWS"} 0.15
    mongodbatlas_peering_poll_duration_seconds{group_id="5e57d85c854180642f784401",provider="GCP"} 0.15
    # HELP mongodbatlas_peering_poll_stale 1 while peerings of an earlier poll are exported because the last poll failed, else 0.
    # TYPE mongodbatlas_peering_poll_stale gauge
    mongodbatlas_peering_poll_stale{group_id="5e57d85c854180642f784401",provider="AWS"} 0
    mongodbatlas_peering_poll_stale{group_id="5e57d85c854180642f784401",provider="GCP"} 0
    # HELP mongodbatlas_peering_poll_duplicates Peerings that Atlas sent more than once in the exported listing; each is counted once.
    # TYPE mongodbatlas_peering_poll_duplicates gauge
    mongodbatlas_peering_poll_duplicates{group_id="5e57d85c854180642f784401",provider="AWS"} 1
    # HELP mongodbatlas_peering_polls_total Completed polls, successful or not.
    # TYPE mongodbatlas_peering_polls_total counter
    mongodbatlas_peering_polls_total{group_id="5e57d85c854180642f784401",provider="AWS"} 1
    mongodbatlas_peering_polls_total{group_id="5e57d85c854180642f784401",provider="GCP"} 1
    # HELP mongodbatlas_peering_poll_failures_total Failed polls by reason; a reason is absent until its first failure.
    # TYPE mongodbatlas_peering_poll_failures_total counter
    mongodbatlas_peering_poll_failures_total{group_id="5e57d85c854180642f784401",provider="GCP",reason="timeout"} 1
    # HELP mongodbatlas_peering_poll_failure_info 1 if the last poll failed, labeled with the reason; absent otherwise.
    # TYPE mongodbatlas_peering_poll_failure_info gauge
    mongodbatlas_peering_poll_failure_info{group_id="5e57d85c854180642f784401",provider="GCP",reason="timeout"} 1
    # HELP mongodbatlas_peering_poll_interval_seconds Configured interval between polls of each project and provider.
    # TYPE mongodbatlas_peering_poll_interval_seconds gauge
    mongodbatlas_peering_poll_interval_seconds 60
    # HELP mongodbatlas_peering_max_staleness_seconds Configured maximum age of a listing; older peerings are no longer exported.
    # TYPE mongodbatlas_peering_max_staleness_seconds gauge
    mongodbatlas_peering_max_staleness_seconds 900
    # HELP mongodbatlas_api_requests_total HTTP requests sent to Atlas, including retries and digest challenges; code is the HTTP status, or the reason if there was no response.
    # TYPE mongodbatlas_api_requests_total counter
    mongodbatlas_api_requests_total{account="main",endpoint="groups",code="200"} 1
    mongodbatlas_api_requests_total{account="main",endpoint="peers",code="200"} 1
    # HELP mongodbatlas_api_request_duration_seconds Time from sending a request to Atlas until its response headers arrive.
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
    # HELP mongodbatlas_api_ratelimit_remaining Requests left in the token bucket of a rate limit, as Atlas last reported; containers share the bucket of peers, and group_id is empty if the bucket does not belong to a project.
    # TYPE mongodbatlas_api_ratelimit_remaining gauge
    mongodbatlas_api_ratelimit_remaining{account="main",endpoint="groups",group_id=""} 1998
    mongodbatlas_api_ratelimit_remaining{account="main",endpoint="peers",group_id="5e57d85c854180642f784401"} 1998
    # HELP mongodbatlas_api_ratelimit_limit Capacity of the token bucket, as Atlas last reported.
    # TYPE mongodbatlas_api_ratelimit_limit gauge
    mongodbatlas_api_ratelimit_limit{account="main",endpoint="groups",group_id=""} 2000
    mongodbatlas_api_ratelimit_limit{account="main",endpoint="peers",group_id="5e57d85c854180642f784401"} 2000
    # HELP mongodbatlas_api_deprecation_timestamp_seconds Time from which the API version in use is deprecated; absent unless Atlas announces it.
    # TYPE mongodbatlas_api_deprecation_timestamp_seconds gauge
    mongodbatlas_api_deprecation_timestamp_seconds{account="main",endpoint="peers",version="v1.0"} 1722816000
    # HELP mongodbatlas_api_sunset_timestamp_seconds Time at which the API version in use stops working; absent unless Atlas announces it.
    # TYPE mongodbatlas_api_sunset_timestamp_seconds gauge
    mongodbatlas_api_sunset_timestamp_seconds{account="main",endpoint="peers",version="v1.0"} 1814400000
    # HELP mongodbatlas_api_credential_refused 1 while Atlas rejects the account's credential, else 0.
    # TYPE mongodbatlas_api_credential_refused gauge
    mongodbatlas_api_credential_refused{account="main"} 1
    # HELP mongodbatlas_api_credential_unreadable 1 while a file of the account's credential cannot be read and its previous contents stay in use, else 0.
    # TYPE mongodbatlas_api_credential_unreadable gauge
    mongodbatlas_api_credential_unreadable{account="main"} 0
    # HELP mongodbatlas_api_credential_expiry_timestamp_seconds Expiry of the account's credential, from the config; absent if it is not set there.
    # TYPE mongodbatlas_api_credential_expiry_timestamp_seconds gauge
    mongodbatlas_api_credential_expiry_timestamp_seconds{account="main"} 1800000000
    # HELP mongodbatlas_api_token_expiry_timestamp_seconds Expiry of the service account's access token, which is renewed earlier; 0 while there is no token that Atlas accepts.
    # TYPE mongodbatlas_api_token_expiry_timestamp_seconds gauge
    mongodbatlas_api_token_expiry_timestamp_seconds{account="main"} 1700003600
    # HELP mongodbatlas_api_token_mints_total Access tokens minted.
    # TYPE mongodbatlas_api_token_mints_total counter
    mongodbatlas_api_token_mints_total{account="main"} 1
    # HELP mongodbatlas_api_token_mint_failures_total Failed attempts to mint an access token.
    # TYPE mongodbatlas_api_token_mint_failures_total counter
    mongodbatlas_api_token_mint_failures_total{account="main"} 1
    # HELP mongodbatlas_peering_exporter_build_info Version of the exporter. Always 1.
    # TYPE mongodbatlas_peering_exporter_build_info gauge
    mongodbatlas_peering_exporter_build_info{version="VERSION"} 1
    # HELP mongodbatlas_peering_exporter_shard_index Index of this exporter among its shards, from 0; each shard polls different projects.
    # TYPE mongodbatlas_peering_exporter_shard_index gauge
    mongodbatlas_peering_exporter_shard_index 0
    # HELP mongodbatlas_peering_exporter_shards Number of shards, which poll different projects.
    # TYPE mongodbatlas_peering_exporter_shards gauge
    mongodbatlas_peering_exporter_shards 1
    # HELP mongodbatlas_peering_exporter_config_last_reload_successful 1 if the config had no errors when it was last read, else 0.
    # TYPE mongodbatlas_peering_exporter_config_last_reload_successful gauge
    mongodbatlas_peering_exporter_config_last_reload_successful 1
    # HELP mongodbatlas_peering_exporter_config_last_reload_success_timestamp_seconds Time when the config was last read without errors.
    # TYPE mongodbatlas_peering_exporter_config_last_reload_success_timestamp_seconds gauge
    mongodbatlas_peering_exporter_config_last_reload_success_timestamp_seconds 1700000000
    "#);
}

#[test]
fn every_family_is_exported_in_order() {
    let now = Instant::now();
    let text = render(&full(now), now);
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert_eq!(names, family::ALL.iter().map(|family| family.name).collect::<Vec<_>>());
}

#[test]
fn help_is_one_line_without_escapes() {
    for family in family::ALL {
        assert!(!family.help.is_empty() && !family.help.contains(['\n', '\\']), "{}", family.name);
    }
}
