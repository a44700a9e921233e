"""Draw the pictures of the README and the documentation: docs/pictures/*.svg.

    python tools/draw_pictures.py            # draw all
    python tools/draw_pictures.py --check    # draw nothing: are the saved ones those that would be drawn?

The product draws them itself, from the history below, which has the times of a morning that went as such mornings go:
a shop that answers at the second try, workers that are busy, a mail that nobody gets. So they are the same on every
machine.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path

from simpleflow_lab.recorded_execution import RecordedExecution
from simpleflow_lab.swf.conventions import RETRY_TIMER
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.chart import Chart

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
SHOPS = ("north", "south", "east", "west", "harbour", "station")
PAUSE = f"{RETRY_TIMER}activity-prices.fetch-2"
BEGAN = datetime.datetime(2026, 11, 23, 6, 0, tzinfo=datetime.UTC)


class Morning:
    """The history, event by event."""

    def __init__(self) -> None:
        self.events: list[HistoryEvent] = []
        self._at = 0.0
        self._decided = 0

    def at(self, seconds: float) -> Morning:
        self._at = seconds
        return self

    def add(self, event_type: str, **attributes: object) -> int:
        when = BEGAN + datetime.timedelta(seconds=self._at)
        self.events.append(HistoryEvent(len(self.events) + 1, event_type, when, attributes))
        return len(self.events)

    def decide(self, start: float, end: float) -> None:
        scheduled = self.add("DecisionTaskScheduled", taskList={"name": "prices"})
        started = self.at(start).add("DecisionTaskStarted", scheduledEventId=scheduled, identity="decider-1")
        ids = {"scheduledEventId": scheduled, "startedEventId": started}
        self._decided = self.at(end).add("DecisionTaskCompleted", **ids)

    def schedule(self, name: str, number: int, after: tuple[str, ...] = (), line: str = "") -> int:
        return self.add(
            "ActivityTaskScheduled",
            activityType={"name": f"prices.{name}", "version": "1"},
            activityId=f"activity-prices.{name}-{number}",
            taskList={"name": "shops" if name == "fetch" else "prices"},
            control=json.dumps({"at": line, "after": [f"activity-prices.{each}" for each in after]}),
            decisionTaskCompletedEventId=self._decided,
        )

    def start(self, scheduled: int, worker: int) -> int:
        return self.add("ActivityTaskStarted", scheduledEventId=scheduled, identity=f"worker-{worker}")

    def end(self, scheduled: int, started: int, how: str = "Completed", **attributes: object) -> int:
        return self.add(f"ActivityTask{how}", scheduledEventId=scheduled, startedEventId=started, **attributes)


def morning() -> History:
    """Six shops are asked on three workers, cleaned as they come, summed up and mailed."""
    m = Morning()
    m.add("WorkflowExecutionStarted", workflowType={"name": "prices", "version": "1"}, taskList={"name": "prices"})
    m.decide(0.3, 0.6)
    fetches = [m.schedule("fetch", n + 1, line="prices.py:41, self.submit(fetch, shop)") for n in range(len(SHOPS))]
    s0, s1, s2 = (m.at(0.8 + n / 10).start(fetches[n], n + 1) for n in range(3))
    m.at(4).end(fetches[0], s0, result="120")
    s3 = m.at(4.1).start(fetches[3], 1)
    m.decide(4.2, 4.4)
    clean1 = m.schedule("clean", 1, ("fetch-1",))
    c1 = m.at(4.5).start(clean1, 4)
    m.at(6).end(fetches[2], s2, result="95")
    s4 = m.at(6.1).start(fetches[4], 3)
    m.at(6.5).end(clean1, c1, result="118")
    m.decide(6.6, 6.8)
    clean3 = m.schedule("clean", 3, ("fetch-3",))
    c3 = m.at(6.9).start(clean3, 4)
    m.at(7.5).end(fetches[1], s1, "Failed", reason="TimeoutError: no answer", details="")
    s5 = m.at(7.6).start(fetches[5], 2)
    m.decide(7.7, 7.9)
    pause = m.add(
        "TimerStarted",
        timerId=PAUSE,
        startToFireTimeout="5",
        decisionTaskCompletedEventId=m._decided,
    )
    m.at(9).end(clean3, c3, result="90")
    m.at(9.5).end(fetches[3], s3, result="80")
    m.decide(9.6, 9.8)
    clean4 = m.schedule("clean", 4, ("fetch-4",))
    c4 = m.at(9.9).start(clean4, 4)
    m.at(11).end(fetches[4], s4, result="60")
    m.at(11.6).end(clean4, c4, result="80")
    m.decide(11.7, 11.9)
    clean5 = m.schedule("clean", 5, ("fetch-5",))
    c5 = m.at(12).start(clean5, 4)
    m.at(12.9).add("TimerFired", timerId=PAUSE, startedEventId=pause)
    m.decide(13, 13.2)
    again = m.schedule("fetch", 2, line="prices.py:41, self.submit(fetch, shop)")
    a2 = m.at(13.3).start(again, 1)
    m.at(13.6).end(fetches[5], s5, result="72")
    m.at(14.2).end(clean5, c5, result="60")
    m.decide(14.3, 14.5)
    clean6 = m.schedule("clean", 6, ("fetch-6",))
    c6 = m.at(14.6).start(clean6, 4)
    m.at(16.4).end(clean6, c6, result="72")
    m.at(18).end(again, a2, result="110")
    m.decide(18.1, 18.3)
    clean2 = m.schedule("clean", 2, ("fetch-2",))
    c2 = m.at(18.4).start(clean2, 4)
    m.at(20.4).end(clean2, c2, result="109")
    m.decide(20.5, 20.7)
    total = m.schedule("total", 1, tuple(f"clean-{n}" for n in range(1, 7)))
    t1 = m.at(20.8).start(total, 4)
    m.at(23).end(total, t1, result="529")
    m.decide(23.1, 23.3)
    mail = m.schedule("mail", 1, ("total-1",))
    m1 = m.at(23.4).start(mail, 4)
    m.at(24.4).end(mail, m1, "Failed", reason="OSError: relay refused", details="")
    m.decide(24.5, 24.7)
    m.add("WorkflowExecutionCompleted", result="529", decisionTaskCompletedEventId=m._decided)
    return History(m.events)


def pictures() -> dict[str, Chart]:
    """The pictures, by the names of their files."""
    execution = RecordedExecution(morning(), "prices")
    return {
        "gantt": execution.gantt(),
        "graph": execution.graph(),
        "concurrency": execution.concurrency(by="name"),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Draw the pictures of the README and the documentation.")
    parser.add_argument("--check", action="store_true", help="draw nothing; compare the saved ones with what is drawn")
    parser.add_argument(
        "--folder", type=Path, default=PICTURES, help="where the pictures are, by default docs/pictures"
    )
    options = parser.parse_args(arguments)
    options.folder.mkdir(exist_ok=True)
    stale = []
    for name, chart in pictures().items():
        path, text = options.folder / f"{name}.svg", chart.to_svg(width=860) + "\n"
        if not options.check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
    for path in stale:
        print(f"{path} is not what is drawn now: run tools/draw_pictures.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
