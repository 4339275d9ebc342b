#!/usr/bin/python3
"""Checks deploy/ with the programs that read it: systemd-analyze, helm, promtool, cargo-deb and the exporter.

usage: check.py HELM CHART_READER CARGO_DEB EXPORTER
"""

import json
import pathlib
import re
import sys
import tempfile

import yaml

from checks.package import package
from checks.programs import CHART_READER, EXPORTER, HELM, HERE, check_config, run, same
from checks.systemd import systemd
from checks.values import INVALID, MODES

CHART = HERE / "kubernetes"
DOCKERFILE = (HERE.parent / "Dockerfile").read_text()


def of_kind(objects, kind):
    return next(one for one in objects if one["kind"] == kind)


def workload(objects, values):
    """Checks the Deployment or StatefulSet, its pods and their permissions. Returns the flags without those of files."""
    count = values.get("shards", {}).get("count", 1)
    controller = of_kind(objects, "StatefulSet" if count > 1 else "Deployment")
    service = of_kind(objects, "Service")
    template = controller["spec"]["template"]
    pod = template["spec"]
    (container,) = pod["containers"]

    same("replicas", controller["spec"]["replicas"], count if count > 1 else values.get("replicas", 1))
    for selector in (controller["spec"]["selector"]["matchLabels"], service["spec"]["selector"]):
        same("selector matches the pods", selector.items() <= template["metadata"]["labels"].items(), True)
    if count > 1:
        same("governing Service", controller["spec"]["serviceName"], service["metadata"]["name"])
        same("clusterIP", service["spec"]["clusterIP"], "None")
    same("length of the checksum", len(template["metadata"]["annotations"]["checksum/config"]), 64)
    shards = ["--shard.index=hostname", f"--shard.count={count}"] if count > 1 else []
    same("shard flags", [arg for arg in container["args"] if "shard" in arg], shards)

    user = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532}
    same("security context of the pod", pod["securityContext"], {**user, "seccompProfile": {"type": "RuntimeDefault"}})
    security = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    same("security context of the container", container["securityContext"], security)
    for key in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        same(key, pod.get(key), values.get(key))
    same("pod labels", values.get("podLabels", {}).items() <= template["metadata"]["labels"].items(), True)
    same("service account token", pod["automountServiceAccountToken"], False)
    same("memory limit", container["resources"]["limits"]["memory"], "512Mi")
    same("grace period", pod["terminationGracePeriodSeconds"] >= 12, True)
    probes = [container["livenessProbe"], container["readinessProbe"]]
    if "webConfig" in values:
        commands = [probe["exec"]["command"] for probe in probes]
        same("probes", [args for _, *args in commands], [["healthcheck"], ["healthcheck", "--healthcheck.ready"]])
        for program, *args in commands:
            same("program of the probe", program in DOCKERFILE, True)
            run(EXPORTER, *args, "--help")
        same("other kinds of probe", [key for probe in probes for key in probe if key in ("httpGet", "tcpSocket")], [])
    else:
        expected = [{"path": path, "port": "http"} for path in ("/-/healthy", "/-/ready")]
        same("probes", [probe["httpGet"] for probe in probes], expected)
    same("ports", container["ports"], [{"name": "http", "containerPort": 10917}])

    mount, *more_mounts = container["volumeMounts"]
    volume, *more_volumes = pod["volumes"]
    same("mount", (mount["name"], mount["readOnly"]), (volume["name"], True))
    config_map = of_kind(objects, "ConfigMap")["metadata"]["name"]
    sources = [{"secret": {"name": values["existingSecret"]}}, {"configMap": {"name": config_map}}]
    same("mounted volumes", volume["projected"]["sources"], sources)
    config_flag = f"--config.file={mount['mountPath']}/config.yaml"
    same("config flag", config_flag in container["args"], True)

    web = [f"--web.config.file={mount['mountPath']}/web.yaml" for mount in more_mounts]
    same("web config flag", [arg for arg in container["args"] if "web.config" in arg], web)
    secrets = [(volume["name"], volume["secret"]["secretName"], True) for volume in more_volumes]
    names = [values["webConfig"]["existingSecret"]] if "webConfig" in values else []
    same("Secrets with a web config", [secret for _, secret, _ in secrets], names)
    mounts = [(mount["name"], secret, mount["readOnly"]) for mount, secret in zip(more_mounts, names)]
    same("mounts of the web config", mounts, secrets)
    return [arg for arg in container["args"] if arg not in (config_flag, *web)]


