"""`info`: what is installed, what is configured. Secrets are redacted, the store is not opened."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Mapping
from typing import Final

import click

from simpleflow_lab.commands.records import About
from simpleflow_lab.commands.session import Session
from simpleflow_lab.settings import default_domain

PACKAGES: Final = (
    "simpleflow-lab",
    "boto3",
    "click",
    "greenlet",
    "ipykernel",
    "ipython",
    "ipywidgets",
    "jupyterlab",
    "pandas",
    "plotly",
)
_SHOWN: Final = re.compile(r"AWS|SIMPLEFLOW|SWF_|LOG_LEVEL\Z")
_SECRET: Final = re.compile(r"SECRET|TOKEN|PASSW|KEY|CREDENTIAL|AUTH", re.IGNORECASE)
_IN_URL: Final = re.compile(r"(?<=://)[^/@\s]+@")
REDACTED: Final = "********"


@click.command("info")
@click.argument("section", required=False, type=click.Choice(["versions", "settings", "environment"]))
@click.pass_obj
def info(session: Session, section: str | None) -> About:
    """Versions, settings and environment; secrets are redacted."""
    sections: dict[str, Mapping[str, str]] = {
        "versions": _versions(),
        "settings": {
            "store": session.address,
            "domain": default_domain(),
            "format": session.output.format,
            "modules": " ".join(session.modules),
        },
        "environment": environment(os.environ),
    }
    return About(sections=sections if section is None else {section: sections[section]})


def version() -> str:
    """The version of this package."""
    return _versions()["simpleflow-lab"]


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that concern us, without what is secret."""
    return {
        name: REDACTED if _SECRET.search(name) else _IN_URL.sub(f"{REDACTED}@", value)
        for name, value in sorted(variables.items())
        if _SHOWN.match(name)
    }


COMMANDS: Final = (info,)
