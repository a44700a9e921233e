"""Histories of executions with one trouble each, as our deciders and workers record them.

Times are seconds of the story, so that what is found in them does not depend on how fast a machine is.
"""

from __future__ import annotations

import json
from typing import Any

from simpleflow_lab.swf.control import write_control
from simpleflow_lab.swf.conventions import RETRY_TIMER, WORKER_LOST
from simpleflow_lab.swf.history import History
from tests.views.story import Story


def control(*depends_on: str, max_parallel: int | None = None) -> dict[str, Any]:
    return {"control": write_control("shop.py:7, self.submit(…)", depends_on, max_parallel)}


def waiting(*signals: str, groups: tuple[tuple[int, int], ...] = (), deferred: int = 0) -> str:
    ours = {"max_parallel": groups, "open_activities": deferred}
    return json.dumps({"waiting_signals": signals, "simpleflow_lab": {name: v for name, v in ours.items() if v}})


def slow_task_off_the_path() -> History:
    """`audit-1` runs longest by far, and nothing waits for it: `fetch-1`, `parse-1` and `load-1` are the path."""
    story = Story()
    story.decide(0.1)
    audit = story.schedule("activity-shop.audit-1", "shop.audit", **control())
    fetch = story.schedule("activity-shop.fetch-1", "shop.fetch", **control())
    story.start(audit)
    story.start(fetch)
    story.at(4).complete(fetch)
    story.decide(0.1)
    parse = story.schedule("activity-shop.parse-1", "shop.parse", **control("activity-shop.fetch-1"))
    story.start(parse)
    story.at(8).complete(parse)
    story.decide(0.1)
    load = story.schedule("activity-shop.load-1", "shop.load", **control("activity-shop.parse-1"))
    story.start(load)
    story.at(9).complete(audit)
    story.decide(0.1)
    story.at(12).complete(load)
    story.decide(0.1)
    story.end(result='"done"')
    return story.history()


def waits_between_retries() -> History:
    """`fetch-8` fails twice, and its next attempts come after pauses of 2 s and 4 s."""
    story = Story("shop.Retries")
    story.decide(0.1)
    task, timer = "activity-shop.fetch-8", RETRY_TIMER + "activity-shop.fetch-8"
    at = 0.1
    for pause in (2.0, 4.0):
        attempt = story.schedule(task, "shop.fetch", **control())
        story.start(attempt)
        story.at(at + 1).fail(attempt, "ConnectionError: no answer")
        story.decide(0.1)
        started = story.add(
            "TimerStarted", timerId=timer, startToFireTimeout="2", decisionTaskCompletedEventId=story.decided
        )
        at += 1 + pause
        story.at(at).add("TimerFired", timerId=timer, startedEventId=started)
        story.decide(0.1)
    last = story.schedule(task, "shop.fetch", **control())
    story.start(last)
    story.at(at + 1).complete(last)
    story.decide(0.1)
    story.end(result="8")
    return story.history()


def queueing_behind_few_workers() -> History:
    """Six tasks of 2 s on task list `pricing`, whose workers take two at a time."""
    story = Story()
    story.decide(0.1)
    tasks = [
        story.schedule(f"activity-shop.price-{n}", "shop.price", taskList={"name": "pricing"}, **control())
        for n in range(1, 7)
    ]
    for number in range(0, 6, 2):
        for task in tasks[number : number + 2]:
            story.at(0.1 + number).start(task)
        for task in tasks[number : number + 2]:
            story.at(2.1 + number).complete(task)
    story.decide(0.1)
    story.end(result="[]")
    return story.history()


def deferred_by_max_parallel() -> History:
    """A group of three with `max_parallel=1`: each member is scheduled when the one before has closed."""
    story = Story()
    story.decide(0.1, context=waiting(groups=((1, 2),)))
    for number in (1, 2, 3):
        more = control(max_parallel=None if number == 1 else 1)
        task = story.schedule(f"activity-shop.price-{number}", "shop.price", **more)
        story.start(task)
        story.at(2.0 * number).complete(task)
        story.decide(0.1, context=waiting(groups=((1, 2 - number),)) if number < 2 else "")
    story.end(result="[]")
    return story.history()


