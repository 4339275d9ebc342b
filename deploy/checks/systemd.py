"""Checks the unit, its socket and its drop-ins."""

import re
import shlex

from .programs import EXPORTER, HERE, check_config, run, same

UNIT = HERE / "systemd" / "mongodbatlas-peering-exporter.service"


def drop_in(folder, name):
    """Copies a drop-in next to the unit, with the path of the built exporter, and returns the original text."""
    text = (HERE / "systemd" / name).read_text()
    path = folder / f"{UNIT.name}.d" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.replace("/usr/bin/mongodbatlas-peering-exporter", str(EXPORTER)))
    return text


def flags(unit):
    """Returns the flags of ExecStart; operators add more in ARGS."""
    (start,) = re.findall(r"^ExecStart=/usr/bin/mongodbatlas-peering-exporter (.*) \$ARGS$", unit, re.M)
    return shlex.split(start)


def systemd(folder):
    text = UNIT.read_text()
    start = flags(text)
    copy = folder / UNIT.name
    copy.write_text(text.replace("ExecStart=/usr/bin/mongodbatlas-peering-exporter", f"ExecStart={EXPORTER}"))
    # It succeeds even if it warns about unknown settings. Ignore warnings about other units of this machine.
    warnings = run("systemd-analyze", "verify", copy, warnings=True).splitlines()
    same("warnings", [line for line in warnings if UNIT.name in line], [])
    run("systemd-analyze", "security", "--offline=true", "--threshold=15", copy)

    # The unit with the socket and both drop-ins.
    socket = folder / UNIT.with_suffix(".socket").name
    socket.write_text(UNIT.with_suffix(".socket").read_text())
    same("flags with the socket", flags(drop_in(folder, "socket.conf")), [*start, "--web.systemd-socket"])
    web = drop_in(folder, "web.conf")
    warnings = run("systemd-analyze", "verify", socket, copy, warnings=True).splitlines()
    same("warnings", [line for line in warnings if UNIT.stem in line], [])
    credentials = re.findall(r"^LoadCredential=([^:]+):", web, re.M)
    same("credentials", credentials, ["web.yaml", "server.crt", "server.key"])

    # The file for additional flags is shipped without flags.
    (defaults,) = re.findall(r"^EnvironmentFile=-(.*)$", text, re.M)
    same("file for additional flags", defaults, f"/etc/default/{UNIT.stem}")
    same("additional flags", re.findall(r"^[^#].*$", (HERE / "systemd" / "default").read_text(), re.M), ['ARGS=""'])

    config = (HERE / "systemd" / "config.yaml").read_text()
    (credential,) = re.findall(r"^LoadCredential=([^:]+):", text, re.M)
    path = f"/run/credentials/{UNIT.name}/{credential}"
    same("uses of the credential", config.count(path), 1)
    check_config(folder, config.replace(path, credential), [one for one in start if not one.startswith("--config.file=")])
