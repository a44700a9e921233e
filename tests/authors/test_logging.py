"""What a workflow says, it says once; an activity always speaks."""

import logging
import threading

import pytest

from simpleflow_lab import Workflow, activity, log, logger

TASKS = {"task_list": "logging", "version": "1"}


@activity.with_attributes(name="logging.add", **TASKS)
def add(x):
    logger.info("adding to %s", x)
    return x + 1


class Talks(Workflow):
    name = "logging.talks"
    task_list = "logging"

    def run(self, n):
        logger.info("begins")
        self.logger.warning("with %s", n)
        print("prints")
        for _ in range(n):
            n = self.submit(add, n).result
        logger.info("ends")
        return n


@pytest.mark.parametrize("replay_cache_size", [0, 500])
def test_each_line_appears_once_however_often_the_code_is_replayed(lab, caplog, capsys, replay_cache_size):
    with caplog.at_level(logging.INFO, "simpleflow_lab"):
        assert lab.start(Talks, 3).result(200) == 6
    names = ("simpleflow_lab", "simpleflow_lab.workflow.logging.talks")
    said = [record.getMessage() for record in caplog.records if record.name in names]
    assert said == ["begins", "with 3", "adding to 3", "adding to 4", "adding to 5", "ends"]
    assert capsys.readouterr().out == "prints\n"


class Closes(Workflow):
    """Is about to close when a signal comes, once."""

    name = "logging.closes"
    task_list = "logging"
    determinism = "off"

    closing, signaled = threading.Event(), threading.Event()

    def run(self):
        signals = self.submit(self.next_signal("s")), self.submit(self.next_signal("s"))
        self.submit(add, 1).wait()
        print("prints")
        self.logger.warning("with %s", 1)
        logger.info("mine")
        self.closing.set()
        assert self.signaled.wait(200)
        for signal in signals:
            if signal.done:
                self.logger.warning("signaled")
                print("signaled")
        return 1


def test_a_decision_that_is_made_anew_because_swf_refused_its_close_says_nothing_twice(lab, caplog, capsys):
    Closes.closing.clear()
    Closes.signaled.clear()
    with caplog.at_level(logging.INFO, "simpleflow_lab"):
        execution = lab.start(Closes)
        assert Closes.closing.wait(200)
        execution.signal("s")
        Closes.signaled.set()
        assert execution.result(200) == 1
    assert "CompleteWorkflowExecutionFailed" in [event.type for event in execution.history()]
    of_run = [record for record in caplog.records if record.filename == "test_logging.py" and record.funcName == "run"]
    assert [record.msg for record in of_run] == ["with %s", "mine", "signaled"]
    assert capsys.readouterr().out == "prints\nsignaled\n"


def test_the_logger_is_a_standard_one_without_handlers():
    assert logger is logging.getLogger("simpleflow_lab")
    assert logger.handlers == []
    assert log.logger is logger


def test_colours_are_for_terminals(monkeypatch):
    assert log.colorize("ERROR", "no") == "no"
    monkeypatch.setattr(log, "color_mode", log.ColorModes.ALWAYS)
    assert log.colorize("ERROR", "yes") == f"{log.RED}yes{log.END}"
