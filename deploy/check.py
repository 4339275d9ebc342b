#!/usr/bin/python3
"""Checks deploy/ with the programs that read it: systemd-analyze, helm, promtool and the exporter itself.

usage: check.py HELM EXPORTER
"""

import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
CHART = HERE / "kubernetes"
UNIT = HERE / "systemd" / "mongodbatlas-peering-exporter.service"
HELM, EXPORTER = (pathlib.Path(arg).resolve() for arg in sys.argv[1:3])

LEAST = {
    "existingSecret": "atlas",
    "config": {"accounts": [{"client_id": "mdb_sa_id_0123456789abcdef01234567", "client_secret_file": "client-secret"}]},
}
SHARDS = {**LEAST, "shards": {"count": 3}}
ALL = {
    **LEAST,
    "config": {
        "poll": {"interval": "2m", "concurrency": 4, "containers": False},
        "accounts": [
            {
                "name": "production",
                "client_id_file": "client-id",
                "client_secret_file": "client-secret",
                "credential_expires": "2027-01-31",
                "proxy_url": "http://proxy.internal:3128",
                "discover": {
                    "include": [{"name": "shop-.*", "tags": {"env": "production|staging"}}],
                    "exclude": [{"id": "123456789012345678901234"}],
                },
            },
            {
                "name": "old",
                "api_version": "v1.0",
                "public_key": "abcdefgh",
                "private_key_file": "private-key",
                # Digits only, and one that YAML would take for a number: they must stay texts.
                "groups": [{"id": "535682379478703713217012", "name": "1e3"}, {"id": "5356823794e9999999999990"}],
            },
        ],
    },
    "image": {"repository": "registry.example.com/exporter", "tag": "1.2.3", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "replicas": 2,
    "log": {"level": "warn", "format": "text"},
    "telemetryPath": "/atlas/metrics",
    "service": {"port": 9000, "annotations": {"a": "b"}},
    "podAnnotations": {"a": "b"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {}}], "egressPorts": [443, 3128]},
}
ALL_SHARDS = {**ALL, "replicas": 1, "shards": {"count": 3}}
OPTIONAL = ["NetworkPolicy", "PrometheusRule", "ServiceMonitor"]
MODES = {
    "plain": (LEAST, ["ConfigMap", "Deployment", "Service"]),
    "shards": (SHARDS, ["ConfigMap", "Service", "StatefulSet"]),
    "all": (ALL, ["ConfigMap", "Deployment", "Service", *OPTIONAL]),
    "all with shards": (ALL_SHARDS, ["ConfigMap", "Service", "StatefulSet", *OPTIONAL]),
}


def account(**changes):
    return {**LEAST, "config": {"accounts": [{**LEAST["config"]["accounts"][0], **changes}]}}


# What is refused, and a word of the reason.
BAD = {
    "nothing": ({}, "existingSecret"),
    "no Secret": ({"config": LEAST["config"]}, "existingSecret"),
    "no account": ({"existingSecret": "atlas"}, "accounts"),
    "a secret": (account(client_secret="x"), "client_secret"),
    "a variable that nobody sets": (account(client_secret_env="X"), "client_secret_env"),
    "both kinds of credential": (account(private_key_file="x"), "oneOf|one and only one"),
    "an unknown key": ({**LEAST, "replicaCount": 2}, "replicaCount"),
    "an unknown key of the config": ({**LEAST, "config": {**LEAST["config"], "polls": {}}}, "polls"),
    "no shard": ({**LEAST, "shards": {"count": 0}}, "count"),
    "shards in replicas": ({**SHARDS, "replicas": 2}, "replicas"),
    "too many replicas": ({**LEAST, "replicas": 4}, "replicas"),
    "an unknown level": ({**LEAST, "log": {"level": "trace"}}, "level"),
    "a path that hides the probes": ({**LEAST, "telemetryPath": "/-/healthy"}, "telemetryPath"),
    "too little time for the end": ({**LEAST, "terminationGracePeriodSeconds": 5}, "terminationGracePeriod"),
    "a port that is none": ({**LEAST, "service": {"port": 0}}, "port"),
}


