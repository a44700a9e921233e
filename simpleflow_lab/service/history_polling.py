"""Waiting for a history to grow where the service offers no such thing: looking again, with growing pauses."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from simpleflow_lab.service.protocol import Answer, Structure, SWFService
from simpleflow_lab.swf.event_types import CLOSE_STATUS

FIRST_PAUSE: Final = 0.02
"""Seconds until the second look; each pause is half as long again as the one before, up to the longest."""


class Watching:
    """A service with the methods of `WatchableService`; everything else is the service's own."""

    def __init__(self, service: SWFService, *, longest_pause: float, close: Callable[[], None] = lambda: None):
        """`longest_pause` bounds what watching costs: on Amazon SWF calls are rationed."""
        self._service = service
        self._longest_pause = longest_pause
        self._close = close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    def wait_for_history(
        self, *, domain: str, execution: Structure, after_event_id: int, timeout: float, until_closed: bool = False
    ) -> int:
        """See `WatchableService`."""
        deadline, pause = time.monotonic() + timeout, FIRST_PAUSE
        while True:
            answer = self._service.get_workflow_execution_history(
                domain=domain, execution=execution, reverseOrder=True, maximumPageSize=1
            )
            last = answer["events"][0]
            closed = last["eventType"] in CLOSE_STATUS
            left = deadline - time.monotonic()
            if closed or (last["eventId"] > after_event_id and not until_closed) or left <= 0:
                return int(last["eventId"])
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, self._longest_pause)

    def answer_decision_task(self, **request: Any) -> Answer:
        """The service's own answer: when it returns, the decisions are safe."""
        return self._service.respond_decision_task_completed(**request)

    def release_polls(self) -> None:
        """Nothing: polls that wait elsewhere end when their time is over. Who stops does not wait for them."""

    def close(self) -> None:
        """Let go of the connections."""
        self._close()