def deferred_by_the_limit_of_open_tasks() -> History:
    """No more than one activity task may be open: the second one waits for the first."""
    story = Story()
    story.decide(0.1, context=waiting(deferred=1))
    for number in (1, 2):
        task = story.schedule(f"activity-shop.price-{number}", "shop.price", **control())
        story.start(task)
        story.at(5.0 * number).complete(task)
        story.decide(0.1, context="")
    story.end(result="[]")
    return story.history()


def deferred_for_want_of_workers() -> History:
    """Two activity tasks may be open, and the one worker of `pricing` takes one at a time: the third task waits."""
    story = Story()
    story.decide(0.1, context=waiting(deferred=1))
    pricing = {"taskList": {"name": "pricing"}, **control()}
    first, second = (story.schedule(f"activity-shop.price-{n}", "shop.price", **pricing) for n in (1, 2))
    story.start(first)
    story.at(5.0).complete(first)
    story.decide(0.1, context="")
    third = story.schedule("activity-shop.price-3", "shop.price", **pricing)
    story.start(second)
    story.at(6.0).complete(second)
    story.decide(0.1, context="")
    story.start(third)
    story.at(7.0).complete(third)
    story.decide(0.1, context="")
    story.end(result="[]")
    return story.history()


def forgotten_signal() -> History:
    """It is open: `check-1` was done after 1 s, and since then it waits for the signal `approved`."""
    story = Story()
    story.decide(0.1)
    story.run("activity-shop.check-1", "shop.check", start=0.1, end=1)
    story.decide(0.1, context=waiting("approved"))
    return story.history()


def late_signal() -> History:
    """The signal `approved` came after 59 s."""
    story = Story()
    story.decide(0.1)
    story.run("activity-shop.check-1", "shop.check", start=0.1, end=1)
    story.decide(0.1, context=waiting("approved"))
    story.at(60).add("WorkflowExecutionSignaled", signalName="approved", input="null")
    story.decide(0.1, context="")
    story.end(result="true")
    return story.history()


def lost_worker() -> History:
    """The process of `train-1` ended after 7 s: the task ran again, in another one."""
    story = Story()
    story.decide(0.1)
    lost = story.schedule("activity-shop.train-1", "shop.train", **control())
    story.start(lost)
    story.at(7).add(
        "ActivityTaskTimedOut",
        scheduledEventId=lost,
        startedEventId=lost + 1,
        timeoutType="START_TO_CLOSE",
        details=WORKER_LOST,
    )
    story.decide(0.1)
    again = story.schedule("activity-shop.train-1", "shop.train", **control())
    story.start(again)
    story.at(10).complete(again)
    story.decide(0.1)
    story.end(result="1")
    return story.history()


def swallowed_failure() -> History:
    """It completed, though `mail-1` failed and its code never looked."""
    story = Story()
    story.decide(0.1)
    mail = story.schedule("activity-shop.mail-1", "shop.mail", **control())
    pay = story.schedule("activity-shop.pay-1", "shop.pay", **control())
    story.start(mail)
    story.start(pay)
    story.at(1).fail(mail, "SMTPException: relay refused")
    story.decide(0.1)
    story.at(2).complete(pay)
    context = json.dumps({"simpleflow_lab": {"unhandled_failures": ["activity-shop.mail-1"]}})
    story.decide(0.1, context=context)
    story.end(result='"paid"')
    return story.history()


def long_timer() -> History:
    """It waits an hour by a timer of its own."""
    story = Story()
    story.decide(0.1)
    timer = story.add(
        "TimerStarted", timerId="cool down", startToFireTimeout="3600", decisionTaskCompletedEventId=story.decided
    )
    story.at(3600).add("TimerFired", timerId="cool down", startedEventId=timer)
    story.decide(0.1)
    story.end(result="null")
    return story.history()


def nobody_takes_it() -> History:
    """A worker took `price-1` only after 30 s, though nothing else of the execution ran."""
    story = Story()
    story.decide(0.1)
    story.run("activity-shop.price-1", "shop.price", start=30, end=31)
    story.decide(0.1)
    story.end(result="1")
    return story.history()


def nobody_decides() -> History:
    """Its first decision task waits since 40 s."""
    story = Story()
    story.add("DecisionTaskScheduled", taskList={"name": "deciders"})
    return story.history()
