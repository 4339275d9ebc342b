use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

use insta::assert_snapshot;

use super::{family::Family, *};
use crate::state::{
    AccountState, DiscoveryState, Failure, GroupState, ListingKey, PollResult, PollRun, SelectedGroups, TokenState,
};
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
    let (expires, token) = (Some(at(1_800_000_000)), Some(TokenState::default()));
    let account = AccountState { api_version: "v1.0", expires, token, discovery, ..AccountState::default() };
    let accounts = BTreeMap::from([("main".to_owned(), account)]);
    let listings = [Provider::Aws, Provider::Gcp].map(|provider| ListingKey { group: group(), provider });
    let groups = BTreeMap::from([(group(), GroupState::configured("main", "pay\"ments"))]);
    State::new(Duration::from_secs(60), Duration::from_secs(900), at(1_700_000_000), accounts, groups, listings)
}

fn poll(state: &mut State, provider: Provider, ended: Instant, outcome: Result<Listing, Failure>) {
    let run = Some(PollRun { lateness: Duration::from_secs(3), duration: Duration::from_millis(150) });
    let poll = PollResult { ended, due: ended, ended_at: at(1_700_000_060), run, outcome };
    state.record_poll(&ListingKey { group: group(), provider }, poll);
}

/// A state in which every family has a sample.
fn full(now: Instant) -> State {
    let mut state = state();
    let peering = Peering {
        id: "5f3a556351db42631e16f33a".into(),
        vpc_id: "vpc-7b64b41e".into(),
        status: "FAILED".into(),
        error: Some("REJECTED: vpc peering connection request was rejected".into()),
        container_id: "5e57d85c854180642f7844bf".into(),
        cloud_account: "123456789012".into(),
        cidr_block: "172.31.0.0/16".into(),
        ..Peering::default()
    };
    let (region, cidr_block) = ("EU_WEST_1".into(), "192.168.248.0/21".into());
    let container = Container { id: peering.container_id.clone(), region, cidr_block };
    poll(&mut state, Provider::Aws, now, Ok(Listing { peerings: vec![peering], duplicates: 1 }));
    poll(&mut state, Provider::Gcp, now, Err(failure(Reason::Timeout)));
    state.record_containers(&group(), vec![container]);
    let found = vec![atlas::Group { id: group(), name: "x".into(), org_id: "5f0".into(), tags: BTreeMap::new() }];
    state.record_discovery(
        "main",
        Ok(SelectedGroups { owned: found, elsewhere: 0 }),
        &Provider::ALL,
        Instant::now(),
        at(1_700_000_030),
    );
    state.record_discovery("main", Err(failure(Reason::Server)), &Provider::ALL, Instant::now(), at(1_700_000_040));
    let ends = VersionEnds { deprecation: Some(at(1_722_816_000)), sunset: Some(at(1_814_400_000)) };
    let rate_limit = RateLimit { limit: 2000, remaining: 1998 };
    state.rate_limits.insert(("main".to_owned(), Endpoint::Groups, None), rate_limit);
    let request = RequestRecord {
        endpoint: Endpoint::Peers,
        group: Some(group()),
        outcome: Outcome::Status(200),
        duration: Duration::from_millis(150),
        rate_limit: Some(rate_limit),
        retry_after: None,
        version_ends: Some(ends),
    };
    state.record_request("main", request);
    let account = state.accounts.get_mut("main").unwrap();
    account.record_client_event(&ClientEvent::Minted { expires: at(1_700_003_600) });
    account.record_client_event(&ClientEvent::MintFailed { reason: Reason::Unauthorized, message: String::new() });
    state
}

fn failure(reason: Reason) -> Failure {
    Failure::without_request(reason, String::new())
}

