"""The programs that the checks run, and helpers for all checks."""

import pathlib
import re
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent.parent
HELM, CHART_READER, CARGO_DEB, EXPORTER = (pathlib.Path(arg).resolve() for arg in sys.argv[1:5])


def run(*command, ok=True, warnings=False, text=None):
    """Runs a command and returns its output. Exits if it does not succeed, or with `ok=False` if it does not fail."""
    done = subprocess.run([str(part) for part in command], input=text, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if (done.returncode == 0) != ok:
        sys.exit(f"{shlex.join(str(part) for part in command)}: exit status {done.returncode}\n{output}")
    return output if warnings or not ok else done.stdout


def same(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: expected {expected!r}, found {found!r}")


def check_config(folder, config, args):
    """The exporter must accept the config with these flags. Creates every file that the config names."""
    (folder / "config.yaml").write_text(config)
    for name in re.findall(r"_file: (\S+)", config):
        (folder / name).write_text("x\n")
    run(EXPORTER, "check-config", *args, f"--config.file={folder / 'config.yaml'}")
