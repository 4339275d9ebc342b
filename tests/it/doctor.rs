//! Every error of the API, with both kinds of credentials: the reason it is counted under, and what `doctor` advises.

use std::{fmt::Write as _, fs, time::Duration};

use atlas::Provider;
use atlas_simulator::{AccessList, Credentials, Effect, Fault, SimulatedEndpoint, StatusFault};
use insta::assert_snapshot;
use mongodbatlas_peering_exporter::{
    commands::doctor,
    config::{Config, PollConfig},
};
use tempfile::TempDir;

use crate::rig::{Asker, Atlas, GROUP, OTHER, quick};

/// What Atlas answers instead of peerings.
const ERRORS: [(u16, &str); 25] = [
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
    // Shorter than the first pause before a request is repeated.
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
async fn examined(atlas: &Atlas, config: &Config) -> String {
    let text = doctor::examine(config).await.unwrap().text();
    text.replace(&atlas.address.to_string(), "ATLAS")
}

/// The reason and the advice for an error of the first group's peerings.
async fn told(atlas: &Atlas, config: &Config, code: &str) -> String {
    let asker = Asker::new(config.accounts[0].settings(&config.poll));
    let error = asker.list_within(Provider::Aws, Duration::from_millis(400)).await.unwrap_err();
    let text = examined(atlas, config).await;
    let begin = format!("{code}: ");
    let advice = text.lines().find_map(|line| line.strip_prefix(&begin));
    let advice = advice.unwrap_or_else(|| panic!("no advice for {code}:\n{text}"));
    format!("{}: {advice}", error.kind.reason().as_str())
}

#[tokio::test]
async fn every_error_has_its_reason_and_its_advice_with_both_kinds_of_credentials() {
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
        let with_key = told(&atlas, &api_key, code).await;
        assert_eq!(told(&atlas, &service_account, code).await, with_key, "{status} {code}");
        writeln!(table, "{status} {code} is {with_key}").unwrap();
    }
    assert_snapshot!(table, @"
    400 INVALID_ENUM_VALUE is unexpected_status: check `base_url` and `api_version`; an API version may have ended
    400 INVALID_QUERY_PARAMETER is unexpected_status: check `base_url` and `api_version`; an API version may have ended
    400 INVALID_PROVIDER is unexpected_status: check `base_url` and `api_version`; an API version may have ended
    400 VALIDATION_ERROR is unexpected_status: check `base_url` and `api_version`; an API version may have ended
    400 PATH_PARAM_PARSE_ERROR is unexpected_status: check the ids of groups and organizations in the config
    401 UNEXPECTED_ERROR is unauthorized: Atlas does not accept the account's credential: check both halves of it
    401 NOT_IN_GROUP is forbidden: give the credential the role Project Read Only in this group, and check the group's id
    401 USER_CANNOT_ACCESS_GROUP is forbidden: give the credential the role Project Read Only in this group, and check the group's id
    401 USER_UNAUTHORIZED is forbidden: give the credential the role Project Read Only in this group; check that billing is in order
    401 USER_CANNOT_ACCESS_ORG is forbidden: the credential has no role in this organization, or belongs to another one: check the organization's id
    402 ACCOUNT_SUSPENDED is forbidden: Atlas suspended the organization: see to its billing
    403 IP_ADDRESS_NOT_ON_ACCESS_LIST is ip_access_list: put the address this exporter calls from on the access list of the credential
    403 IP_ADDRESS_NOT_ON_WHITELIST is ip_access_list: put the address this exporter calls from on the access list of the credential
    403 ORG_REQUIRES_ACCESS_LIST is ip_access_list: the organization demands an access list: give the credential one, with the address this exporter calls from
    404 GROUP_NOT_FOUND is not_found: check the group's id; a group that was deleted leaves where groups are discovered, else take it out of the config
    404 INVALID_GROUP_ID is not_found: check the group's id; a group that was deleted leaves where groups are discovered, else take it out of the config
    404 NOT_ATLAS_GROUP is not_found: check the group's id; a group that was deleted leaves where groups are discovered, else take it out of the config
    404 RESOURCE_NOT_FOUND is not_found: check the group's id; a group that was deleted leaves where groups are discovered, else take it out of the config
    404 PEER_NOT_FOUND is not_found: check the group's id; a group that was deleted leaves where groups are discovered, else take it out of the config
    406 INVALID_VERSION_DATE is unexpected_status: check `base_url` and `api_version`; an API version may have ended
    410 VERSION_GONE is unexpected_status: this version of the API has ended: set `api_version: v2`, or install a newer exporter
    429 RATE_LIMITED_TOKEN_BUCKET is rate_limited: something asks Atlas too often; raise `poll.interval` or find the other caller
    429 RATE_LIMITED is rate_limited: something asks Atlas too often; raise `poll.interval` or find the other caller
    500 UNEXPECTED_ERROR is server: Atlas itself fails; see its status page
    503 SERVICE_UNAVAILABLE is server: Atlas itself fails; see its status page
    ");
}

#[tokio::test]
async fn all_is_well() {
    let (atlas, folder) = (Atlas::start(&scenario()).await, tempfile::tempdir().unwrap());
    let [api_key, service_account] = configs(&atlas, &folder);
    assert!(doctor::examine(&api_key).await.unwrap().is_well());
    assert!(doctor::examine(&service_account).await.unwrap().is_well());
    assert_eq!(atlas.simulator.live_tokens(), 0, "its token is revoked");
    assert_snapshot!(examined(&atlas, &service_account).await, @"
    account `main` at http://ATLAS/

    CHECK        RESULT  FOUND
    credential   ok      service account `mdb_sa_id_5f0000000000000000000002` is accepted
    access list  ok      this address may call
    groups       ok      2 of 2 are watched; requests left: 1998 of 2000

    GROUP                     NAME    AWS  AZURE  GCP  REQUESTS LEFT  RESULT
    5e57d85c854180642f784401  shop    2    0      1    1991 of 2000   ok
    5e57d85c854180642f784402  bank ü  0    0      0    1991 of 2000   ok

    all is well
    ");
}

#[tokio::test]
async fn a_credential_that_is_refused_is_told_and_nothing_else_is_asked() {
    let (atlas, folder) = (Atlas::start(&scenario()).await, tempfile::tempdir().unwrap());
    let configs = configs(&atlas, &folder);
    atlas.simulator.set_credentials(Credentials { public_key: "demo".to_owned(), private_key: "other".to_owned() });
    atlas.simulator.set_client(&atlas.scenario.service_account.client_id, "other");
    let mut text = String::new();
    for config in configs {
        text += &examined(&atlas, &config).await;
    }
    assert_snapshot!(text, @"
    account `main` at http://ATLAS/

    CHECK        RESULT            FOUND
    credential   UNEXPECTED_ERROR  Atlas answered status 401 `UNEXPECTED_ERROR`: You are not authorized for this resource
    access list  not checked
    groups       not checked

    UNEXPECTED_ERROR: Atlas does not accept the account's credential: check both halves of it
      where: credential
      what: Atlas answered status 401 `UNEXPECTED_ERROR`: You are not authorized for this resource

    not all is well
    account `main` at http://ATLAS/

    CHECK        RESULT          FOUND
    credential   invalid_client  no access token: Atlas answered status 401 `invalid_client`: Invalid credentials provided
    access list  not checked
    groups       not checked

    invalid_client: check the client id and the client secret, and in Atlas whether the secret has expired
      where: credential
      what: no access token: Atlas answered status 401 `invalid_client`: Invalid credentials provided

    not all is well
    ");
    assert_eq!(atlas.count("root", &["bad_credentials"]) + atlas.count("token", &["bad_credentials"]), 2);
    assert_eq!(atlas.count("peers", &["ok"]) + atlas.count("groups", &["ok"]), 0);
}

#[tokio::test]
async fn an_address_that_is_not_listed_is_told_as_atlas_sees_it() {
    let (atlas, folder) = (Atlas::start(&scenario()).await, tempfile::tempdir().unwrap());
    atlas.simulator.set_access_list(AccessList::Deny);
    let [api_key, service_account] = configs(&atlas, &folder);
    let with_key = examined(&atlas, &api_key).await;
    assert_snapshot!(with_key, @"
    account `main` at http://ATLAS/

    CHECK        RESULT                         FOUND
    credential   ok                             API key `demo` is accepted
    access list  IP_ADDRESS_NOT_ON_ACCESS_LIST  Atlas answered status 403 `IP_ADDRESS_NOT_ON_ACCESS_LIST`: IP address 203.0.113.7 is not allowed to access this resource
    groups       not checked

    IP_ADDRESS_NOT_ON_ACCESS_LIST: put the address this exporter calls from on the access list of the credential
      where: access list
      what: Atlas answered status 403 `IP_ADDRESS_NOT_ON_ACCESS_LIST`: IP address 203.0.113.7 is not allowed to access this resource

    not all is well
    ");
    let with_token = examined(&atlas, &service_account).await;
    let id = &atlas.scenario.service_account.client_id;
    assert_eq!(with_token.replace(&format!("service account `{id}`"), "API key `demo`"), with_key);
}

#[tokio::test]
async fn what_is_wrong_in_several_places_is_told_once() {
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
    assert_snapshot!(examined(&atlas, &service_account).await, @"
    account `main` at http://ATLAS/

    CHECK        RESULT  FOUND
    credential   ok      service account `mdb_sa_id_5f0000000000000000000002` is accepted
    access list  ok      this address may call
    groups       ok      2 of 2 are watched; requests left: 1999 of 2000

    GROUP                     NAME    AWS  AZURE  GCP  REQUESTS LEFT  RESULT
    5e57d85c854180642f784401  shop    ?    ?      ?    -              NOT_IN_GROUP
    5e57d85c854180642f784402  bank ü  ?    ?      ?    -              NOT_IN_GROUP, server

    NOT_IN_GROUP: give the credential the role Project Read Only in this group, and check the group's id
      where: group 5e57d85c854180642f784401 (AWS, AZURE, GCP), group 5e57d85c854180642f784402 (AWS, AZURE)
      what: Atlas answered status 401 `NOT_IN_GROUP`: You are not authorized for this resource

    server: Atlas itself fails; see its status page
      where: group 5e57d85c854180642f784402 (GCP)
      what: not complete after 400ms; before that, Atlas answered status 503

    not all is well
    ");
}

#[tokio::test]
async fn a_credential_that_sees_nothing_or_not_the_list_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let atlas = Atlas::start(&format!("groups: [{{id: {GROUP}, name: closed, access: false}}]")).await;
    let [_, service_account] = configs(&atlas, &folder);
    let nothing = examined(&atlas, &service_account).await;
    let suspended = StatusFault { code: 402, ..StatusFault::default() };
    atlas.simulator.fail(Fault { endpoint: Some(SimulatedEndpoint::Groups), ..Fault::new(Effect::Status(suspended)) });
    assert_snapshot!(nothing + &examined(&atlas, &service_account).await, @"
    account `main` at http://ATLAS/

    CHECK        RESULT    FOUND
    credential   ok        service account `mdb_sa_id_5f0000000000000000000002` is accepted
    access list  ok        this address may call
    groups       no_group  the credential sees 0 groups, and none of them is watched

    no_group: give the credential Organization Read Only, or Project Read Only in each group to watch
      where: groups
      what: the credential sees 0 groups, and none of them is watched

    not all is well
    account `main` at http://ATLAS/

    CHECK        RESULT             FOUND
    credential   ok                 service account `mdb_sa_id_5f0000000000000000000002` is accepted
    access list  ok                 this address may call
    groups       ACCOUNT_SUSPENDED  Atlas answered status 402 `ACCOUNT_SUSPENDED`: This account is suspended

    ACCOUNT_SUSPENDED: Atlas suspended the organization: see to its billing
      where: groups
      what: Atlas answered status 402 `ACCOUNT_SUSPENDED`: This account is suspended

    not all is well
    ");
}

#[tokio::test]
async fn two_accounts_that_see_the_same_groups_are_told() {
    let (atlas, folder) = (Atlas::start(&scenario()).await, tempfile::tempdir().unwrap());
    let [mut api_key, service_account] = configs(&atlas, &folder);
    api_key.accounts.extend(service_account.accounts);
    api_key.accounts[1].name = "other".to_owned();
    let text = examined(&atlas, &api_key).await;
    let told = "overlap: let one account see them only: `include` and `exclude` under `discover` choose\n  where: overlap\n  \
                what: 2 groups are seen by the account `main` too; whichever finds them first watches them\n";
    assert!(text.contains(told), "{text}");
}

#[tokio::test]
async fn an_atlas_that_cannot_be_reached_is_told() {
    let (atlas, folder) = (Atlas::start(&scenario()).await, tempfile::tempdir().unwrap());
    let [_, mut config] = configs(&atlas, &folder);
    config.accounts[0].base_url = "http://no-such-host.invalid".parse().unwrap();
    let text = examined(&atlas, &config).await;
    assert!(
        text.contains("\ndns: check the account's `base_url` and `proxy_url`, and the name servers of this machine\n"),
        "{text}"
    );
    assert!(text.contains("`no-such-host.invalid` cannot be reached: "), "{text}");
    assert!(text.ends_with("not all is well\n"), "{text}");
}
