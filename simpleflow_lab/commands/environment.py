"""`info`: versions, settings and environment variables. Secrets are redacted, and the store is not opened."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import click

from simpleflow_lab import settings
from simpleflow_lab.commands.records import ListingRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.views.listings import Kind, Listing

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

_INFO: Final = {"section": Kind.TEXT, "name": Kind.TEXT, "value": Kind.TEXT}


@dataclass(frozen=True, kw_only=True)
class EnvironmentInfo(ListingRecord):
    """`info`: sections of names and values, secrets redacted."""

    sections: Mapping[str, Mapping[str, str]]
    """Values by name in each section: `versions`, `settings`, `environment`."""

    def listing(self) -> Listing:
        """One row per name."""
        rows = [(section, name, value) for section, values in self.sections.items() for name, value in values.items()]
        return Listing(columns=_INFO, rows=rows)


@click.command("info")
@click.argument("section", required=False, type=click.Choice(["versions", "settings", "environment"]))
@click.pass_obj
def info(session: Session, section: str | None) -> EnvironmentInfo:
    """Versions, settings and environment; secrets are redacted."""
    chosen = _SECTIONS if section is None else {section: _SECTIONS[section]}
    return EnvironmentInfo(sections={name: read(session) for name, read in chosen.items()})


def version() -> str:
    """The version of this package."""
    return _versions()["simpleflow-lab"]


def _versions() -> dict[str, str]:
    import importlib.metadata
    import platform

    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that concern SWF, AWS and this package; secrets are redacted."""
    return {
        name: REDACTED if _SECRET.search(name) else _IN_URL.sub(f"{REDACTED}@", value)
        for name, value in sorted(variables.items())
        if _SHOWN.match(name)
    }


def _domain(session: Session) -> str:
    """The domain that commands use which name none; empty if they must name one."""
    from simpleflow_lab.runtime.connection import chosen_domain

    try:
        return chosen_domain(session.address, None)
    except UsageError:  # `doctor` tells what is wrong with the address
        return ""


def _settings(session: Session) -> dict[str, str]:
    """The settings of this session, then every variable of `settings` with its value."""
    found = settings.current()
    here = {
        "store": session.address,
        "domain": _domain(session),
        "format": session.output.format,
        "modules": " ".join(session.modules),
    }
    values = {variable.name: getattr(found, variable.field) for variable in settings.variables()}
    return here | {
        name: "" if value is None else _IN_URL.sub(f"{REDACTED}@", str(value)) for name, value in values.items()
    }


_SECTIONS: Final[dict[str, Callable[[Session], Mapping[str, str]]]] = {
    "versions": lambda _: _versions(),
    "settings": _settings,
    "environment": lambda _: environment(os.environ),
}


READING: Final = (info,)