def monitors(name, objects, values):
    """The ServiceMonitor must have the settings of the values."""
    (endpoint,) = of_kind(objects, "ServiceMonitor")["spec"]["endpoints"]
    same(f"{name}: path", endpoint["path"], values.get("telemetryPath", "/metrics"))
    expected = values["serviceMonitor"]
    same(f"{name}: scheme", endpoint["scheme"], expected.get("scheme", "http"))
    for key in ("tlsConfig", "basicAuth", "relabelings", "metricRelabelings"):
        same(f"{name}: {key}", endpoint.get(key), expected.get(key))


def schema(folder):
    """The schema must have every key of the config, except those for environment variables, which the chart cannot set."""
    path = folder / "unknown.yaml"
    path.write_text("{x: 1, poll: {x: 1}, accounts: [{x: 1, discover: {x: 1, include: [{x: 1}]}, groups: [{x: 1}]}]}")
    faults = run(EXPORTER, "check-config", f"--config.file={path}", ok=False)
    found = re.findall(r" (\S*)x: unknown key; known here: (.*)", faults)
    same("number of mappings", len(found), 6)
    for path, known in found:
        at = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]
        for key in re.findall(r"\w+|\[", path):
            at = at["properties"][key] if key.isalpha() else at["items"] if key == "[" else at
            at = next((one for one in at.get("anyOf", []) if one["type"] == "object"), at)
        known = [key for key in known.split(", ") if not key.endswith("_env")]
        same(f"keys of `{path}` in the schema", sorted(at["properties"]), sorted(known))


def rules(folder, objects):
    """The rules must be the shipped ones, and must match the job name that the chart gives the exporter."""
    groups = of_kind(objects, "PrometheusRule")["spec"]
    (folder / "rules.yaml").write_text(yaml.safe_dump(groups))
    run("promtool", "check", "rules", folder / "rules.yaml")
    same("rules", groups, yaml.safe_load((HERE.parent / "prometheus" / "rules.yaml").read_text()))
    # A ServiceMonitor uses the name of the Service as the job by default.
    same("job name matches the rules", "mongodbatlas-peering" in of_kind(objects, "Service")["metadata"]["name"], True)


def render(folder, values, ok=True):
    # JSON, because YAML parsers differ in what they read as a number.
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
        rendered = render(folder, values)
        run(CHART_READER, text=rendered)
        objects = list(yaml.safe_load_all(rendered))
        same(f"{name}: kinds", sorted(one["kind"] for one in objects), sorted(kinds))
        args = workload(objects, values)
        config = of_kind(objects, "ConfigMap")["data"]["config.yaml"]
        same(f"{name}: config", yaml.safe_load(config), values["config"])
        check_config(folder, config, args)
        if "ServiceMonitor" in kinds:
            monitors(name, objects, values)
        if "PrometheusRule" in kinds:
            rules(folder, objects)
            policy = of_kind(objects, "NetworkPolicy")["spec"]
            same(f"{name}: allowed scrapers", policy["ingress"][0]["from"], values["networkPolicy"]["from"])
            ports = [port["port"] for port in policy["egress"][0]["ports"]]
            same(f"{name}: ports", ports, [53, 53, *values["networkPolicy"]["egressPorts"]])
        print(f"chart, {name}: ok")

    for name, (values, word) in INVALID.items():
        output = render(folder, values, ok=False)
        if not re.search(word, output):
            sys.exit(f"{name}: the error does not contain {word}:\n{output}")
    print(f"chart, {len(INVALID)} sets of invalid values: rejected")


def images(_):
    """The image of a release must start like the other image."""
    release = (HERE / "image" / "Dockerfile").read_text()
    same("instructions of the images", *(text[text.index("USER ") :] for text in (release, DOCKERFILE)))


def compose(folder):
    """Checks what can be checked without containers."""
    here = HERE / "compose"
    services = yaml.safe_load((here / "compose.yaml").read_text())["services"]
    run(EXPORTER, *services["exporter"]["command"], "--help")
    for name, service in services.items():
        same(f"{name}: pinned version", name == "exporter" or bool(re.search(r":v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}$", service["image"])), True)
        for volume in service.get("volumes", []):
            source, target, mode = volume.split(":")
            same(f"{name}: {source} exists", ((here / source).exists(), mode), (True, "ro"))
            if name == "prometheus":
                (folder / pathlib.Path(target).name).write_bytes((here / source).read_bytes())
    run("promtool", "check", "config", folder / "prometheus.yaml")


def main():
    for check in (systemd, package, images, schema, chart, compose):
        with tempfile.TemporaryDirectory() as folder:
            check(pathlib.Path(folder))
            print(f"{check.__name__}: ok")


main()
