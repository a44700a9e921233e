"""Where the deciders and activity workers of a Lab work, and with what: one record for all of them."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from simpleflow_lab.data.fields import Fields
from simpleflow_lab.data.objects import Storage
from simpleflow_lab.runtime.identity import identity
from simpleflow_lab.service.protocol import WatchableService
from simpleflow_lab.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Site:
    """One domain of a service, and what this process has for it."""

    service: WatchableService
    domain: str
    storage: Storage
    """Where objects are kept beside the histories."""
    fields: Fields
    """Values to SWF's fields and back."""
    settings: Settings = field(default_factory=Settings)
    contexts: dict[str, contextvars.Context] = field(default_factory=dict)
    """By workflow id: the `contextvars` in which an execution's code runs, and so where its output goes."""

    @cached_property
    def identity(self) -> str:
        """Who polls; see `runtime.identity`."""
        return identity(self.settings.identity, max_open_activities=self.settings.swf_max_open_activity_count)

    @cached_property
    def activity_defaults(self) -> Mapping[str, str]:
        """What a decider asks for where an activity says nothing, by the arguments' names in a decision."""
        return {
            "task_list": self.settings.activity_default_task_list,
            "start_to_close_timeout": self.settings.activity_start_to_close_timeout,
            "schedule_to_close_timeout": self.settings.activity_schedule_to_close_timeout,
            "schedule_to_start_timeout": self.settings.activity_schedule_to_start_timeout,
            "heartbeat_timeout": self.settings.activity_heartbeat_timeout,
        }
