"""A step as text and as HTML: the same facts, bounded.

Rule: values come from histories and from the author's code: as text they are made visible, as HTML escaped.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from simpleflow_lab.debugger.trigger_text import task_words
from simpleflow_lab.replay.lines import line_text
from simpleflow_lab.replay.trace import CommandRecord, DecisionRecord, FutureRecord, Raised, SuspendedFiber
from simpleflow_lab.swf.decisions import Decision, attributes
from simpleflow_lab.views.formatting import HOVER_LIMIT, count, shortened
from simpleflow_lab.views.html import piece
from simpleflow_lab.views.markup import Html
from simpleflow_lab.views.text_tables import visible

MAX_SHOWN: Final = 8
"""Most commands, futures and fibers of one step that are named."""
_MAX_OUTPUT_LINES: Final = 5
_MAX_VALUE: Final = 200
"""Characters of one value of a decision; of a longer one a checksum says whether it is the same."""
_IDS: Final = ("activityId", "timerId", "workflowId", "markerName", "signalName", "id", "name")
_VALUES: Final = ("startToFireTimeout", "input", "details", "result", "reason")
_NOT_COMPARED: Final = {"FailWorkflowExecution": ("details",)}
"""The parts that are not the same in equal code: details of a failure hold a traceback, with paths and numbers of
lines."""
_ADDRESS: Final = re.compile(r"\bat 0x[0-9a-fA-F]+")
"""Where an object lies, in the text of one without a text of its own: each process has it elsewhere."""


def heading_of(record: DecisionRecord, title: str) -> str:
    """`step 7 of nightly-3: decision at events 40 to 42`."""
    last = record.recorded[-1].id if record.recorded else record.completed_event_id
    if not record.is_replayed:
        return f"step {record.number} of {title}: the open decision, after event {record.started_event_id}"
    return f"step {record.number} of {title}: decided after event {record.started_event_id}, recorded up to {last}"


def facts_of(record: DecisionRecord, trigger: str, edits: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The facts of a step: pairs of a word and a text in one line. `edits` say what was edited since."""
    yield "woken by", trigger
    yield from _named("command", [command_text(command) for command in record.commands])
    yield from _named("edited since", edits)
    yield from _named("changed", [future_text(future) for future in record.changed_futures])
    yield from _named("waits", [fiber_text(fiber) for fiber in record.suspended])
    if record.pending:
        yield "pending", f"{count(record.pending, 'command')} that no event records yet"
    lines = (record.output or "").splitlines()
    for line in lines[:_MAX_OUTPUT_LINES]:
        yield "printed", shortened(line, HOVER_LIMIT)
    if len(lines) > _MAX_OUTPUT_LINES:
        yield "printed", f"… {count(len(lines) - _MAX_OUTPUT_LINES, 'line')} more"
    for id in record.raised_at_once:
        yield "at once", at_once_text(id)
    if record.raised is not None:
        yield "raised", shortened(raised_text(record.raised), 2 * HOVER_LIMIT)
    close = record.close
    if close is not None:
        refused = f", which SWF refused: {close.refused}" if close.refused else ""
        yield "closed by", f"{close.decision_type}{refused}"
    if record.error is not None:
        yield "ends here", shortened(record.error, 2 * HOVER_LIMIT)


def lines_of(record: DecisionRecord, trigger: str, title: str, edits: Sequence[str]) -> list[str]:
    """The step as lines of text."""
    facts = [f"  {word}: {visible(text)}" for word, text in facts_of(record, trigger, edits)]
    return [visible(heading_of(record, title)), *facts]


def html_of(record: DecisionRecord, trigger: str, title: str, edits: Sequence[str]) -> Html:
    """The step as a piece of HTML."""
    pairs = (Html("<dt>{}</dt><dd>{}</dd>").format(word, text) for word, text in facts_of(record, trigger, edits))
    return piece(Html("<strong>{}</strong><dl>{}</dl>").format(heading_of(record, title), Html("").join(pairs)))


def raised_text(raised: Raised) -> str:
    """`ValueError: no 3, at flows.py:12, raise ValueError(f"no {n}")`."""
    return raised.text if raised.line is None else f"{raised.text}, at {line_text(raised.line)}"


def at_once_text(task_id: str) -> str:
    """A failure that was raised because simpleflow decided: what is different here."""
    return (
        f"the failure of {shortened(task_id)} is raised while run waits: so simpleflow decided; "
        "a decider of this package raises it where the result is read"
    )


def command_text(command: CommandRecord) -> str:
    """`activity fetch-3 at flows.py:12, self.submit(fetch, 3)`."""
    where = f" at {line_text(command.line)}" if command.line is not None else ""
    return f"{task_words(command.kind, command.id)}{where}"


def decision_text(decision: Decision) -> str:
    """A decision in one line: its type, id, SWF type, and input; JSON in one spelling, and long texts cut.

    Of one that fails the execution there is the reason, and no traceback: that changes with each line above it.
    """
    its = attributes(decision)
    type = str(decision["decisionType"])
    parts = [type]
    for name in _IDS:
        if name in its:
            parts.append(str(its[name]))
    kind = its.get("activityType") or its.get("workflowType")
    if kind:
        parts.append(f"{kind.get('name')} {kind.get('version')}")
    for name in _VALUES:
        if its.get(name) is not None and name not in _NOT_COMPARED.get(type, ()):
            text = str(its[name])
            parts.append(_one_spelling(_ADDRESS.sub("at …", text) if name == "reason" else text))
    return " ".join(parts)


def _one_spelling(text: str) -> str:
    try:
        value = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        value = " ".join(text.split())
    return value if len(value) <= _MAX_VALUE else f"{value[:_MAX_VALUE]}… {zlib.crc32(value.encode()):08x}"


def future_text(future: FutureRecord) -> str:
    """`activity fetch-3: FINISHED, 42`."""
    value = f", {'failed: ' if future.failed else ''}{shortened(future.value, HOVER_LIMIT)}" if future.value else ""
    return f"{task_words(future.kind, future.id or future.number)}: {future.state}{value}"


def fiber_text(fiber: SuspendedFiber) -> str:
    """`run at flows.py:12, y.result, for activity-fetch-3`."""
    where = f" at {fiber.stack[-1].text}" if fiber.stack else ""
    ids = ", ".join(map(shortened, fiber.waits_for_ids[:3]))
    more = f" and {len(fiber.waits_for_ids) - 3} more" if len(fiber.waits_for_ids) > 3 else ""
    return f"{shortened(fiber.name.label)}{where}, for {ids or shortened(fiber.waits_for, HOVER_LIMIT)}{more}"


def _named(word: str, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    for text in texts[:MAX_SHOWN]:
        yield word, text
    if len(texts) > MAX_SHOWN:
        yield word, f"… {len(texts) - MAX_SHOWN:,} more"
