"""The keys of a store stay the same, and the user's own, until they are rotated."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from simpleflow_lab.http import store_keys
from simpleflow_lab.http.ports import ports_to_try


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store.sqlite")


def test_a_store_keeps_its_keys_and_the_port_at_which_it_was_served(store: str) -> None:
    keys = store_keys.of_store(store)
    assert store_keys.served_port(store) is None
    store_keys.remember_port(store, 4000)
    assert (store_keys.of_store(store), store_keys.served_port(store)) == (keys, 4000)


def test_rotating_makes_new_keys_and_keeps_the_port(store: str) -> None:
    before = store_keys.of_store(store)
    store_keys.remember_port(store, 4000)
    after = store_keys.rotate(store)
    assert not set(before) & set(after)
    assert (store_keys.of_store(store), store_keys.served_port(store)) == (after, 4000)


def test_two_stores_have_different_keys(store: str) -> None:
    assert not set(store_keys.of_store(store)) & set(store_keys.of_store(f"{store}-2"))


def test_the_keys_are_the_users_alone_whatever_the_umask(store: str) -> None:
    before = os.umask(0)
    try:
        store_keys.of_store(store)
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path(store_keys.keys_path(store)).stat().st_mode) == 0o600


def _spoiled(path: Path, how: str) -> None:
    record = json.loads(path.read_text())
    match how:
        case "readable by others":
            path.chmod(0o644)
        case "a link":
            path.rename(path.with_suffix(".elsewhere"))
            path.symlink_to(path.with_suffix(".elsewhere"))
        case "a pipe":
            path.unlink()
            os.mkfifo(path, 0o600)
        case "a short secret":
            path.write_text(json.dumps({**record, "AWS_SECRET_ACCESS_KEY": "x"}))
        case "no port":
            path.write_text(json.dumps({**record, "port": "x"}))
        case _:
            path.write_text(how)


@pytest.mark.parametrize(
    "how", ["readable by others", "a link", "a pipe", "a short secret", "no port", "", "[]", "{}", '{"port": 1', "\x00"]
)
def test_keys_that_another_user_could_know_or_that_are_none_are_replaced_and_it_is_logged(store, caplog, how) -> None:
    before = store_keys.of_store(store)
    _spoiled(Path(store_keys.keys_path(store)), how)
    after = store_keys.of_store(store)
    assert not set(before) & set(after)
    assert store_keys.of_store(store) == after
    assert "the store has new keys" in caplog.text


def test_the_latest_port_is_tried_first_and_then_those_that_no_connection_gets_by_chance() -> None:
    first, *others, last = ports_to_try(4000)
    assert (first, last) == (4000, 0)
    assert others
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            outgoing = int(file.read().split()[0])
    except OSError:
        outgoing = 32_768
    assert all(1024 < port < outgoing for port in others)
