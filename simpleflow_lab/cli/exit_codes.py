"""The exit codes of `simpleflow`: how a command went.

=====  ===========================================================================================================
code   meaning
=====  ===========================================================================================================
0      done
1      the execution failed, or its decision is blocked: the task, its error and its traceback are on stderr;
       an activity that was run again failed, code decides otherwise than a history, or `doctor` found a problem
2      what was typed can't be done as typed: one line on stderr says why, and nothing was changed
130    interrupted (Ctrl-C): the execution stays open and is resumed with `simpleflow resume`
141    the reader of the output has gone, as that of `simpleflow … | head`: a shell says so of what SIGPIPE ended
=====  ===========================================================================================================
"""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """The result of a command, as its exit code."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    INTERRUPTED = 130
    NO_READER = 141
