//! What each resource has to say, once a request is allowed and paid for.

use serde_json::{Value, json};

use super::{
    Container, Group, Peering, Provider,
    answer::Answer,
    api_error::ApiError,
    asked::Asked,
    caller::Caller,
    inhabited::{Contained, Inhabited, Placed},
    page::{Endless, Page},
    peering::Shape,
    query::Query,
    resource::{content_type, find_group},
    route::Resource,
    state::State,
};

/// Of the key, whichever it is.
const KEY_ID: &str = "5f0000000000000000000003";

/// The recordings have such hashes.
const BUILD: &str = "0123456789abcdef0123456789abcdef01234567";

pub(super) fn answer(
    state: &State,
    asked: &Asked,
    query: &Query,
    resource: &Resource,
    caller: &Caller,
    endless: Option<Endless>,
) -> Result<Answer, ApiError> {
    let page = Page {
        path: &asked.path,
        form: query.form,
        part: &query.part,
        count_error: state.settings.count_error,
        endless,
        content_type: content_type(asked),
    };
    let answer = match resource {
        Resource::Root => single(asked, query, root(state, caller)),
        Resource::Groups => groups(state, asked, &page, |_| true),
        Resource::OrgGroups { org } => groups(state, asked, &page, |group| state.org_of(group) == org),
        Resource::Group { group } => {
            let group = find_group(state, asked, group)?;
            single(asked, query, group.body(version(asked), state.org_of(group)))
        }
        Resource::Peers { group } => peers(state, asked, &page, find_group(state, asked, group)?),
        Resource::Containers { group } => containers(state, &page, find_group(state, asked, group)?),
    };
    Ok(answer)
}

/// What is no list.
fn single(asked: &Asked, query: &Query, body: Value) -> Answer {
    let body = if query.form.envelope { json!({"status": 200, "content": body}) } else { body };
    Answer::of_resource("ok", 200, content_type(asked), query.form.written(&body))
}

fn root(state: &State, caller: &Caller) -> Value {
    let key = match caller {
        Caller::ServiceAccount(_) => Value::Null,
        Caller::ApiKey(public_key) => json!({
            "accessList": [],
            "id": KEY_ID,
            "publicKey": public_key,
            "roles": [{"orgId": state.settings.org_id, "roleName": "ORG_READ_ONLY"}],
        }),
    };
    json!({"apiKey": key, "appName": "MongoDB Atlas", "build": BUILD, "links": [], "throttling": false})
}

/// The groups that the caller sees, of those that are wanted.
fn groups(state: &State, asked: &Asked, page: &Page<'_>, wanted: impl Fn(&Inhabited) -> bool) -> Answer {
    let filter = &page.part.filter;
    let seen = |group: &&Inhabited| group.access && wanted(group) && filter.takes_name(&group.name);
    let list: Vec<_> = state.groups.iter().filter(seen).collect();
    let body = |group: &Inhabited| group.body(version(asked), state.org_of(group));
    page.of(&list, |group| body(group), |id| body(&Inhabited::empty(&Group::new(id, id, Vec::new()))))
}

fn peers(state: &State, asked: &Asked, page: &Page<'_>, group: &Inhabited) -> Answer {
    let shape = Shape { nulls: state.settings.nulls, provider_name: asked.route.is_v2() };
    let provider = page.part.filter.provider().unwrap_or(Provider::Aws);
    let list: Vec<_> = group.peerings.iter().filter(|placed| placed.peering.provider == provider).collect();
    let shown = |placed: &&Placed| placed.peering.body(&placed.id, shape);
    page.of(&list, shown, |id| Peering::new(provider, "AVAILABLE").body(id, shape))
}

fn containers(state: &State, page: &Page<'_>, group: &Inhabited) -> Answer {
    let nulls = state.settings.nulls;
    let shown = |contained: &Contained| contained.container.body(&contained.id, nulls);
    page.of(&group.containers, shown, |id| Container::new(Provider::Aws).body(id, nulls))
}

/// What the paths of this version begin with.
fn version(asked: &Asked) -> &'static str {
    if asked.route.is_v2() { "/api/atlas/v2" } else { "/api/atlas/v1.0" }
}
