"""The scripts of the image: what they say where there is no Docker, and what goes into the image."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("script", ["docker-build", "docker-run"])
def test_without_docker_it_is_one_line_and_exit_code_2(script: str, tmp_path: Path) -> None:
    for name in ("bash", "dirname", "env"):
        (tmp_path / name).symlink_to(Path("/usr/bin") / name)
    done = subprocess.run(
        ["/usr/bin/bash", ROOT / "script" / script], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == f"{script}: no Docker daemon answers: start one, or let this user talk to it\n"


def test_everything_that_the_image_is_built_from_is_there_and_nothing_else_goes_in() -> None:
    everything, *kept = (ROOT / ".dockerignore").read_text().splitlines()
    assert everything == "*"
    names = [line.removeprefix("!") for line in kept if line.startswith("!")]
    assert {"simpleflow_lab", "pyproject.toml", "constraints.txt"} <= set(names)
    assert all((ROOT / name).exists() for name in names)
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER lab" in lines
    assert lines.index("USER lab") < lines.index('ENTRYPOINT ["simpleflow"]')


def steps() -> list[str]:
    """What the `RUN` lines of the Dockerfile do, each with its continued lines."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.removeprefix("RUN ") for line in text.splitlines() if line.startswith("RUN ")]


@pytest.mark.trial
@pytest.mark.timeout(1200)  # it installs everything
def test_what_the_image_runs_makes_a_command_whose_own_store_is_usable(tmp_path: Path) -> None:
    """No daemon is needed: the RUN lines run here, in an environment of their own instead of the image's."""
    home = tmp_path / "home"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "image"], check=True)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "useradd").symlink_to("/bin/true")
    build, install = steps()
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(tmp_path / "image" / "bin"), str(programs), os.environ["PATH"]]),
        "EXTRAS": "",
    }
    wheels = tmp_path / "wheels"
    owned = re.sub(r"-o lab -g lab", "", install.replace("/home/lab", str(home)))
    subprocess.run(["sh", "-ec", build.replace("/wheels", str(wheels))], cwd=ROOT, env=environment, check=True)
    (wheels / "constraints.txt").write_bytes((ROOT / "constraints.txt").read_bytes())
    subprocess.run(["sh", "-ec", owned.replace("/wheels", str(wheels))], env=environment, check=True)
    (home / "work" / "flows.py").write_bytes((ROOT / "examples" / "basic.py").read_bytes())
    clean = {
        name: value for name, value in environment.items() if not name.startswith(("SIMPLEFLOW", "XDG_", "PYTHON"))
    }
    done = subprocess.run(
        ["simpleflow", "workflow.start", "flows.BasicWorkflow", "-i", "[1, 0]"],
        cwd=home / "work",
        env={**clean, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "(1 + 1) * 2 = 4\n4\n"), done.stderr
    assert (home / ".local" / "share" / "simpleflow_lab" / "lab.sqlite").exists()
