"""Checks the Debian package: builds it from the built exporter and inspects it. Does not install it."""

import os
import re

from .programs import CARGO_DEB, EXPORTER, HERE, run, same

NAME = "mongodbatlas-peering-exporter"
DOCS = f"usr/share/doc/{NAME}"

# Every file except the documentation, with its permissions.
FILES = {
    f"usr/bin/{NAME}": "-rwxr-xr-x",
    f"usr/lib/systemd/system/{NAME}.service": "-rw-r--r--",
    f"usr/lib/systemd/system/{NAME}.socket": "-rw-r--r--",
    f"etc/{NAME}/config.yaml": "-rw-r--r--",
    f"etc/default/{NAME}": "-rw-r--r--",
}
EXAMPLES = ["config.example.yaml", "rules.yaml", "socket.conf", "web.conf"]
NEEDED = ["README.md", "copyright", "docs/deploy.md", *(f"examples/{name}" for name in EXAMPLES)]
DEPENDS = "ca-certificates"


def build(folder, exporter):
    """Packages an exporter that is already built, and returns the path of the package."""
    binary = folder / "release" / NAME
    binary.parent.mkdir(parents=True)
    binary.symlink_to(exporter)
    os.environ["CARGO_TARGET_DIR"] = str(folder)
    manifest = HERE.parent / "Cargo.toml"
    run(CARGO_DEB, "--no-build", "--fast", f"--manifest-path={manifest}", f"--output={folder}")
    (package,) = folder.glob("*.deb")
    return package


def contents(package):
    """Returns the files of a package with their permissions. All must belong to root."""
    lines = [line.split() for line in run("dpkg-deb", "--contents", package).splitlines()]
    same("owners", {line[1] for line in lines}, {"0/0"})
    return {line[5].removeprefix("./"): line[0] for line in lines if not line[0].startswith("d")}


def package(folder):
    built = build(folder / "dynamic", EXPORTER)
    found = contents(built)
    docs = {name: mode for name, mode in found.items() if name.startswith(DOCS)}
    same("files", {name: mode for name, mode in found.items() if name not in docs}, FILES)
    same("permissions of the documentation", set(docs.values()), {"-rw-r--r--"})
    same("missing documentation", [name for name in NEEDED if f"{DOCS}/{name}" not in docs], [])

    run("dpkg-deb", "--raw-extract", built, folder / "x")
    conffiles = (folder / "x/DEBIAN/conffiles").read_text().split()
    same("conffiles", sorted(conffiles), sorted(f"/{name}" for name in FILES if name.startswith("etc/")))
    for name in ("service", "socket"):
        shipped = (folder / f"x/usr/lib/systemd/system/{NAME}.{name}").read_bytes()
        same(name, shipped, (HERE / f"systemd/{NAME}.{name}").read_bytes())
    run(folder / "x/usr/bin" / NAME, "--version")

    # An upgrade only keeps the unit enabled and restarts it if it is running.
    scripts = "".join(path.read_text() for path in (folder / "x/DEBIAN").glob("p*"))
    same("deb-systemd-invoke", sorted(set(re.findall(r"deb-systemd-invoke (\S+)", scripts))), ["stop", "try-restart"])
    enables = re.findall(r"if deb-systemd-helper --quiet was-enabled.*\n.*\n.*deb-systemd-helper enable", scripts)
    same("enabling only what was enabled", len(enables), scripts.count("deb-systemd-helper enable"))

    same("dependencies", {name for name in depends(built).split(", ") if not name.startswith("lib")}, {DEPENDS})
    same("dependency on libc6", "libc6 " in depends(built), True)
    # A release has a static exporter; this program stands in for it.
    source = folder / "static.c"
    source.write_text("int main(void) { return 0; }\n")
    run("cc", "-static", source, "-o", folder / "static")
    same("dependencies of a static exporter", depends(build(folder / "static-release", folder / "static")), DEPENDS)


def depends(package):
    return run("dpkg-deb", "--field", package, "Depends").strip()
