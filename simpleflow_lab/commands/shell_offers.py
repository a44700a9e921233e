"""What a shell offers while a person types: ids of executions, and domains, of the store.

*Rule:* to complete a word makes no store, runs no code, and says nothing: what can't be had is not offered. Amazon is
not asked, for a person waits at the keyboard.
"""

from __future__ import annotations

import contextlib
from typing import Final

from click.shell_completion import CompletionItem

from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.settings import default_store

MAX_IDS: Final = 200
"""The most ids of executions that are offered: those of the latest."""


def offers(kind: str, store: str | None, incomplete: str) -> list[CompletionItem]:
    """The words of a kind (`execution`, `domain`) that begin as what was typed; none for another kind."""
    if kind not in ("execution", "domain"):
        return []
    from simpleflow_lab.lab import Lab
    from simpleflow_lab.runtime.connection import missing_store

    words: list[str] = []
    with contextlib.suppress(SimpleflowLabError, OSError):
        address = store or default_store()
        if address.startswith("aws:") or missing_store(address) is not None:
            return []
        with Lab(address, serve="nothing", registers_domain=False, notice=lambda text: None) as lab:
            infos = [] if kind == "domain" else lab.execution_infos()[:MAX_IDS]
            words = lab.domains() if kind == "domain" else [info["execution"]["workflowId"] for info in infos]
    # A shell takes what a line of the answer says: what can't be seen, and what ends a line, is not offered.
    seen = dict.fromkeys(words)
    return [CompletionItem(word) for word in seen if word.startswith(incomplete) and word.isprintable()]
