//! Every API error with both kinds of credentials: its reason in the metrics, and the advice of `doctor`.

use std::{fmt::Write as _, fs, time::Duration};

use atlas::Provider;
use atlas_simulator::{AccessList, Credentials, Effect, Fault, SimulatedEndpoint, StatusFault};
use insta::assert_snapshot;
use mongodbatlas_peering_exporter::{
    commands::doctor,
    config::{Config, PollConfig},
};
use tempfile::TempDir;

use crate::setup::{Atlas, GROUP, OTHER, RecordingClient, quick};

/// What Atlas returns instead of peerings.
const ERRORS: [(u16, &str); 27] = [
    (400, "INVALID_ENUM_VALUE"),
    (400, "INVALID_QUERY_PARAMETER"),
    (400, "INVALID_PROVIDER"),
    (400, "VALIDATION_ERROR"),
    (400, "PATH_PARAM_PARSE_ERROR"),
    (401, "UNEXPECTED_ERROR"),
    (401, "NOT_IN_GROUP"),
    (401, "USER_CANNOT_ACCESS_GROUP"),
    (401, "USER_UNAUTHORIZED"),
    (401, "USER_CANNOT_ACCESS_ORG"),
    (402, "ACCOUNT_SUSPENDED"),
    (403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"),
    (403, "IP_ADDRESS_NOT_ON_WHITELIST"),
    (403, "ORG_REQUIRES_ACCESS_LIST"),
    (404, "GROUP_NOT_FOUND"),
    (404, "INVALID_GROUP_ID"),
    (404, "NOT_ATLAS_GROUP"),
    (404, "RESOURCE_NOT_FOUND"),
    (404, "PEER_NOT_FOUND"),
    (404, "ORG_NOT_FOUND"),
    (404, "INVALID_ATLAS_GROUP"),
    (406, "INVALID_VERSION_DATE"),
    (410, "VERSION_GONE"),
    (429, "RATE_LIMITED_TOKEN_BUCKET"),
    (429, "RATE_LIMITED"),
    (500, "UNEXPECTED_ERROR"),
    (503, "SERVICE_UNAVAILABLE"),
];

fn scenario() -> String {
    let peerings =
        "[{provider: AWS, status: AVAILABLE, vpcId: v, repeat: 2}, {provider: GCP, status: FAILED, networkName: n}]";
    let limits = ["rate_limit", "group_list_rate_limit"]
        .map(|name| format!("{name}: {{capacity: 2000, refill_per_minute: 0}}\n"));
    format!(
        "{}groups:\n  - {{id: {GROUP}, name: shop, peerings: {peerings}}}\n  - {{id: {OTHER}, name: 'bank ü'}}",
        limits.concat()
    )
}

fn poll() -> PollConfig {
    // Shorter than the first back-off.
    PollConfig { deadline: Duration::from_millis(400), concurrency: 1, ..quick() }
}

fn configs(atlas: &Atlas, folder: &TempDir) -> [Config; 2] {
    let account = &atlas.scenario.service_account;
    fs::write(folder.path().join("key"), "demo").unwrap();
    fs::write(folder.path().join("secret"), &account.client_secret).unwrap();
    let service_account = format!("client_id: {}, client_secret_file: secret", account.client_id);
    ["public_key: demo, private_key_file: key", &service_account]
        .map(|settings| atlas.account(folder.path(), settings, poll()))
}

/// What `doctor` prints, without the port.
async fn diagnosis(atlas: &Atlas, config: &Config) -> String {
    let text = doctor::diagnose(config).await.unwrap().text();
    text.replace(&atlas.address.to_string(), "ATLAS")
}

/// The reason and the advice for an error of the first group's peerings.
async fn reason_and_advice(atlas: &Atlas, config: &Config, code: &str) -> String {
    let client = RecordingClient::new(config.accounts[0].settings(&config.poll));
    let error = client.list_within(Provider::Aws, Duration::from_millis(400)).await.unwrap_err();
    let text = diagnosis(atlas, config).await;
    let begin = format!("{code}: ");
    let advice = text.lines().find_map(|line| line.strip_prefix(&begin));
    let advice = advice.unwrap_or_else(|| panic!("no advice for {code}:\n{text}"));
    format!("{}: {advice}", error.kind.reason().as_str())
}

#[tokio::test]
async fn every_error_has_the_same_reason_and_advice_with_both_kinds_of_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = String::new();
    for (status, code) in ERRORS {
        let atlas = Atlas::start(&scenario()).await;
        let fault = StatusFault { code: status, error_code: Some(code.to_owned()), ..StatusFault::default() };
        atlas.simulator.fail(Fault {
            endpoint: Some(SimulatedEndpoint::Peers),
            group: Some(GROUP.to_owned()),
            ..Fault::new(Effect::Status(fault))
        });
        let [api_key, service_account] = configs(&atlas, &folder);
        let with_key = reason_and_advice(&atlas, &api_key, code).await;
        assert_eq!(reason_and_advice(&atlas, &service_account, code).await, with_key, "{status} {code}");
        writeln!(table, "{status} {code} is {with_key}").unwrap();
    }
    assert_snapshot!(table, @"
    400 INVALID_ENUM_VALUE is unexpected_status: check `base_url` and `api_version`; the API version may have ended
    400 INVALID_QUERY_PARAMETER is unexpected_status: check `base_url` and `api_version`; the API version may have ended
    400 INVALID_PROVIDER is unexpected_status: check `base_url` and `api_version`; the API version may have ended
    400 VALIDATION_ERROR is unexpected_status: check `base_url` and `api_version`; the API version may have ended
    400 PATH_PARAM_PARSE_ERROR is unexpected_status: check the IDs of projects and organizations in the config
    401 UNEXPECTED_ERROR is unauthorized: Atlas does not accept the account's credential; check both its ID and its secret
    401 NOT_IN_GROUP is forbidden: grant the credential the role Project Read Only in this project, and check the project's ID
    401 USER_CANNOT_ACCESS_GROUP is forbidden: grant the credential the role Project Read Only in this project, and check the project's ID
    401 USER_UNAUTHORIZED is forbidden: grant the credential the role Project Read Only in this project; check that billing is in order
    401 USER_CANNOT_ACCESS_ORG is forbidden: the credential belongs to another organization or has no role in this one; check the organization's id
    402 ACCOUNT_SUSPENDED is forbidden: Atlas suspended the organization; check its billing
    403 IP_ADDRESS_NOT_ON_ACCESS_LIST is ip_access_list: add this machine's public IP address to the credential's access list
    403 IP_ADDRESS_NOT_ON_WHITELIST is ip_access_list: add this machine's public IP address to the credential's access list
    403 ORG_REQUIRES_ACCESS_LIST is ip_access_list: the organization requires an access list; give the credential one with this machine's public IP address
    404 GROUP_NOT_FOUND is not_found: check the project's ID; a deleted project disappears if it was discovered, otherwise remove it from the config
    404 INVALID_GROUP_ID is not_found: check the project's ID; a deleted project disappears if it was discovered, otherwise remove it from the config
    404 NOT_ATLAS_GROUP is not_found: check the project's ID; a deleted project disappears if it was discovered, otherwise remove it from the config
    404 RESOURCE_NOT_FOUND is unexpected_status: check the account's `base_url`, and any proxy or gateway in between; the server does not know this path
    404 PEER_NOT_FOUND is unexpected_status: check the account's `base_url`, and any proxy or gateway in between; the server does not know this path
    404 ORG_NOT_FOUND is unexpected_status: check `organization` under `discover`
    404 INVALID_ATLAS_GROUP is unexpected_status: Atlas cannot load the project in the error message, and lists no project until it can; contact MongoDB support, and list the other projects under `groups` meanwhile
    406 INVALID_VERSION_DATE is unexpected_status: check `base_url` and `api_version`; the API version may have ended
    410 VERSION_GONE is unexpected_status: this version of the API has ended; set `api_version: v2` or install a newer release
    429 RATE_LIMITED_TOKEN_BUCKET is rate_limited: too many requests; raise `poll.interval` or find what else calls the API
    429 RATE_LIMITED is rate_limited: too many requests; raise `poll.interval` or find what else calls the API
    500 UNEXPECTED_ERROR is server: Atlas itself is failing; check its status page
    503 SERVICE_UNAVAILABLE is server: Atlas itself is failing; check its status page
    ");
}

#[tokio::test]
async fn a_working_setup_has_no_problems() {
    let (atlas, folder) = (Atlas::start(&scenario()).await, tempfile::tempdir().unwrap());
    let [api_key, service_account] = configs(&atlas, &folder);
    assert_eq!(doctor::diagnose(&api_key).await.unwrap().problem_count(), 0);
    assert_eq!(doctor::diagnose(&service_account).await.unwrap().problem_count(), 0);
    assert_eq!(atlas.simulator.live_tokens(), 0, "its token is revoked");
    assert_snapshot!(diagnosis(&atlas, &service_account).await, @"
    account `main` at http://ATLAS/

    CHECK        RESULT  DETAILS
    credential   ok      service account `mdb_sa_id_5f0000000000000000000002` is accepted
    access list  ok      allows this address
    projects     ok      2 of 2 are selected; requests left: 1998 of 2000

    PROJECT ID                NAME    AWS  AZURE  GCP  REQUESTS LEFT  RESULT
    5e57d85c854180642f784401  shop    2    0      1    1991 of 2000   ok
    5e57d85c854180642f784402  bank ü  0    0      0    1991 of 2000   ok

    no problems found
    ");
}

#[tokio::test]
async fn after_a_refused_credential_nothing_else_is_requested() {
    let (atlas, folder) = (Atlas::start(&scenario()).await, tempfile::tempdir().unwrap());
    let configs = configs(&atlas, &folder);
    atlas.simulator.set_credentials(Credentials { public_key: "demo".to_owned(), private_key: "other".to_owned() });
    atlas.simulator.set_client(&atlas.scenario.service_account.client_id, "other");
    let mut text = String::new();
    for config in configs {
        text += &diagnosis(&atlas, &config).await;
    }
    assert_snapshot!(text, @"
    account `main` at http://ATLAS/

    CHECK        RESULT            DETAILS
    credential   UNEXPECTED_ERROR  Atlas returned status 401 `UNEXPECTED_ERROR`: You are not authorized for this resource
    access list  not checked
    projects     not checked

    UNEXPECTED_ERROR: Atlas does not accept the account's credential; check both its ID and its secret
      where: credential
      error: Atlas returned status 401 `UNEXPECTED_ERROR`: You are not authorized for this resource

    1 problem found
    account `main` at http://ATLAS/

    CHECK        RESULT          DETAILS
    credential   invalid_client  no access token: Atlas returned status 401 `invalid_client`: Invalid credentials provided
    access list  not checked
    projects     not checked

    invalid_client: check the client ID and the client secret, and in Atlas whether the secret has expired
      where: credential
      error: no access token: Atlas returned status 401 `invalid_client`: Invalid credentials provided

    1 problem found
    ");
    assert_eq!(atlas.count("root", &["bad_credentials"]) + atlas.count("token", &["bad_credentials"]), 2);
    assert_eq!(atlas.count("peers", &["ok"]) + atlas.count("groups", &["ok"]), 0);
}

#[tokio::test]
async fn an_address_that_is_not_on_the_access_list_is_shown_as_atlas_sees_it() {
    let (atlas, folder) = (Atlas::start(&scenario()).await, tempfile::tempdir().unwrap());
    atlas.simulator.set_access_list(AccessList::Deny);
    let [api_key, service_account] = configs(&atlas, &folder);
    let with_key = diagnosis(&atlas, &api_key).await;
    assert_snapshot!(with_key, @"
    account `main` at http://ATLAS/

    CHECK        RESULT                         DETAILS
    credential   ok                             API key `demo` is accepted
    access list  IP_ADDRESS_NOT_ON_ACCESS_LIST  Atlas returned status 403 `IP_ADDRESS_NOT_ON_ACCESS_LIST`: IP address 203.0.113.7 is not allowed to access this resource
    projects     not checked

    IP_ADDRESS_NOT_ON_ACCESS_LIST: add this machine's public IP address to the credential's access list
      where: access list
      error: Atlas returned status 403 `IP_ADDRESS_NOT_ON_ACCESS_LIST`: IP address 203.0.113.7 is not allowed to access this resource

    1 problem found
    ");
    let with_token = diagnosis(&atlas, &service_account).await;
    let id = &atlas.scenario.service_account.client_id;
    assert_eq!(with_token.replace(&format!("service account `{id}`"), "API key `demo`"), with_key);
}

#[tokio::test]
async fn a_problem_in_several_places_is_reported_once() {
    let (atlas, folder) = (Atlas::start(&scenario()).await, tempfile::tempdir().unwrap());
    let not_in_group = StatusFault { code: 401, error_code: Some("NOT_IN_GROUP".to_owned()), ..StatusFault::default() };
    atlas
        .simulator
        .fail(Fault { endpoint: Some(SimulatedEndpoint::Peers), ..Fault::new(Effect::Status(not_in_group)) });
    let unavailable = StatusFault { code: 503, html: true, ..StatusFault::default() };
    atlas.simulator.fail(Fault {
        group: Some(OTHER.to_owned()),
        provider: Some(atlas_simulator::ScenarioProvider::Gcp),
        ..Fault::new(Effect::Status(unavailable))
    });
    let [_, service_account] = configs(&atlas, &folder);
    assert_snapshot!(diagnosis(&atlas, &service_account).await, @"
    account `main` at http://ATLAS/

    CHECK        RESULT  DETAILS
    credential   ok      service account `mdb_sa_id_5f0000000000000000000002` is accepted
    access list  ok      allows this address
    projects     ok      2 of 2 are selected; requests left: 1999 of 2000

    PROJECT ID                NAME    AWS  AZURE  GCP  REQUESTS LEFT  RESULT
    5e57d85c854180642f784401  shop    ?    ?      ?    -              NOT_IN_GROUP
    5e57d85c854180642f784402  bank ü  ?    ?      ?    -              NOT_IN_GROUP, server

    NOT_IN_GROUP: grant the credential the role Project Read Only in this project, and check the project's ID
      where: project 5e57d85c854180642f784401 (AWS, AZURE, GCP), project 5e57d85c854180642f784402 (AWS, AZURE)
      error: Atlas returned status 401 `NOT_IN_GROUP`: You are not authorized for this resource

    server: Atlas itself is failing; check its status page
      where: project 5e57d85c854180642f784402 (GCP)
      error: not complete within 400ms; last failure: Atlas returned status 503

    2 problems found
    ");
}

#[tokio::test]
async fn a_credential_that_sees_no_project_or_may_not_list_them_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let atlas = Atlas::start(&format!("groups: [{{id: {GROUP}, name: closed, access: false}}]")).await;
    let [_, service_account] = configs(&atlas, &folder);
    let nothing = diagnosis(&atlas, &service_account).await;
    let suspended = StatusFault { code: 402, ..StatusFault::default() };
    atlas.simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Groups), ..Fault::new(Effect::Status(suspended)) });
    assert_snapshot!(nothing + &diagnosis(&atlas, &service_account).await, @"
    account `main` at http://ATLAS/

    CHECK        RESULT    DETAILS
    credential   ok        service account `mdb_sa_id_5f0000000000000000000002` is accepted
    access list  ok        allows this address
    projects     no_group  the credential sees 0 projects, and none of them is selected

    no_group: give the credential Organization Read Only, or Project Read Only in each project to monitor
      where: projects
      error: the credential sees 0 projects, and none of them is selected

    1 problem found
    account `main` at http://ATLAS/

    CHECK        RESULT             DETAILS
    credential   ok                 service account `mdb_sa_id_5f0000000000000000000002` is accepted
    access list  ok                 allows this address
    projects     ACCOUNT_SUSPENDED  Atlas returned status 402 `ACCOUNT_SUSPENDED`: This account is suspended

    ACCOUNT_SUSPENDED: Atlas suspended the organization; check its billing
      where: projects
      error: Atlas returned status 402 `ACCOUNT_SUSPENDED`: This account is suspended

    1 problem found
    ");
}

#[tokio::test]
async fn a_404_at_the_root_or_the_list_of_projects_has_advice_of_its_own() {
    let (atlas, folder) = (Atlas::start(&scenario()).await, tempfile::tempdir().unwrap());
    let [api_key, _] = configs(&atlas, &folder);
    let html = StatusFault { code: 404, html: true, ..StatusFault::default() };
    let invalid = StatusFault { error_code: Some("INVALID_ATLAS_GROUP".to_owned()), html: false, ..html.clone() };
    let base_url = "check the account's `base_url`, and any proxy or gateway in between";
    for (endpoint, fault, code, subject, advice) in [
        (SimulatedEndpoint::Root, html.clone(), "unexpected_status", "credential", base_url),
        (SimulatedEndpoint::Groups, html, "unexpected_status", "projects", base_url),
        (SimulatedEndpoint::Groups, invalid, "INVALID_ATLAS_GROUP", "projects", "Atlas cannot load the project"),
    ] {
        atlas.simulator.clear_faults();
        atlas.simulator.fail(Fault { endpoint: Some(endpoint), ..Fault::new(Effect::Status(fault)) });
        let text = diagnosis(&atlas, &api_key).await;
        assert!(text.contains(&format!("\n{code}: {advice}")), "{text}");
        assert!(text.contains(&format!("  where: {subject}\n")) && text.ends_with("\n1 problem found\n"), "{text}");
    }
}

#[tokio::test]
async fn two_accounts_that_see_the_same_groups_are_a_problem() {
    let (atlas, folder) = (Atlas::start(&scenario()).await, tempfile::tempdir().unwrap());
    let [mut api_key, service_account] = configs(&atlas, &folder);
    api_key.accounts.extend(service_account.accounts);
    api_key.accounts[1].name = "other".to_owned();
    let text = diagnosis(&atlas, &api_key).await;
    let problem = "overlap: select each project in one account only, with `include` and `exclude` under `discover`\n  \
                   where: overlap\n  error: 2 projects are also visible to the account `main`; whichever account \
                   discovers a project first monitors it\n";
    assert!(text.contains(problem), "{text}");
    assert!(text.ends_with("1 problem found\n"), "{text}");
}

#[tokio::test]
async fn an_atlas_that_cannot_be_reached_is_a_problem() {
    let (atlas, folder) = (Atlas::start(&scenario()).await, tempfile::tempdir().unwrap());
    let [_, mut config] = configs(&atlas, &folder);
    config.accounts[0].base_url = "http://no-such-host.invalid".parse().unwrap();
    let text = diagnosis(&atlas, &config).await;
    assert!(
        text.contains("\ndns: check the account's `base_url` and `proxy_url`, and this machine's name servers\n"),
        "{text}"
    );
    assert!(text.contains("cannot reach `no-such-host.invalid`: "), "{text}");
    assert!(text.ends_with("1 problem found\n"), "{text}");
}
