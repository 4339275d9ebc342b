//! What the workflows and images are made of is pinned, and no job may do more than it needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_yaml::Value;

use crate::markdown::read;

/// The only jobs that may write anything, and what.
const WRITERS: [(&str, &str, &[&str]); 3] = [
    ("release.yml", "image", &["packages"]),
    ("release.yml", "attest", &["attestations", "id-token", "packages"]),
    ("release.yml", "release", &["contents"]),
];

const FOLDER: &str = ".github/workflows";

/// The names and texts of the workflows.
fn workflows() -> Vec<(String, String)> {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let workflows: Vec<_> = names.map(|name| (name.clone(), read(&format!("{FOLDER}/{name}")))).collect();
    assert!(workflows.len() >= 2);
    workflows
}

/// The jobs of a workflow by name.
fn jobs(text: &str) -> BTreeMap<String, Value> {
    let workflow: Value = serde_yaml::from_str(text).unwrap();
    assert_eq!(workflow["permissions"], Value::Mapping(serde_yaml::Mapping::new()), "each job has its own permissions");
    serde_yaml::from_value(workflow["jobs"].clone()).unwrap()
}

fn uses(job: &Value) -> Vec<&str> {
    let steps = job["steps"].as_sequence().into_iter().flatten().filter_map(|step| step["uses"].as_str());
    steps.chain(job["uses"].as_str()).collect()
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// A tag, which says what it is, and a digest, which decides what is used.
fn assert_pinned(image: &str, place: &str) {
    let pinned = image.split_once("@sha256:").is_some_and(|(name, digest)| {
        let tag = name.rsplit('/').next().unwrap().split_once(':').map_or("", |(_, tag)| tag);
        !tag.is_empty() && tag != "latest" && is_hex(digest, 64)
    });
    assert!(pinned, "`{image}` in {place} has no tag and digest");
}

#[test]
fn actions_are_pinned_by_commit_and_named_by_version() {
    let mut versions = BTreeMap::<String, String>::new();
    for (name, text) in workflows() {
        let lines: Vec<&str> =
            text.lines().filter_map(|line| line.split_once("uses: ").map(|(_, used)| used)).collect();
        assert!(!lines.is_empty(), "{name}");
        for used in lines.into_iter().filter(|used| !used.starts_with("./")) {
            let (action, pin) = used.split_once('@').unwrap_or((used, ""));
            let (commit, version) = pin.split_once(" # v").unwrap_or((pin, ""));
            assert!(is_hex(commit, 40) && version.split('.').count() == 3, "`{used}` in {name}");
            let known = versions.entry(action.to_owned()).or_insert_with(|| pin.to_owned());
            assert_eq!(known, pin, "{action} has two versions");
        }
    }
}

#[test]
fn images_are_pinned_by_digest() {
    let mut images: Vec<(String, &str)> = Vec::new();
    for file in ["Dockerfile", "deploy/image/Dockerfile"] {
        let text = read(file);
        assert!(!text.contains("# syntax="), "{file} needs no frontend from a registry");
        let from =
            text.lines().filter_map(|line| line.strip_prefix("FROM ")).map(|from| from.split(' ').next().unwrap());
        images.extend(from.map(|image| (image.to_owned(), file)));
    }
    let compose: Value = serde_yaml::from_str(&read("deploy/compose/compose.yaml")).unwrap();
    for service in compose["services"].as_mapping().unwrap().values().filter(|service| service["build"].is_null()) {
        images.push((service["image"].as_str().unwrap().to_owned(), "compose.yaml"));
    }
    for (_, text) in workflows() {
        for job in jobs(&text).values() {
            assert!(job["services"].is_null(), "not looked at here");
            images.extend(job["container"].as_str().map(|image| (image.to_owned(), FOLDER)));
        }
        images.extend(text.split("image=").skip(1).map(|rest| (rest.lines().next().unwrap().to_owned(), FOLDER)));
    }
    assert!(images.len() >= 10, "{images:?}");
    let mut names = BTreeMap::new();
    for (image, place) in &images {
        assert_pinned(image, place);
        let (name, digest) = image.split_once('@').unwrap();
        assert_eq!(names.entry(name).or_insert(digest), &digest, "`{name}` has two digests");
    }
}

#[test]
fn a_job_has_the_permissions_that_it_needs_and_no_action_of_others_beside_them() {
    let mut writers = BTreeSet::new();
    for (name, text) in workflows() {
        for (job, value) in jobs(&text) {
            let permissions: BTreeMap<String, String> = serde_yaml::from_value(value["permissions"].clone())
                .unwrap_or_else(|error| panic!("{job} in {name} states no permissions: {error}"));
            let written: Vec<&str> =
                permissions.iter().filter(|(_, access)| *access == "write").map(|(what, _)| what.as_str()).collect();
            let allowed = WRITERS.iter().find(|(file, writer, _)| (*file, *writer) == (&*name, &*job));
            assert_eq!(written, allowed.map_or(&[][..], |(_, _, what)| what), "{job} in {name}");
            let foreign = uses(&value).into_iter().find(|used| !used.starts_with("actions/"));
            assert!(written.is_empty() || foreign.is_none(), "{foreign:?} beside {written:?} in {job}");
            if !written.is_empty() {
                writers.insert(job.clone());
            }
            for step in value["steps"].as_sequence().into_iter().flatten() {
                if step["uses"].as_str().is_some_and(|used| used.starts_with("actions/checkout@")) {
                    assert_eq!(step["with"]["persist-credentials"], Value::from(false), "{job} in {name}");
                }
            }
        }
        // A title of a pull request could become a command.
        for line in text.lines().filter(|line| line.contains("${{")) {
            assert!(!line.contains("github.event") && !line.contains("github.head_ref"), "{name}: {line}");
        }
    }
    assert_eq!(writers.len(), WRITERS.len());
}

#[test]
fn what_is_released_is_checked_attested_and_updated() {
    let texts: BTreeMap<String, String> = workflows().into_iter().collect();
    let (ci, release) = (jobs(&texts["ci.yml"]), jobs(&texts["release.yml"]));
    let runs = |job: &Value| {
        let steps = job["steps"].as_sequence().into_iter().flatten().filter_map(|step| step["run"].as_str());
        steps.collect::<Vec<_>>().join("\n")
    };
    assert!(runs(&ci["dependencies"]).contains("check-dependencies DENY='advisories bans licenses sources'"));
    let attested = release["attest"]["steps"].as_sequence().unwrap().iter();
    let subjects: Vec<_> =
        attested.filter(|step| step["uses"].as_str().is_some_and(|used| used.contains("/attest-"))).collect();
    assert_eq!(subjects[0]["with"]["subject-checksums"], Value::from("dist/SHA256SUMS"));
    assert_eq!(subjects[1]["with"]["subject-digest"], Value::from("${{ needs.image.outputs.digest }}"));
    assert_eq!(release["release"]["needs"], Value::from("attest"), "nothing is published without attestations");
    let renovate: serde_json::Value = serde_json::from_str(&read(".github/renovate.json")).unwrap();
    for preset in ["docker:pinDigests", "helpers:pinGitHubActionDigests"] {
        assert!(renovate["extends"].as_array().unwrap().contains(&preset.into()), "{preset}");
    }
}
