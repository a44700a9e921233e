"""What a workflow says, it says once; an activity always speaks."""

import logging

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
        assert lab.start(Talks, 3).result(30) == 6
    names = ("simpleflow_lab", "simpleflow_lab.workflow.logging.talks")
    said = [record.getMessage() for record in caplog.records if record.name in names]
    assert said == ["begins", "with 3", "adding to 3", "adding to 4", "adding to 5", "ends"]
    assert capsys.readouterr().out == "prints\n"


def test_the_logger_is_a_standard_one_without_handlers():
    assert logger is logging.getLogger("simpleflow_lab")
    assert logger.handlers == []
    assert log.logger is logger


def test_colours_are_for_terminals(monkeypatch):
    assert log.colorize("ERROR", "no") == "no"
    monkeypatch.setattr(log, "color_mode", log.ColorModes.ALWAYS)
    assert log.colorize("ERROR", "yes") == f"{log.RED}yes{log.END}"
