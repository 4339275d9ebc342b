//! Groups, containers and the root of the API.

use serde_json::{Value, json};

use super::{ACCEPT_V2, GROUP_PATH, PEERS, Response, SCENARIO, TestServer, error};
use crate::{AccessList, ScenarioGroup};

const GROUPS: &str = "/api/atlas/v2/groups";
const ORG_GROUPS: &str = "/api/atlas/v2/orgs/5f0000000000000000000001/groups";
const CONTAINERS: &str = "/api/atlas/v2/groups/5f3a556351db42631e16f301/containers/all";
const MORE: &str = "  - id: 5f3a556351db42631e16f303
    name: Payments-staging
    org_id: 5f0000000000000000000009
    tags: {env: staging, team: shop}
    containers:
      - {provider: AWS, id: 5f3a8b6b0000000000000001, atlasCidrBlock: 192.168.248.0/21, regionName: EU_WEST_1}
      - {provider: AZURE, region: US_EAST_2, provisioned: true}
      - {provider: GCP}
";

fn server(settings: &str) -> TestServer {
    TestServer::new(&format!("{settings}{SCENARIO}{MORE}"))
}

fn names(response: &Response) -> Vec<String> {
    let body = response.json();
    let results = body["results"].as_array().unwrap();
    results.iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_groups_that_the_caller_can_see_are_listed_as_recorded() {
    let server = server("");
    let body = server.get(GROUPS, ACCEPT_V2).json();
    let link = |path: &str| json!([{"href": format!("https://cloud.mongodb.com{path}"), "rel": "self"}]);
    assert_eq!(body["links"], link("/api/atlas/v2/groups?includeCount=true&pageNum=1&itemsPerPage=100"));
    assert_eq!(body["totalCount"], 2, "the one without access is not listed");
    assert_eq!(
        body["results"][1],
        json!({
            "clusterCount": 0,
            "created": "2024-01-01T00:00:00Z",
            "id": "5f3a556351db42631e16f303",
            "links": link("/api/atlas/v2/groups/5f3a556351db42631e16f303"),
            "name": "Payments-staging",
            "orgId": "5f0000000000000000000009",
            "tags": [{"key": "env", "value": "staging"}, {"key": "team", "value": "shop"}],
            "withDefaultAlertsSettings": true,
        })
    );
    assert_eq!(server.get(&format!("{GROUPS}/5f3a556351db42631e16f303"), ACCEPT_V2).json(), body["results"][1]);
    assert_eq!(body["results"][0]["tags"], json!([]));
    let v1 = server.get("/api/atlas/v1.0/groups", "Accept: application/json\r\n");
    assert!(v1.has("content-type: application/json"), "{}", v1.head);
    assert_eq!(v1.json()["results"][1]["links"], link("/api/atlas/v1.0/groups/5f3a556351db42631e16f303"));
}

#[test]
fn two_hundred_and_fifty_groups_have_three_pages() {
    let server = TestServer::new("{}");
    for number in 0..250 {
        let group = ScenarioGroup::new(&format!("5f3a556351db42631e{number:06x}"), &format!("g{number}"), Vec::new());
        server.simulator.add_group(&group).unwrap();
    }
    for list in [GROUPS, ORG_GROUPS] {
        let page = |query: &str| server.get(&format!("{list}?{query}"), ACCEPT_V2);
        assert_eq!((page("").json()["totalCount"].clone(), names(&page("")).len()), (json!(250), 100));
        let pages: Vec<_> = (1..=4).flat_map(|number| names(&page(&format!("pageNum={number}")))).collect();
        assert_eq!(pages, (0..250).map(|number| format!("g{number}")).collect::<Vec<_>>());
        assert_eq!(names(&page("itemsPerPage=500")).len(), 250);
        assert!(names(&page("pageNum=4294967295")).is_empty());
        for (number, expected) in [(1, "self next"), (2, "previous self next"), (3, "previous self")] {
            let links = page(&format!("pageNum={number}")).json()["links"].clone();
            let rels: Vec<_> = links.as_array().unwrap().iter().map(|link| link["rel"].as_str().unwrap()).collect();
            assert_eq!(rels.join(" "), expected, "{list} {number}");
        }
    }
    assert_eq!((server.last().endpoint, server.last().provider), ("org_groups", None));
    server.get(&format!("{GROUPS}?pageNum=2&itemsPerPage=7"), ACCEPT_V2);
    let last = server.last();
    assert_eq!((last.endpoint, last.page_num, last.items_per_page), ("groups", Some(2), Some(7)));
}

#[test]
fn an_organization_lists_its_own_groups_by_the_prefix_of_their_names() {
    let server = server("");
    assert_eq!(names(&server.get(ORG_GROUPS, ACCEPT_V2)), ["payments"]);
    let other = ORG_GROUPS.replace("0001/", "0009/");
    assert_eq!(names(&server.get(&other, ACCEPT_V2)), ["Payments-staging"]);
    for (prefix, expected) in [("PAY", 1), ("payments-s", 1), ("staging", 0), ("", 1)] {
        assert_eq!(names(&server.get(&format!("{other}?name={prefix}"), ACCEPT_V2)).len(), expected, "{prefix}");
    }
    let group = ScenarioGroup::new("5f3a556351db42631e16f304", "\u{e9}T eins", Vec::new());
    server.simulator.add_group(&group).unwrap();
    let page = server.get(&format!("{ORG_GROUPS}?name=%C3%89t%20"), ACCEPT_V2);
    assert_eq!(names(&page), ["\u{e9}T eins"]);
    let link = &page.json()["links"][0]["href"];
    assert!(link.as_str().unwrap().ends_with("&name=%C3%89t+"), "{link}");
}

#[test]
fn the_containers_of_every_provider_are_one_list() {
    let server = server("");
    let containers = CONTAINERS.replace("301/", "303/");
    let body = server.get(&containers, ACCEPT_V2).json();
    assert_eq!(body["totalCount"], 3);
    let aws = json!({
        "id": "5f3a8b6b0000000000000001", "providerName": "AWS",
        "atlasCidrBlock": "192.168.248.0/21", "regionName": "EU_WEST_1",
    });
    assert_eq!((&body["results"][0], &body["results"][1]["region"]), (&aws, &json!("US_EAST_2")));
    assert_eq!(body["results"][1]["id"].as_str().unwrap().len(), 24);
    assert_eq!(body["results"][2]["providerName"], "GCP");
    let second = server.get(&format!("{containers}?itemsPerPage=2&pageNum=2"), ACCEPT_V2).json();
    assert_eq!(second["results"], json!([body["results"][2]]));
    assert_eq!(server.get(&containers.replace("v2", "v1.0"), "").json()["results"], body["results"]);
    assert_eq!(server.get(CONTAINERS, ACCEPT_V2).json()["results"], json!([]));
    assert_eq!(server.get(&CONTAINERS.replace("301/", "302/"), ACCEPT_V2).error(), error(401, "NOT_IN_GROUP"));
}

#[test]
fn peerings_and_containers_of_a_group_share_a_bucket() {
    let server = server("rate_limit: {capacity: 2, refill_per_minute: 1}");
    assert!(server.get(PEERS, ACCEPT_V2).has("ratelimit-remaining: 1"));
    assert!(server.get(CONTAINERS, ACCEPT_V2).has("ratelimit-remaining: 0"));
    assert_eq!([PEERS, CONTAINERS].map(|path| server.get(path, ACCEPT_V2).status), [429, 429]);
    assert_eq!(server.get(&CONTAINERS.replace("301/", "303/"), ACCEPT_V2).status, 200);
}

#[test]
fn each_caller_and_each_organization_has_a_bucket_for_lists_of_groups() {
    let limits = "rate_limit: {capacity: 1, refill_per_minute: 1}
group_list_rate_limit: {capacity: 1, refill_per_minute: 1}
org_rate_limit: {capacity: 1, refill_per_minute: 1}";
    let server = server(limits);
    let bearer = format!("{ACCEPT_V2}{}", server.bearer());
    assert_eq!([GROUPS, GROUPS].map(|path| server.get(path, ACCEPT_V2).status), [200, 429]);
    assert_eq!(server.request("GET", GROUPS, &bearer, "").status, 200, "another caller");
    assert_eq!([PEERS, ORG_GROUPS].map(|path| server.get(path, ACCEPT_V2).status), [200, 200], "other buckets");
    assert_eq!(server.request("GET", ORG_GROUPS, &bearer, "").status, 429, "the same organization");
    assert_eq!(server.get(&ORG_GROUPS.replace("0001/", "0009/"), ACCEPT_V2).status, 200, "another organization");
}

#[test]
fn the_buckets_have_the_documented_sizes() {
    let server = server("");
    let root = "/api/atlas/v2";
    for (path, capacity) in [(GROUPS, 1200), (ORG_GROUPS, 500), (CONTAINERS, 2000), (GROUP_PATH, 1200), (root, 300)] {
        assert!(server.get(path, ACCEPT_V2).has(&format!("ratelimit-limit: {capacity}")), "{path}");
    }
}

#[test]
fn the_root_describes_the_key_of_the_caller() {
    let server = server("");
    let root = server.get("/api/atlas/v2", ACCEPT_V2).json();
    assert_eq!(root["appName"], "MongoDB Atlas");
    assert_eq!((&root["throttling"], &root["links"]), (&json!(false), &json!([])));
    let roles = json!([{"orgId": "5f0000000000000000000001", "roleName": "ORG_READ_ONLY"}]);
    let id = "5f0000000000000000000003";
    assert_eq!(root["apiKey"], json!({"id": id, "publicKey": "demo", "accessList": [], "roles": roles}));
    let of_account = server.request("GET", "/api/atlas/v2", &format!("{ACCEPT_V2}{}", server.bearer()), "").json();
    assert_eq!((&of_account["apiKey"], &of_account["appName"]), (&Value::Null, &root["appName"]));
    assert_eq!(server.get("/api/atlas/v1.0?envelope=true", "").json()["content"], root);
    assert_eq!(server.last().endpoint, "root");
}

#[test]
fn every_response_of_a_resource_announces_its_end() {
    let server = server("deprecation: Mon, 5 Aug 2024 00:00:00 GMT\nsunset: Thu, 1 Jul 2027 00:00:00 GMT");
    let announced = |response: &Response| {
        response.has("deprecation: Mon, 5 Aug 2024 00:00:00 GMT")
            && response.has("sunset: Thu, 1 Jul 2027 00:00:00 GMT")
    };
    for (path, status) in [(PEERS, 200), (GROUPS, 200), ("/api/atlas/v2/groups/111111111111111111111111", 404)] {
        let response = server.get(path, ACCEPT_V2);
        assert!(response.status == status && announced(&response), "{path}: {}", response.head);
    }
    server.simulator.set_access_list(AccessList::Deny);
    assert!(announced(&server.get(PEERS, ACCEPT_V2)));
    assert!(
        !announced(&server.request("GET", PEERS, ACCEPT_V2, "")) && !announced(&server.mint()),
        "no resource responds"
    );
}
