//! The command `once`: metrics on standard output, the result as exit status.

use crate::{
    process::{exporter, run},
    setup::{Atlas, GROUP, SCENARIO, config, folder, write_config},
};

const MISSING: &str = "5e57d85c854180642f78440f";

fn poll_success(group: &str, provider: &str, value: u8) -> String {
    format!(
        "mongodbatlas_peering_poll_success{{account=\"default\",group_id=\"{group}\",provider=\"{provider}\"}} {value}\n"
    )
}

#[test]
fn once_prints_the_metrics_and_succeeds_if_every_poll_does() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "payments")]));
    let ended = run(exporter(folder.path(), ["once"]));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    for provider in ["AWS", "AZURE", "GCP"] {
        assert!(ended.stdout.contains(&poll_success(GROUP, provider, 1)), "{}", ended.stdout);
    }
    let peerings = ended.stdout.lines().filter(|line| line.starts_with("mongodbatlas_network_peering_status{")).count();
    assert_eq!(peerings, 6);
    let is_exposition = |line: &str| line.starts_with("# ") || line.starts_with("mongodbatlas_");
    assert!(ended.stdout.lines().all(is_exposition), "only metrics on standard output: {}", ended.stdout);
}

#[test]
fn once_fails_if_a_group_is_missing_but_prints_the_others() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    write_config(folder.path(), &config(&atlas.url(), &[(GROUP, "payments"), (MISSING, "typo")]));
    let ended = run(exporter(folder.path(), ["once"]));
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    for provider in ["AWS", "AZURE", "GCP"] {
        assert!(ended.stdout.contains(&poll_success(GROUP, provider, 1)), "{}", ended.stdout);
        assert!(ended.stdout.contains(&poll_success(MISSING, provider, 0)), "{}", ended.stdout);
        let reasons: Vec<&str> =
            ended.stderr.lines().filter(|line| line.contains(provider) && line.contains("polls failing")).collect();
        let [reason] = reasons.as_slice() else { panic!("one line per listing: {}", ended.stderr) };
        for word in [" WARN ", MISSING, "typo", "404", "not_found"] {
            assert!(reason.contains(word), "{word}: {reason}");
        }
    }
}

#[test]
fn once_fails_if_atlas_cannot_be_reached() {
    let folder = folder();
    write_config(folder.path(), &config("http://127.0.0.1:9", &[(GROUP, "payments")]));
    let ended = run(exporter(folder.path(), ["once"]));
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert!(ended.stdout.contains(&poll_success(GROUP, "AWS", 0)), "{}", ended.stdout);
    assert!(!ended.stdout.contains("mongodbatlas_network_peering_status{"), "{}", ended.stdout);
}
