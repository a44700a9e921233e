"""Domains and types: what is registered, deprecated, deleted, tagged.

Rule: records are frozen and replaced, never changed, so that the store's thread may read them at any time. Every
change is put into `changes`, for the store. Faults and their words are SWF's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, Literal

from simpleflow_lab.engine.open_questions import UNDEPRECATED_DOMAIN_RESTORES_TYPES
from simpleflow_lab.engine.validation import Request, chosen
from simpleflow_lab.exceptions import (
    DomainAlreadyExistsFault,
    DomainDeprecatedFault,
    LimitExceededFault,
    TooManyTagsFault,
    TypeAlreadyExistsFault,
    TypeDeprecatedFault,
    TypeNotDeprecatedFault,
    UnknownResourceFault,
)
from simpleflow_lab.swf import limits

Kind = Literal["WorkflowType", "ActivityType"]
WORKFLOW: Final = "WorkflowType"
ACTIVITY: Final = "ActivityType"

REGISTERED: Final = "REGISTERED"
DEPRECATED: Final = "DEPRECATED"

ARN_PREFIX: Final = "arn:aws:swf:us-east-1:000000000000:/domain/"
MAX_RESOURCE_TAGS: Final = 50

_DEFAULTS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "WorkflowType": (
        "defaultTaskStartToCloseTimeout",
        "defaultExecutionStartToCloseTimeout",
        "defaultTaskList",
        "defaultTaskPriority",
        "defaultChildPolicy",
        "defaultLambdaRole",
    ),
    "ActivityType": (
        "defaultTaskStartToCloseTimeout",
        "defaultTaskHeartbeatTimeout",
        "defaultTaskList",
        "defaultTaskPriority",
        "defaultTaskScheduleToStartTimeout",
        "defaultTaskScheduleToCloseTimeout",
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Domain:
    """A registered domain."""

    name: str
    """Unique in the store."""
    status: str
    """`REGISTERED` or `DEPRECATED`."""
    description: str | None
    """What its owner says about it."""
    retention: str
    """Days for which closed executions are kept, or `NONE`."""
    tags: Mapping[str, str | None]
    """Resource tags."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Type:
    """A registered workflow type or activity type."""

    domain: str
    """The domain it is registered in."""
    kind: Kind
    """Of workflows or of activities."""
    name: str
    """With the version unique in domain and kind."""
    version: str
    """Any text."""
    status: str
    """`REGISTERED` or `DEPRECATED`."""
    description: str | None
    """What its owner says about it."""
    created_at: int
    """Milliseconds since 1970."""
    deprecated_at: int | None
    """Milliseconds since 1970."""
    defaults: Mapping[str, Any]
    """The `default…` members it was registered with."""


@dataclasses.dataclass(frozen=True, slots=True)
class TypeDeleted:
    """A type that is gone, for the store."""

    type: Type
    """As it was."""


Change = Domain | Type | TypeDeleted


