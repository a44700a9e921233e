"""Domains and types: how they are registered, deprecated, deleted and tagged.

Rule: records are frozen and replaced, never changed, so that the store's thread may read them at any time. Every
change is appended to `changes`, for the store. Faults and their messages are SWF's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, Literal

from simpleflow_lab.engine.open_questions import UNDEPRECATED_DOMAIN_RESTORES_TYPES
from simpleflow_lab.engine.validation import Request, picked
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
WORKFLOW_TYPE: Final = "WorkflowType"
ACTIVITY_TYPE: Final = "ActivityType"

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
    """The description that it was registered with."""
    retention: str
    """Days for which closed executions are retained, or `NONE`."""
    tags: Mapping[str, str | None]
    """Resource tags: values by keys."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Type:
    """A registered workflow type or activity type."""

    domain: str
    """Name of the domain it is registered in."""
    kind: Kind
    """Whether it is a workflow type or an activity type."""
    name: str
    """Name; unique together with the version, in a domain, among the types of a kind."""
    version: str
    """Version; any text."""
    status: str
    """`REGISTERED` or `DEPRECATED`."""
    description: str | None
    """The description that it was registered with."""
    created_at: int
    """When it was registered, in milliseconds since 1970."""
    deprecated_at: int | None
    """When it was deprecated, in milliseconds since 1970; `None` if it is registered."""
    defaults: Mapping[str, Any]
    """The `default…` members that it was registered with."""


@dataclasses.dataclass(frozen=True, slots=True)
class TypeDeleted:
    """A change for the store: a type was deleted."""

    type: Type
    """The type before it was deleted."""


Change = Domain | Type | TypeDeleted


class DomainsAndTypes:
    """All domains and types."""

    def __init__(self) -> None:
        self.domains: dict[str, Domain] = {}
        """Domains by name."""
        self.types: dict[str, dict[tuple[Kind, str, str], Type]] = {}
        """The types of each domain by kind, name and version."""
        self.changes: list[Change] = []
        """Changes that the store must write, in order."""

    # -- domains

    def domain(self, name: str) -> Domain:
        """The domain with this name. Raises `UnknownResourceFault`."""
        found = self.domains.get(name)
        if found is None:
            raise UnknownResourceFault(f"Unknown domain: {name}")
        return found

    def active_domain(self, name: str) -> Domain:
        """The domain, which must not be deprecated. Raises `UnknownResourceFault`, `DomainDeprecatedFault`."""
        found = self.domain(name)
        if found.status == DEPRECATED:
            raise DomainDeprecatedFault(name)
        return found

    def register_domain(self, request: Request) -> None:
        """Register a domain. Raises `DomainAlreadyExistsFault`, `LimitExceededFault`, `TooManyTagsFault`."""
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
        """Deprecate a domain and its types. Raises `UnknownResourceFault`, `DomainDeprecatedFault`."""
        domain = self.active_domain(name)
        self.put_domain(dataclasses.replace(domain, status=DEPRECATED))
        for each in list(self.types[name].values()):
            if each.status == REGISTERED:
                self.put_type(dataclasses.replace(each, status=DEPRECATED, deprecated_at=now))

    def undeprecate_domain(self, name: str) -> None:
        """Make a deprecated domain registered again. Raises `UnknownResourceFault`, `DomainAlreadyExistsFault`."""
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
        """The domain with this ARN. Raises `UnknownResourceFault`."""
        found = self.domains.get(arn.removeprefix(ARN_PREFIX)) if arn.startswith(ARN_PREFIX) else None
        if found is None:
            raise UnknownResourceFault(f"Unknown resource: {arn}")
        return found

    def tag(self, request: Request) -> None:
        """Add or replace tags of a domain. Raises `UnknownResourceFault`, `TooManyTagsFault`."""
        domain = self.domain_of_arn(request["resourceArn"])
        self.put_domain(dataclasses.replace(domain, tags=_with_tags(domain.tags, request["tags"])))

    def untag(self, request: Request) -> None:
        """Remove tags of a domain. Raises `UnknownResourceFault`."""
        domain = self.domain_of_arn(request["resourceArn"])
        removed = set(request["tagKeys"])
        tags = {key: value for key, value in domain.tags.items() if key not in removed}
        self.put_domain(dataclasses.replace(domain, tags=tags))

    # -- types

    def find(self, domain: str, kind: Kind, name: str, version: str) -> Type | None:
        """The type, registered or deprecated; `None` if it is unknown."""
        return self.types.get(domain, {}).get((kind, name, version))

    def type(self, domain: str, kind: Kind, type_ids: Mapping[str, Any]) -> Type:
        """The type with this name and version. Raises `UnknownResourceFault`."""
        self.domain(domain)
        found = self.find(domain, kind, type_ids["name"], type_ids["version"])
        if found is None:
            raise UnknownResourceFault(f"Unknown type: {type_text(kind, type_ids)}")
        return found

    def register_type(self, kind: Kind, request: Request, now: int) -> None:
        """Register a type. Raises `DomainDeprecatedFault`, `TypeAlreadyExistsFault`, `LimitExceededFault`."""
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
                defaults=picked(request, *_DEFAULTS[kind]),
            )
        )

    def deprecate_type(self, kind: Kind, domain: str, type_ids: Mapping[str, Any], now: int) -> None:
        """Deprecate a type. Raises `UnknownResourceFault`, `TypeDeprecatedFault`."""
        found = self.type(domain, kind, type_ids)
        if found.status == DEPRECATED:
            raise TypeDeprecatedFault(type_text(kind, type_ids))
        self.put_type(dataclasses.replace(found, status=DEPRECATED, deprecated_at=now))

    def undeprecate_type(self, kind: Kind, domain: str, type_ids: Mapping[str, Any]) -> None:
        """Make a deprecated type registered again. Raises `UnknownResourceFault`, `TypeAlreadyExistsFault`."""
        found = self.type(domain, kind, type_ids)
        if found.status == REGISTERED:
            raise TypeAlreadyExistsFault(type_text(kind, type_ids))
        self.put_type(dataclasses.replace(found, status=REGISTERED, deprecated_at=None))

    def delete_type(self, kind: Kind, domain: str, type_ids: Mapping[str, Any]) -> None:
        """Delete a deprecated type. Raises `UnknownResourceFault`, `TypeNotDeprecatedFault`."""
        found = self.type(domain, kind, type_ids)
        if found.status == REGISTERED:
            raise TypeNotDeprecatedFault("The type is currently registered and cannot be deleted in its current state")
        del self.types[domain][kind, found.name, found.version]
        self.changes.append(TypeDeleted(found))

    def put_type(self, added: Type) -> None:
        """Add or replace a type."""
        self.types[added.domain][added.kind, added.name, added.version] = added
        self.changes.append(added)


def type_text(kind: Kind, type_ids: Mapping[str, Any]) -> str:
    """A type as SWF's messages name it."""
    return f"{kind}=[name={type_ids['name']}, version={type_ids['version']}]"


def _with_tags(tags: Mapping[str, str | None], added: Any) -> dict[str, str | None]:
    merged = {**tags, **{tag["key"]: tag.get("value") for tag in added}}
    if len(merged) > MAX_RESOURCE_TAGS:
        raise TooManyTagsFault(f"a resource has at most {MAX_RESOURCE_TAGS} tags")
    return merged
