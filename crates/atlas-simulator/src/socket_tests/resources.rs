//! The resources besides the peerings: groups, containers and the root of the API.

use serde_json::{Value, json};

use super::{PEERS, Response, SCENARIO, Served, V2};
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

fn served(settings: &str) -> Served {
    Served::new(&format!("{settings}{SCENARIO}{MORE}"))
}

fn names(response: &Response) -> Vec<String> {
    let body = response.json();
    let results = body["results"].as_array().unwrap();
    results.iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_groups_that_the_caller_sees_are_listed_as_recorded() {
    let served = served("");
    let body = served.get(GROUPS, V2).json();
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
    assert_eq!(served.get(&format!("{GROUPS}/5f3a556351db42631e16f303"), V2).json(), body["results"][1]);
    assert_eq!(body["results"][0]["tags"], json!([]));
    let v1 = served.get("/api/atlas/v1.0/groups", "Accept: application/json\r\n");
    assert!(v1.head.contains("content-type: application/json\r\n"), "{}", v1.head);
    assert_eq!(v1.json()["results"][1]["links"], link("/api/atlas/v1.0/groups/5f3a556351db42631e16f303"));
}

#[test]
fn two_hundred_and_fifty_groups_come_page_by_page() {
    let served = Served::new("{}");
    for number in 0..250 {
        let group = ScenarioGroup::new(&format!("5f3a556351db42631e{number:06x}"), &format!("g{number}"), Vec::new());
        served.simulator.add_group(&group).unwrap();
    }
    for list in [GROUPS, ORG_GROUPS] {
        let page = |query: &str| served.get(&format!("{list}?{query}"), V2);
        assert_eq!((page("").json()["totalCount"].clone(), names(&page("")).len()), (json!(250), 100));
        let pages: Vec<_> = (1..=3).flat_map(|number| names(&page(&format!("pageNum={number}")))).collect();
        assert_eq!(pages, (0..250).map(|number| format!("g{number}")).collect::<Vec<_>>());
        assert!(names(&page("pageNum=4")).is_empty());
        assert_eq!(names(&page("itemsPerPage=500")).len(), 250);
        assert_eq!(page("itemsPerPage=501").error_code(), "INVALID_QUERY_PARAMETER");
    }
    let last = served.last();
    assert_eq!((last.endpoint, last.provider), ("org_groups", None));
    served.get(&format!("{GROUPS}?pageNum=2&itemsPerPage=7"), V2);
    let last = served.last();
    assert_eq!((last.endpoint, last.page_num, last.items_per_page), ("groups", Some(2), Some(7)));
}

#[test]
fn an_organization_lists_its_own_groups_by_the_beginning_of_their_names() {
    let served = served("");
    assert_eq!(names(&served.get(ORG_GROUPS, V2)), ["payments"]);
    let other = ORG_GROUPS.replace("0001/", "0009/");
    assert_eq!(names(&served.get(&other, V2)), ["Payments-staging"]);
    for (beginning, expected) in [("PAY", 1), ("payments-s", 1), ("staging", 0), ("", 1)] {
        let response = served.get(&format!("{other}?name={beginning}"), V2);
        assert_eq!(names(&response).len(), expected, "{beginning}");
    }
    let link = &served.get(&format!("{other}?name=PAY"), V2).json()["links"][0]["href"];
    assert!(link.as_str().unwrap().ends_with("&name=PAY"), "{link}");
}

#[test]
fn another_organization_is_refused() {
    let served = served("");
    for (org, status, code) in
        [("5f00000000000000000000ff", 401, "USER_CANNOT_ACCESS_ORG"), ("nonsense", 400, "PATH_PARAM_PARSE_ERROR")]
    {
        let response = served.get(&format!("/api/atlas/v2/orgs/{org}/groups"), V2);
        assert_eq!((response.status, response.error_code().as_str()), (status, code));
        assert!(!response.head.contains("www-authenticate") && !response.head.contains("ratelimit"));
    }
}

#[test]
fn the_containers_of_every_provider_come_in_one_list() {
    let served = served("");
    let containers = CONTAINERS.replace("301/", "303/");
    let body = served.get(&containers, V2).json();
    assert_eq!(body["totalCount"], 3);
    let aws = json!({
        "id": "5f3a8b6b0000000000000001", "providerName": "AWS",
        "atlasCidrBlock": "192.168.248.0/21", "regionName": "EU_WEST_1",
    });
    assert_eq!(body["results"][0], aws);
    assert_eq!(body["results"][1]["region"], "US_EAST_2");
    assert_eq!(body["results"][1]["id"].as_str().unwrap().len(), 24);
    assert_eq!(body["results"][2]["providerName"], "GCP");
    assert_eq!(
        served.get(&format!("{containers}?itemsPerPage=2&pageNum=2"), V2).json()["results"],
        json!([body["results"][2]])
    );
    let v1 = served.get(&containers.replace("v2", "v1.0"), "");
    assert_eq!(v1.json()["results"], body["results"]);
    assert_eq!(served.get(&format!("{containers}?providerName=AWS"), V2).error_code(), "INVALID_QUERY_PARAMETER");
    assert_eq!(served.get(CONTAINERS, V2).json()["results"], json!([]));
    assert_eq!(served.get(&CONTAINERS.replace("301/", "302/"), V2).error_code(), "NOT_IN_GROUP");
}

#[test]
fn peerings_and_containers_of_a_group_share_a_bucket() {
    let served = served("rate_limit: {capacity: 2, refill_per_minute: 1}");
    assert!(served.get(PEERS, V2).head.contains("ratelimit-remaining: 1\r\n"));
    assert!(served.get(CONTAINERS, V2).head.contains("ratelimit-remaining: 0\r\n"));
    assert_eq!(served.get(PEERS, V2).status, 429);
    assert_eq!(served.get(CONTAINERS, V2).status, 429);
    assert_eq!(served.get(&CONTAINERS.replace("301/", "303/"), V2).status, 200);
}

#[test]
fn the_bucket_of_the_list_of_groups_is_the_users() {
    let limits = "rate_limit: {capacity: 1, refill_per_minute: 1}
group_list_rate_limit: {capacity: 1, refill_per_minute: 1}
org_rate_limit: {capacity: 1, refill_per_minute: 1}";
    let served = served(limits);
    let bearer = served.bearer();
    assert_eq!((served.get(GROUPS, V2).status, served.get(GROUPS, V2).status), (200, 429));
    assert_eq!(served.ask("GET", GROUPS, &format!("{V2}{bearer}"), "").status, 200, "another user");
    assert_eq!(served.get(PEERS, V2).status, 200, "another bucket");
    assert_eq!(served.get(ORG_GROUPS, V2).status, 200, "another bucket");
    assert_eq!(served.ask("GET", ORG_GROUPS, &format!("{V2}{bearer}"), "").status, 429, "the organization's");
    assert_eq!(served.get(&ORG_GROUPS.replace("0001/", "0009/"), V2).status, 200, "another organization's");
}

#[test]
fn the_usual_sizes_of_the_buckets_are_those_of_the_reference() {
    let served = served("");
    for (path, capacity) in [(GROUPS, 1200), (ORG_GROUPS, 500), (CONTAINERS, 2000), ("/api/atlas/v2", 300)] {
        let head = served.get(path, V2).head;
        assert!(head.contains(&format!("ratelimit-limit: {capacity}\r\n")), "{path}: {head}");
    }
}

#[test]
fn the_root_says_whose_key_it_is() {
    let served = served("");
    let root = served.get("/api/atlas/v2", V2).json();
    assert_eq!(
        (&root["appName"], &root["throttling"], &root["links"]),
        (&json!("MongoDB Atlas"), &json!(false), &json!([]))
    );
    let key = &root["apiKey"];
    assert_eq!((&key["publicKey"], &key["accessList"]), (&json!("demo"), &json!([])));
    assert_eq!(key["roles"], json!([{"orgId": "5f0000000000000000000001", "roleName": "ORG_READ_ONLY"}]));
    let of_account = served.ask("GET", "/api/atlas/v2", &format!("{V2}{}", served.bearer()), "").json();
    assert_eq!((&of_account["apiKey"], &of_account["appName"]), (&Value::Null, &root["appName"]));
    assert_eq!(served.get("/api/atlas/v1.0?envelope=true", "").json()["content"], root);
    assert_eq!(served.last().endpoint, "root");
}

#[test]
fn the_end_of_a_resource_is_announced_with_every_answer_of_it() {
    let served = served("deprecation: Mon, 5 Aug 2024 00:00:00 GMT\nsunset: Thu, 1 Jul 2027 00:00:00 GMT");
    let announced = |response: &Response| {
        response.head.contains("deprecation: Mon, 5 Aug 2024 00:00:00 GMT\r\n")
            && response.head.contains("sunset: Thu, 1 Jul 2027 00:00:00 GMT")
    };
    for (path, status) in [(PEERS, 200), (GROUPS, 200), ("/api/atlas/v2/groups/111111111111111111111111", 404)] {
        let response = served.get(path, V2);
        assert!(response.status == status && announced(&response), "{path}: {}", response.head);
    }
    served.simulator.set_access_list(AccessList::Deny);
    assert!(announced(&served.get(PEERS, V2)));
    assert!(!announced(&served.ask("GET", PEERS, V2, "")), "a challenge is no answer of a resource");
    assert!(!announced(&served.mint()), "nor is a token");
    served.simulator.set_sunset(None);
    let head = served.get(PEERS, V2).head;
    assert!(head.contains("deprecation: ") && !head.contains("sunset: "), "{head}");
}

#[test]
fn other_paths_are_logged_as_unknown() {
    let served = served("");
    assert_eq!(served.get("/api/atlas/v2/groups/5f3a556351db42631e16f301/clusters", V2).status, 404);
    assert_eq!((served.last().endpoint, served.last().outcome), ("unknown", "not_found"));
}
