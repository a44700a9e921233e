"""binder/ is what repo2docker will build: names, versions and paths agree with the project's own."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tests.browser import test_quickstart
from tests.browser.jupyterlab import JupyterLab

ROOT = Path(__file__).resolve().parent.parent
BINDER = ROOT / "binder"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements() -> list[str]:
    lines = (line.partition("#")[0].strip() for line in (BINDER / "requirements.txt").read_text().splitlines())
    return [line for line in lines if line]


def test_binder_holds_only_files_that_repo2docker_reads_together() -> None:
    # An environment.yml or a Dockerfile would win over requirements.txt, silently.
    assert {path.name for path in BINDER.iterdir()} == {"requirements.txt", "runtime.txt", "postBuild"}


def test_the_runtime_is_a_python_that_the_package_supports() -> None:
    name, _, version = (BINDER / "runtime.txt").read_text().strip().partition("-")
    assert name == "python"
    assert version in SpecifierSet(PROJECT["requires-python"])


def test_the_package_is_installed_from_the_clone_in_the_tested_versions() -> None:
    assert requirements() == ["-c ../constraints.txt", "-e ."]
    assert (BINDER / "../constraints.txt").is_file()


def test_post_build_can_be_executed() -> None:
    script = BINDER / "postBuild"
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!")


@pytest.mark.slow
def test_what_opens_first_is_the_tutorial_that_the_browser_test_runs(tmp_path: Path) -> None:
    environment = {f"JUPYTER_{name}_DIR": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run([BINDER / "postBuild"], cwd=ROOT, env=os.environ | environment | {"PATH": path}, check=True)

    with (
        JupyterLab(ROOT, environment={"JUPYTER_CONFIG_DIR": environment["JUPYTER_CONFIG_DIR"]}) as lab,
        urllib.request.urlopen(f"{lab.url}/", timeout=200) as page,
    ):
        assert page.url == f"{lab.url}/lab/tree/{test_quickstart.NOTEBOOK}"
    assert (ROOT / test_quickstart.NOTEBOOK).is_file()