/// The exposition without the headers of families, reasons that nothing failed for, and the version of the exporter.
fn samples(state: &State, now: Instant) -> String {
    let text = render(state, now).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let is_shown = |line: &&str| !(line.starts_with('#') || line.contains("reason=") && line.ends_with(" 0"));
    text.lines().filter(is_shown).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_reason_has_a_count_from_the_start() {
    let text = render(&state(), Instant::now());
    let zeros = |name| text.lines().filter(|line| line.starts_with(name) && line.ends_with(" 0")).count();
    assert_eq!(zeros("mongodbatlas_account_poll_failures_total{"), Reason::ALL.len() + 1, "and `queue_timeout`");
    assert_eq!(zeros("mongodbatlas_discovery_failures_total{"), Reason::ALL.len());
    assert_eq!(zeros("mongodbatlas_peering_poll_failures_total{"), 2, "one for each listing");
}

#[test]
fn the_samples_before_the_first_poll() {
    assert_snapshot!(samples(&state(), Instant::now()), @r#"
    mongodbatlas_group_info{group_id="5e57d85c854180642f784401",group_name="pay\"ments",org_id="",account="main"} 1
    mongodbatlas_account_groups{account="main"} 1
    mongodbatlas_discovery_success{account="main"} 0
    mongodbatlas_discovery_last_success_timestamp_seconds{account="main"} 0
    mongodbatlas_discovery_interval_seconds{account="main"} 600
    mongodbatlas_discoveries_total{account="main"} 0
    mongodbatlas_peering_poll_success{account="main",group_id="5e57d85c854180642f784401",provider="AWS"} 0
    mongodbatlas_peering_poll_success{account="main",group_id="5e57d85c854180642f784401",provider="GCP"} 0
    mongodbatlas_peering_poll_last_success_timestamp_seconds{account="main",group_id="5e57d85c854180642f784401",provider="AWS"} 0
    mongodbatlas_peering_poll_last_success_timestamp_seconds{account="main",group_id="5e57d85c854180642f784401",provider="GCP"} 0
    mongodbatlas_peering_polls_total{account="main",group_id="5e57d85c854180642f784401",provider="AWS"} 0
    mongodbatlas_peering_polls_total{account="main",group_id="5e57d85c854180642f784401",provider="GCP"} 0
    mongodbatlas_peering_poll_failures_total{account="main",group_id="5e57d85c854180642f784401",provider="AWS"} 0
    mongodbatlas_peering_poll_failures_total{account="main",group_id="5e57d85c854180642f784401",provider="GCP"} 0
    mongodbatlas_peering_polls_queued{account="main"} 0
    mongodbatlas_peering_polls_running{account="main"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="0.1"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="1"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="5"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="15"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="30"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="60"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="300"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="900"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="3600"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="14400"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="43200"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="+Inf"} 0
    mongodbatlas_peering_poll_lateness_seconds_sum{account="main"} 0
    mongodbatlas_peering_poll_lateness_seconds_count{account="main"} 0
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="0.1"} 0
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="0.25"} 0
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="0.5"} 0
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="1"} 0
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="2.5"} 0
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="5"} 0
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="10"} 0
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="30"} 0
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="60"} 0
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="+Inf"} 0
    mongodbatlas_peering_poll_duration_seconds_sum{account="main"} 0
    mongodbatlas_peering_poll_duration_seconds_count{account="main"} 0
    mongodbatlas_peering_poll_concurrency{account="main"} 0
    mongodbatlas_peering_poll_interval_seconds{account="main"} 60
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
fn the_samples_of_every_family() {
    let now = Instant::now();
    assert_snapshot!(samples(&full(now), now), @r#"
    mongodbatlas_network_peering_status{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a",status="FAILED"} 1
    mongodbatlas_network_peering_available{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a"} 0
    mongodbatlas_network_peering_created_timestamp_seconds{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a"} 1597658467
    mongodbatlas_network_peering_info{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a",container_id="5e57d85c854180642f7844bf",connection_id="",cloud_account="123456789012",resource_group="",accepter_region="",cidr_block="172.31.0.0/16",atlas_region="EU_WEST_1",atlas_cidr_block="192.168.248.0/21"} 1
    mongodbatlas_network_peering_error_info{provider="AWS",vpcId="vpc-7b64b41e",group_id="5e57d85c854180642f784401",peering_id="5f3a556351db42631e16f33a",reason="REJECTED"} 1
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="AVAILABLE"} 0
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="FAILED"} 1
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="FINALIZING"} 0
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="INITIATING"} 0
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="PENDING_ACCEPTANCE"} 0
    mongodbatlas_network_peerings{group_id="5e57d85c854180642f784401",provider="AWS",status="TERMINATING"} 0
    mongodbatlas_group_info{group_id="5e57d85c854180642f784401",group_name="pay\"ments",org_id="5f0",account="main"} 1
    mongodbatlas_account_groups{account="main"} 1
    mongodbatlas_discovery_success{account="main"} 0
    mongodbatlas_discovery_last_success_timestamp_seconds{account="main"} 1700000030
    mongodbatlas_discovery_interval_seconds{account="main"} 600
    mongodbatlas_discoveries_total{account="main"} 2
    mongodbatlas_discovery_failures_total{account="main",reason="server"} 1
    mongodbatlas_discovery_failure_info{account="main",reason="server"} 1
    mongodbatlas_peering_poll_success{account="main",group_id="5e57d85c854180642f784401",provider="AWS"} 1
    mongodbatlas_peering_poll_success{account="main",group_id="5e57d85c854180642f784401",provider="GCP"} 0
    mongodbatlas_peering_poll_last_success_timestamp_seconds{account="main",group_id="5e57d85c854180642f784401",provider="AWS"} 1700000060
    mongodbatlas_peering_poll_last_success_timestamp_seconds{account="main",group_id="5e57d85c854180642f784401",provider="GCP"} 0
    mongodbatlas_peering_poll_duplicates{account="main",group_id="5e57d85c854180642f784401",provider="AWS"} 1
    mongodbatlas_peering_polls_total{account="main",group_id="5e57d85c854180642f784401",provider="AWS"} 1
    mongodbatlas_peering_polls_total{account="main",group_id="5e57d85c854180642f784401",provider="GCP"} 1
    mongodbatlas_peering_poll_failures_total{account="main",group_id="5e57d85c854180642f784401",provider="AWS"} 0
    mongodbatlas_peering_poll_failures_total{account="main",group_id="5e57d85c854180642f784401",provider="GCP"} 1
    mongodbatlas_peering_poll_failure_info{account="main",group_id="5e57d85c854180642f784401",provider="GCP",reason="timeout"} 1
    mongodbatlas_account_poll_failures_total{account="main",reason="timeout"} 1
    mongodbatlas_peering_polls_queued{account="main"} 0
    mongodbatlas_peering_polls_running{account="main"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="0.1"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="1"} 0
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="5"} 2
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="15"} 2
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="30"} 2
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="60"} 2
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="300"} 2
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="900"} 2
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="3600"} 2
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="14400"} 2
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="43200"} 2
    mongodbatlas_peering_poll_lateness_seconds_bucket{account="main",le="+Inf"} 2
    mongodbatlas_peering_poll_lateness_seconds_sum{account="main"} 6
    mongodbatlas_peering_poll_lateness_seconds_count{account="main"} 2
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="0.1"} 0
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="0.25"} 2
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="0.5"} 2
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="1"} 2
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="2.5"} 2
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="5"} 2
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="10"} 2
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="30"} 2
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="60"} 2
    mongodbatlas_peering_poll_duration_seconds_bucket{account="main",le="+Inf"} 2
    mongodbatlas_peering_poll_duration_seconds_sum{account="main"} 0.3
    mongodbatlas_peering_poll_duration_seconds_count{account="main"} 2
    mongodbatlas_peering_poll_concurrency{account="main"} 0
    mongodbatlas_peering_poll_interval_seconds{account="main"} 60
    mongodbatlas_peering_max_staleness_seconds 900
    mongodbatlas_api_requests_total{account="main",endpoint="peers",code="200"} 1
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
    mongodbatlas_api_ratelimit_remaining{account="main",endpoint="groups",group_id=""} 1998
    mongodbatlas_api_ratelimit_remaining{account="main",endpoint="peers",group_id="5e57d85c854180642f784401"} 1998
    mongodbatlas_api_ratelimit_limit{account="main",endpoint="groups"} 2000
    mongodbatlas_api_ratelimit_limit{account="main",endpoint="peers"} 2000
    mongodbatlas_api_deprecation_timestamp_seconds{account="main",endpoint="peers",version="v1.0"} 1722816000
    mongodbatlas_api_sunset_timestamp_seconds{account="main",endpoint="peers",version="v1.0"} 1814400000
    mongodbatlas_api_credential_refused{account="main"} 1
    mongodbatlas_api_credential_unreadable{account="main"} 0
    mongodbatlas_api_credential_expiry_timestamp_seconds{account="main"} 1800000000
    mongodbatlas_api_token_expiry_timestamp_seconds{account="main"} 1700003600
    mongodbatlas_api_token_mints_total{account="main"} 1
    mongodbatlas_api_token_mint_failures_total{account="main"} 1
    mongodbatlas_peering_exporter_build_info{version="VERSION"} 1
    mongodbatlas_peering_exporter_shard_index 0
    mongodbatlas_peering_exporter_shards 1
    mongodbatlas_peering_exporter_config_last_reload_successful 1
    mongodbatlas_peering_exporter_config_last_reload_success_timestamp_seconds 1700000000
    "#);
}

#[test]
fn every_family_is_exported_in_order_with_its_help_and_its_type() {
    let now = Instant::now();
    let text = render(&full(now), now);
    let headers: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    let expected = family::ALL.iter().flat_map(|Family { name, metric_type, help, .. }| {
        assert!(!help.is_empty() && !help.contains(['\n', '\\']), "{name} needs a help of one line without escapes");
        [format!("# HELP {name} {help}"), format!("# TYPE {name} {}", metric_type.as_str())]
    });
    assert_eq!(headers, expected.collect::<Vec<_>>());
}