def run(*command, ok=True, warnings=False):
    """What a command writes; it must succeed, or fail, as told."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if (done.returncode == 0) != ok:
        sys.exit(f"{shlex.join(str(part) for part in command)}: exit status {done.returncode}\n{output}")
    return output if warnings or not ok else done.stdout


def same(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found!r} instead of {expected!r}")


def check_config(folder, config, args):
    """The exporter accepts a config with these flags, where every file that the config names is there."""
    (folder / "config.yaml").write_text(config)
    for name in re.findall(r"_file: (\S+)", config):
        (folder / name).write_text("x\n")
    run(EXPORTER, "check-config", *args, f"--config.file={folder / 'config.yaml'}")


def systemd(folder):
    text = UNIT.read_text()
    (start,) = re.findall(r"^ExecStart=/usr/bin/mongodbatlas-peering-exporter (.*)$", text, re.M)
    copy = folder / UNIT.name
    copy.write_text(text.replace("ExecStart=/usr/bin/mongodbatlas-peering-exporter", f"ExecStart={EXPORTER}"))
    # It tells what it does not know, and still succeeds; other units of this machine are not ours.
    warnings = run("systemd-analyze", "verify", copy, warnings=True).splitlines()
    same("warnings", [line for line in warnings if UNIT.name in line], [])
    run("systemd-analyze", "security", "--offline=true", "--threshold=15", copy)

    # With the socket, and the drop-in that it needs.
    socket = folder / UNIT.with_suffix(".socket").name
    socket.write_text(UNIT.with_suffix(".socket").read_text())
    dropin = folder / f"{UNIT.name}.d" / "socket.conf"
    dropin.parent.mkdir()
    text_of_dropin = (HERE / "systemd" / "socket.conf").read_text()
    (on_socket,) = re.findall(r"^ExecStart=/usr/bin/mongodbatlas-peering-exporter (.*)$", text_of_dropin, re.M)
    same("flags on the socket", on_socket, f"{start} --web.systemd-socket")
    dropin.write_text(text_of_dropin.replace("/usr/bin/mongodbatlas-peering-exporter", str(EXPORTER)))
    warnings = run("systemd-analyze", "verify", socket, copy, warnings=True).splitlines()
    same("warnings", [line for line in warnings if UNIT.stem in line], [])

    config = (HERE / "systemd" / "config.yaml").read_text()
    (credential,) = re.findall(r"^LoadCredential=([^:]+):", text, re.M)
    path = f"/run/credentials/{UNIT.name}/{credential}"
    same("uses of the credential", config.count(path), 1)
    flags = [flag for flag in shlex.split(start) if not flag.startswith("--config.file=")]
    check_config(folder, config.replace(path, credential), flags)


def of_kind(objects, kind):
    return next(one for one in objects if one["kind"] == kind)


def workload(objects, values):
    """The pods of the Deployment or StatefulSet, and whether they may do no more than they need."""
    count = values.get("shards", {}).get("count", 1)
    one = of_kind(objects, "StatefulSet" if count > 1 else "Deployment")
    service = of_kind(objects, "Service")
    template = one["spec"]["template"]
    pod = template["spec"]
    (container,) = pod["containers"]

    same("replicas", one["spec"]["replicas"], count if count > 1 else values.get("replicas", 1))
    for selector in (one["spec"]["selector"]["matchLabels"], service["spec"]["selector"]):
        same("labels of the pods", selector.items() <= template["metadata"]["labels"].items(), True)
    if count > 1:
        same("governing Service", one["spec"]["serviceName"], service["metadata"]["name"])
        same("clusterIP", service["spec"]["clusterIP"], "None")
    same("length of the checksum", len(template["metadata"]["annotations"]["checksum/config"]), 64)
    shards = ["--shard.index=hostname", f"--shard.count={count}"] if count > 1 else []
    same("shard flags", [arg for arg in container["args"] if "shard" in arg], shards)

    user = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532}
    same("security of the pod", pod["securityContext"], {**user, "seccompProfile": {"type": "RuntimeDefault"}})
    rights = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    same("security of the container", container["securityContext"], rights)
    same("token of Kubernetes", pod["automountServiceAccountToken"], False)
    same("memory limit", container["resources"]["limits"]["memory"], "512Mi")
    same("time to end", pod["terminationGracePeriodSeconds"] >= 12, True)
    for probe, path in (("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")):
        same(probe, container[probe]["httpGet"], {"path": path, "port": "http"})
    same("ports", container["ports"], [{"name": "http", "containerPort": 10917}])

    (mount,), (volume,) = container["volumeMounts"], pod["volumes"]
    same("mount", (mount["name"], mount["readOnly"]), (volume["name"], True))
    config_map = of_kind(objects, "ConfigMap")["metadata"]["name"]
    sources = [{"secret": {"name": values["existingSecret"]}}, {"configMap": {"name": config_map}}]
    same("what is mounted", volume["projected"]["sources"], sources)
    config_flag = f"--config.file={mount['mountPath']}/config.yaml"
    same("config flag", config_flag in container["args"], True)
    return [arg for arg in container["args"] if arg != config_flag]


def rules(folder, objects, values):
    """The rules are those of the README and, with shards, one more."""
    groups = of_kind(objects, "PrometheusRule")["spec"]
    (folder / "rules.yaml").write_text(yaml.safe_dump(groups))
    run("promtool", "check", "rules", folder / "rules.yaml")
    readme = (HERE.parent / "README.md").read_text()
    (block,) = re.findall(r"<!-- rules -->\n```yaml\n(.*?)```", readme, re.S)
    same("the README's rules", groups["groups"][:1], yaml.safe_load(block)["groups"])
    same("groups of rules", len(groups["groups"]), 2 if "shards" in values else 1)


def render(folder, values, ok=True):
    # JSON, because each reader of YAML has its own numbers.
    path = folder / "values.yaml"
    path.write_text(json.dumps(values))
    if ok:
        run(HELM, "lint", "--strict", CHART, "-f", path)
    return run(HELM, "template", "atlas", CHART, "--namespace=monitoring", "-f", path, ok=ok)


def chart(folder):
    cargo = (HERE.parent / "Cargo.toml").read_text()
    (version,) = re.findall(r'^version = "(.*)"', cargo, re.M)
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    same("versions", (about["version"], about["appVersion"]), (version, version))

    for name, (values, kinds) in MODES.items():
        objects = list(yaml.safe_load_all(render(folder, values)))
        same(f"{name}: kinds", sorted(one["kind"] for one in objects), sorted(kinds))
        args = workload(objects, values)
        config = of_kind(objects, "ConfigMap")["data"]["config.yaml"]
        same(f"{name}: config", yaml.safe_load(config), values["config"])
        check_config(folder, config, args)
        if "PrometheusRule" in kinds:
            rules(folder, objects, values)
            (endpoint,) = of_kind(objects, "ServiceMonitor")["spec"]["endpoints"]
            same(f"{name}: path", endpoint["path"], values["telemetryPath"])
            policy = of_kind(objects, "NetworkPolicy")["spec"]
            same(f"{name}: who may scrape", policy["ingress"][0]["from"], values["networkPolicy"]["from"])
            ports = [port["port"] for port in policy["egress"][0]["ports"]]
            same(f"{name}: ports", ports, [53, 53, *values["networkPolicy"]["egressPorts"]])
        print(f"chart, {name}: ok")

    for name, (values, word) in BAD.items():
        output = render(folder, values, ok=False)
        if not re.search(word, output):
            sys.exit(f"{name}: refused without naming {word}:\n{output}")
    print(f"chart, {len(BAD)} kinds of bad values: refused")


def compose(folder):
    """What can be known without containers."""
    here = HERE / "compose"
    services = yaml.safe_load((here / "compose.yaml").read_text())["services"]
    run(EXPORTER, *services["exporter"]["command"], "--help")
    for name, service in services.items():
        same(f"{name}: a version", name == "exporter" or bool(re.search(r":v?\d+\.\d+\.\d+$", service["image"])), True)
        for volume in service.get("volumes", []):
            source, target, mode = volume.split(":")
            same(f"{name}: {source} is there", ((here / source).exists(), mode), (True, "ro"))
            if name == "prometheus":
                (folder / pathlib.Path(target).name).write_bytes((here / source).read_bytes())
    run("promtool", "check", "config", folder / "prometheus.yaml")
    routing = yaml.safe_load((here / "alertmanager.yaml").read_text())
    same("receivers", [one["name"] for one in routing["receivers"]], [routing["route"]["receiver"]])


def main():
    for check in (systemd, chart, compose):
        with tempfile.TemporaryDirectory() as folder:
            check(pathlib.Path(folder))
            print(f"{check.__name__}: ok")


main()
