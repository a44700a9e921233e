"""The operations on what is registered: domains, their tags, workflow types and activity types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from simpleflow_lab.engine import tokens
from simpleflow_lab.engine.domains_and_types import ACTIVITY_TYPE, WORKFLOW_TYPE, Kind
from simpleflow_lab.engine.operations import Operations, operation
from simpleflow_lab.engine.pages import PageTokens, page_size, request_digest
from simpleflow_lab.engine.responses import copied, domain_info, type_info
from simpleflow_lab.engine.transactions import ROOM_SECONDS
from simpleflow_lab.engine.validation import Request
from simpleflow_lab.service.protocol import Answer, Structure, SWFService

T = TypeVar("T")


class RegistrationOperations(Operations):
    """The part of the embedded engine that is about domains and types."""

    _page_tokens: PageTokens

    # -- domains

    @operation(SWFService.register_domain)
    def register_domain(self, request: Request) -> Answer:
        return self._durable.write(lambda state: state.registry.register_domain(request))

    @operation(SWFService.deprecate_domain)
    def deprecate_domain(self, request: Request) -> Answer:
        return self._durable.write(lambda state: state.registry.deprecate_domain(request["name"], state.now()))

    @operation(SWFService.undeprecate_domain)
    def undeprecate_domain(self, request: Request) -> Answer:
        return self._durable.write(lambda state: state.registry.undeprecate_domain(request["name"]))

    @operation(SWFService.describe_domain)
    def describe_domain(self, request: Request) -> Answer:
        with self._durable.transaction() as state:
            domain = state.registry.domain(request["name"])
        return {
            "domainInfo": domain_info(domain),
            "configuration": {"workflowExecutionRetentionPeriodInDays": domain.retention},
        }

    @operation(SWFService.list_domains)
    def list_domains(self, request: Request) -> Answer:
        with self._durable.transaction() as state:
            domains = sorted(state.registry.domains.values(), key=lambda domain: domain.name)
        listed = [domain for domain in domains if domain.status == request["registrationStatus"]]
        return self._named_page("Domain", "domainInfos", listed, request, domain_info)

    @operation(SWFService.tag_resource)
    def tag_resource(self, request: Request) -> Answer:
        return self._durable.write(lambda state: state.registry.tag(request))

    @operation(SWFService.untag_resource)
    def untag_resource(self, request: Request) -> Answer:
        return self._durable.write(lambda state: state.registry.untag(request))

    @operation(SWFService.list_tags_for_resource)
    def list_tags_for_resource(self, request: Request) -> Answer:
        with self._durable.transaction() as state:
            domain = state.registry.domain_of_arn(request["resourceArn"])
        return {"tags": [{"key": k} if v is None else {"key": k, "value": v} for k, v in domain.tags.items()]}

    # -- types

    @operation(SWFService.register_workflow_type)
    def register_workflow_type(self, request: Request) -> Answer:
        return self._durable.write(
            lambda state: state.registry.register_type(WORKFLOW_TYPE, request, state.now()), room_seconds=ROOM_SECONDS
        )

    @operation(SWFService.register_activity_type)
    def register_activity_type(self, request: Request) -> Answer:
        return self._durable.write(lambda state: state.registry.register_type(ACTIVITY_TYPE, request, state.now()))

    @operation(SWFService.deprecate_workflow_type)
    def deprecate_workflow_type(self, request: Request) -> Answer:
        domain, ids = request["domain"], request["workflowType"]
        return self._durable.write(lambda state: state.registry.deprecate_type(WORKFLOW_TYPE, domain, ids, state.now()))

    @operation(SWFService.deprecate_activity_type)
    def deprecate_activity_type(self, request: Request) -> Answer:
        domain, ids = request["domain"], request["activityType"]
        return self._durable.write(lambda state: state.registry.deprecate_type(ACTIVITY_TYPE, domain, ids, state.now()))

    @operation(SWFService.undeprecate_workflow_type)
    def undeprecate_workflow_type(self, request: Request) -> Answer:
        domain, ids = request["domain"], request["workflowType"]
        return self._durable.write(lambda state: state.registry.undeprecate_type(WORKFLOW_TYPE, domain, ids))

    @operation(SWFService.undeprecate_activity_type)
    def undeprecate_activity_type(self, request: Request) -> Answer:
        domain, ids = request["domain"], request["activityType"]
        return self._durable.write(lambda state: state.registry.undeprecate_type(ACTIVITY_TYPE, domain, ids))

    @operation(SWFService.delete_workflow_type)
    def delete_workflow_type(self, request: Request) -> Answer:
        domain, ids = request["domain"], request["workflowType"]
        return self._durable.write(lambda state: state.registry.delete_type(WORKFLOW_TYPE, domain, ids))

    @operation(SWFService.delete_activity_type)
    def delete_activity_type(self, request: Request) -> Answer:
        domain, ids = request["domain"], request["activityType"]
        return self._durable.write(lambda state: state.registry.delete_type(ACTIVITY_TYPE, domain, ids))

    @operation(SWFService.describe_workflow_type)
    def describe_workflow_type(self, request: Request) -> Answer:
        return self._describe_type(WORKFLOW_TYPE, request["domain"], request["workflowType"])

    @operation(SWFService.describe_activity_type)
    def describe_activity_type(self, request: Request) -> Answer:
        return self._describe_type(ACTIVITY_TYPE, request["domain"], request["activityType"])

    @operation(SWFService.list_workflow_types)
    def list_workflow_types(self, request: Request) -> Answer:
        return self._list_types(WORKFLOW_TYPE, request)

    @operation(SWFService.list_activity_types)
    def list_activity_types(self, request: Request) -> Answer:
        return self._list_types(ACTIVITY_TYPE, request)

    def _describe_type(self, kind: Kind, domain: str, ids: Structure) -> Answer:
        with self._durable.transaction() as state:
            found = state.registry.type(domain, kind, ids)
        return {"typeInfo": type_info(found), "configuration": copied(found.defaults)}

    def _list_types(self, kind: Kind, request: Request) -> Answer:
        status, name = request["registrationStatus"], request.get("name")
        with self._durable.transaction() as state:
            domain = state.registry.domain(request["domain"]).name
            types = list(state.registry.types[domain].values())
        listed = [t for t in types if t.kind == kind and t.status == status and name in (None, t.name)]
        listed.sort(key=lambda t: (t.name, t.version))
        return self._named_page(kind, "typeInfos", listed, request, type_info)

    def _named_page(
        self, about: str, member: str, listed: Sequence[T], request: Request, info: Callable[[T], dict[str, Any]]
    ) -> Answer:
        """A page of a list that is sorted by name."""
        digest = request_digest(about, request)
        skip, *_ = self._page_tokens.read(tokens.NAMES_PAGE_TOKEN, digest, request) or (0,)
        ordered = listed[::-1] if request.get("reverseOrder") else listed
        end = skip + page_size(request)
        answer: Answer = {member: [info(each) for each in ordered[skip:end]]}
        if end < len(ordered):
            answer["nextPageToken"] = self._page_tokens.write(tokens.NAMES_PAGE_TOKEN, digest, end)
        return answer