class Registry:
    """All domains and types."""

    def __init__(self) -> None:
        self.domains: dict[str, Domain] = {}
        self.types: dict[str, dict[tuple[Kind, str, str], Type]] = {}
        self.changes: list[Change] = []

    # -- domains

    def domain(self, name: str) -> Domain:
        """The domain of this name. Raises `UnknownResourceFault`."""
        found = self.domains.get(name)
        if found is None:
            raise UnknownResourceFault(f"Unknown domain: {name}")
        return found

    def active_domain(self, name: str) -> Domain:
        """The domain, if new things may begin in it. Raises `UnknownResourceFault`, `DomainDeprecatedFault`."""
        found = self.domain(name)
        if found.status == DEPRECATED:
            raise DomainDeprecatedFault(name)
        return found

    def register_domain(self, request: Request) -> None:
        """Raises `DomainAlreadyExistsFault`, `LimitExceededFault`, `TooManyTagsFault`."""
        name = request["name"]
        if name in self.domains:
            raise DomainAlreadyExistsFault(name)
        if len(self.domains) >= limits.MAX_DOMAINS:
            raise LimitExceededFault(f"{limits.MAX_DOMAINS} domains are registered; SWF allows no more")
        self.put_domain(
            Domain(
                name=name,
                status=REGISTERED,
                description=request.get("description"),
                retention=request["workflowExecutionRetentionPeriodInDays"],
                tags=_with_tags({}, request.get("tags", ())),
            )
        )

    def deprecate_domain(self, name: str, now: int) -> None:
        """Its types are deprecated with it. Raises `UnknownResourceFault`, `DomainDeprecatedFault`."""
        domain = self.active_domain(name)
        self.put_domain(dataclasses.replace(domain, status=DEPRECATED))
        for each in list(self.types[name].values()):
            if each.status == REGISTERED:
                self.put_type(dataclasses.replace(each, status=DEPRECATED, deprecated_at=now))

    def undeprecate_domain(self, name: str) -> None:
        """Raises `UnknownResourceFault`, `DomainAlreadyExistsFault`."""
        domain = self.domain(name)
        if domain.status == REGISTERED:
            raise DomainAlreadyExistsFault(name)
        self.put_domain(dataclasses.replace(domain, status=REGISTERED))
        if UNDEPRECATED_DOMAIN_RESTORES_TYPES:
            for each in list(self.types[name].values()):
                self.put_type(dataclasses.replace(each, status=REGISTERED, deprecated_at=None))

    def put_domain(self, domain: Domain) -> None:
        """Add or replace a domain."""
        self.domains[domain.name] = domain
        self.types.setdefault(domain.name, {})
        self.changes.append(domain)

    def domain_of_arn(self, arn: str) -> Domain:
        """The domain that a resource ARN names. Raises `UnknownResourceFault`."""
        found = self.domains.get(arn.removeprefix(ARN_PREFIX)) if arn.startswith(ARN_PREFIX) else None
        if found is None:
            raise UnknownResourceFault(f"Unknown resource: {arn}")
        return found

    def tag(self, request: Request) -> None:
        """Raises `UnknownResourceFault`, `TooManyTagsFault`."""
        domain = self.domain_of_arn(request["resourceArn"])
        self.put_domain(dataclasses.replace(domain, tags=_with_tags(domain.tags, request["tags"])))

    def untag(self, request: Request) -> None:
        """Raises `UnknownResourceFault`."""
        domain = self.domain_of_arn(request["resourceArn"])
        gone = set(request["tagKeys"])
        tags = {key: value for key, value in domain.tags.items() if key not in gone}
        self.put_domain(dataclasses.replace(domain, tags=tags))

    # -- types

    def find(self, domain: str, kind: Kind, name: str, version: str) -> Type | None:
        """The type, registered or deprecated."""
        return self.types.get(domain, {}).get((kind, name, version))

    def type(self, domain: str, kind: Kind, named: Mapping[str, Any]) -> Type:
        """The type of this name and version. Raises `UnknownResourceFault`."""
        self.domain(domain)
        found = self.find(domain, kind, named["name"], named["version"])
        if found is None:
            raise UnknownResourceFault(f"Unknown type: {type_text(kind, named)}")
        return found

    def register_type(self, kind: Kind, request: Request, now: int) -> None:
        """Raises `DomainDeprecatedFault`, `TypeAlreadyExistsFault`, `LimitExceededFault`."""
        domain = self.active_domain(request["domain"]).name
        if self.find(domain, kind, request["name"], request["version"]) is not None:
            raise TypeAlreadyExistsFault(type_text(kind, request))
        registered = self.types[domain]
        if (
            len(registered) >= limits.MAX_TYPES
            and sum(each.kind == kind for each in registered.values()) >= limits.MAX_TYPES
        ):
            raise LimitExceededFault(f"{limits.MAX_TYPES} types are registered in {domain}; SWF allows no more")
        self.put_type(
            Type(
                domain=domain,
                kind=kind,
                name=request["name"],
                version=request["version"],
                status=REGISTERED,
                description=request.get("description"),
                created_at=now,
                deprecated_at=None,
                defaults=chosen(request, *_DEFAULTS[kind]),
            )
        )

    def deprecate_type(self, kind: Kind, domain: str, named: Mapping[str, Any], now: int) -> None:
        """Raises `UnknownResourceFault`, `TypeDeprecatedFault`."""
        found = self.type(domain, kind, named)
        if found.status == DEPRECATED:
            raise TypeDeprecatedFault(type_text(kind, named))
        self.put_type(dataclasses.replace(found, status=DEPRECATED, deprecated_at=now))

    def undeprecate_type(self, kind: Kind, domain: str, named: Mapping[str, Any]) -> None:
        """Raises `UnknownResourceFault`, `TypeAlreadyExistsFault`."""
        found = self.type(domain, kind, named)
        if found.status == REGISTERED:
            raise TypeAlreadyExistsFault(type_text(kind, named))
        self.put_type(dataclasses.replace(found, status=REGISTERED, deprecated_at=None))

    def delete_type(self, kind: Kind, domain: str, named: Mapping[str, Any]) -> None:
        """Raises `UnknownResourceFault`, `TypeNotDeprecatedFault`."""
        found = self.type(domain, kind, named)
        if found.status == REGISTERED:
            raise TypeNotDeprecatedFault("The type is currently registered and cannot be deleted in its current state")
        del self.types[domain][kind, found.name, found.version]
        self.changes.append(TypeDeleted(found))

    def put_type(self, added: Type) -> None:
        """Add or replace a type."""
        self.types[added.domain][added.kind, added.name, added.version] = added
        self.changes.append(added)


def type_text(kind: Kind, named: Mapping[str, Any]) -> str:
    """A type as SWF's messages name it."""
    return f"{kind}=[name={named['name']}, version={named['version']}]"


def _with_tags(tags: Mapping[str, str | None], added: Any) -> dict[str, str | None]:
    merged = {**tags, **{tag["key"]: tag.get("value") for tag in added}}
    if len(merged) > MAX_RESOURCE_TAGS:
        raise TooManyTagsFault(f"a resource has at most {MAX_RESOURCE_TAGS} tags")
    return merged
