"""The cache of what was read from S3: broken, planted or tampered with, it is never believed and never in the way."""

from __future__ import annotations

import logging
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import diskcache
import pytest

from simpleflow_lab.data import disk_cache
from simpleflow_lab.data.disk_cache import DiskCache, default_folder
from simpleflow_lab.data.objects import FolderObjects, StoreError

SMALL, LARGE = b"small" * 10, b"large" * 10_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def filled(folder: Path) -> None:
    """A cache with a content in its database and one in a file."""
    cache = DiskCache(folder)
    cache.put("small", SMALL)
    cache.put("large", LARGE)
    assert (cache.get("small"), cache.get("large")) == (SMALL, LARGE)
    cache.close()


def test_what_is_put_is_got_by_this_process_and_the_next(folder):
    filled(folder)
    again = DiskCache(folder)
    assert (again.get("small"), again.get("large"), again.get("other")) == (SMALL, LARGE, None)
    again.drop("small")
    assert again.get("small") is None
    again.close()


def test_its_folder_is_the_users_own(folder):
    filled(folder)
    assert stat.S_IMODE(folder.lstat().st_mode) == 0o700


def test_it_is_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "simpleflow_lab" / "jumbo"


def test_what_was_used_least_recently_goes_first_when_it_is_full(folder):
    """SD-08: upstream's evicted what was stored first, however often it was read (reliability J9)."""
    assert disk_cache.SIZE_LIMIT == 2**30
    cache = DiskCache(folder, size_limit=3_000_000)
    cache.put("kept", bytes(100_000))
    for number in range(60):
        cache.put(f"other {number}", bytes(100_000))
        assert cache.get("kept") == bytes(100_000)
    assert cache.get("other 0") is None
    cache.close()


def test_a_child_process_opens_it_anew(folder):
    filled(folder)
    code = f"""
import os, sys
from simpleflow_lab.data.disk_cache import DiskCache
cache = DiskCache({str(folder)!r})
cache.get("small")
child = os.fork()
if child == 0:
    os._exit(cache.get("large") != b"large" * 10_000)
sys.exit(os.waitpid(child, 0)[1])
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=200).returncode == 0


# -- planted -----------------------------------------------------------------------------------------------------------

WRECKS: dict[str, Callable[[Path, Path], object]] = {
    # before the cache is opened: what somebody made of its folder; `outside` is a folder that must stay as it is
    "link to a folder": lambda folder, outside: folder.symlink_to(outside),
    "link to nothing": lambda folder, outside: folder.symlink_to(outside / "nothing"),
    "link to itself": lambda folder, outside: folder.symlink_to(folder),
    "file": lambda folder, outside: folder.write_bytes(b"x"),
    "pipe": lambda folder, outside: os.mkfifo(folder),
    "for the group to write": lambda folder, outside: made(folder, 0o770),
    "for all to write": lambda folder, outside: made(folder, 0o777),
    "for all to read": lambda folder, outside: made(folder, 0o755),
    "for all to enter": lambda folder, outside: made(folder, 0o711),
    "sticky, for all": lambda folder, outside: made(folder, 0o1777),
    "somebody else's": lambda folder, outside: os.chown(made(folder), 12345, 12345),
    "database is a link": lambda folder, outside: (made(folder) / "cache.db").symlink_to(outside / "there"),
    "database is a link to nothing": lambda folder, outside: (made(folder) / "cache.db").symlink_to(outside / "no"),
    "log is a link": lambda folder, outside: (made(folder) / "cache.db-wal").symlink_to(outside / "there"),
    "database is a folder": lambda folder, outside: (made(folder) / "cache.db").mkdir(),
    "database is a pipe": lambda folder, outside: os.mkfifo(made(folder) / "cache.db"),
    "database is text": lambda folder, outside: (made(folder) / "cache.db").write_bytes(b"not a database" * 100),
    "database is cut": lambda folder, outside: cut(made(folder)),
    "database of another schema": lambda folder, outside: other_schema(made(folder)),
    "settings of another kind": lambda folder, outside: other_settings(made(folder)),
}


def made(folder: Path, mode: int = 0o700) -> Path:
    folder.mkdir()
    folder.chmod(mode)
    return folder


def cut(folder: Path) -> None:
    filled(folder)
    database = folder / "cache.db"
    database.write_bytes(database.read_bytes()[:5_000])


def other_schema(folder: Path) -> None:
    with sqlite3.connect(folder / "cache.db") as database:
        database.execute("CREATE TABLE Settings (key, value)")
        database.execute("CREATE TABLE Cache (rowid INTEGER PRIMARY KEY, key)")
    database.close()


def other_settings(folder: Path) -> None:
    filled(folder)
    with sqlite3.connect(folder / "cache.db") as database:
        database.execute("UPDATE Settings SET value = 'os.system'")
    database.close()


@pytest.mark.parametrize("wreck", WRECKS)
def test_a_folder_that_is_not_as_it_should_be_is_a_cache_that_is_empty(folder, tmp_path, wreck, caplog):
    """Reliability T5, J6, J7: never an error, nothing outside is read or written, and at most one warning."""
    if wreck == "somebody else's" and os.getuid() != 0:
        pytest.skip("only root can give a folder away")
    outside = made(tmp_path / "outside")
    (outside / "there").write_bytes(b"untouched")
    WRECKS[wreck](folder, outside)
    before = {path: path.lstat().st_mtime_ns for path in (outside, outside / "there")}
    caplog.set_level(logging.WARNING)
    cache = DiskCache(folder)
    for _ in range(3):
        assert cache.get("small") in (None, SMALL)
        cache.put("small", SMALL)
        assert cache.get("small") in (None, SMALL)
        cache.drop("small")
    cache.close()
    assert {path: path.lstat().st_mtime_ns for path in before} == before
    assert sorted(path.name for path in outside.iterdir()) == ["there"]
    assert len(caplog.records) <= 1


# -- tampered with -----------------------------------------------------------------------------------------------------


class Marker:
    """What a planted pickle would do."""

    def __init__(self, path: Path):
        self.path = str(path)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (self.path,)


def rows(folder: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(folder / "cache.db") as database:
        database.execute("DROP TRIGGER IF EXISTS Settings_update")
        database.execute(statement, values)
    database.close()


@pytest.mark.parametrize("number", range(50))
def test_a_planted_pickle_is_never_opened(folder, tmp_path, number):
    """Reliability T2: as a value, in a file, as a key, under every mode that diskcache knows and others."""
    filled(folder)
    marker = tmp_path / "marker"
    poison = pickle.dumps(Marker(marker), protocol=number % 6)
    where, mode = number % 5, number % 7
    match where:
        case 0:
            rows(folder, "UPDATE Cache SET mode = ?, value = ?, filename = NULL", mode, poison)
        case 1:
            for path in folder.rglob("*.val"):
                path.write_bytes(poison)
            rows(folder, "UPDATE Cache SET mode = ?", mode)
        case 2:
            rows(folder, "UPDATE Cache SET key = ?, raw = 0 WHERE rowid = 1", poison)
        case 3:
            (folder / "planted.val").write_bytes(poison)
            rows(folder, "UPDATE Cache SET mode = ?, filename = 'planted.val', value = NULL", mode)
        case 4:
            rows(folder, "UPDATE Cache SET raw = 0, mode = 4, value = ?, filename = NULL", poison)
    cache = DiskCache(folder, size_limit=1_000)  # so full that it culls, too
    for key in ("small", "large"):
        assert cache.get(key) in (None, SMALL, LARGE)
        cache.put(key, SMALL)
    cache.close()
    assert not marker.exists()


def test_a_planted_pickle_would_have_run_in_a_plain_diskcache(folder, tmp_path):
    """So that the test above tests something."""
    filled(folder)
    marker = tmp_path / "marker"
    poison = pickle.dumps(Marker(marker))
    rows(folder, "UPDATE Cache SET raw = 1, mode = 4, value = ?, filename = NULL", poison)
    with diskcache.Cache(str(folder)) as plain:
        next(iter(plain[key] for key in plain))
    assert marker.exists()


@pytest.mark.parametrize("name", ["/etc/hostname", "../outside", "aa/bb/../../../outside", "aa/bb", "outside\x00", ""])
def test_a_file_outside_is_neither_read_nor_removed(folder, name):
    """Reliability T5, E4f."""
    filled(folder)
    outside = folder.parent / "outside"
    outside.write_bytes(b"secret")
    rows(folder, "UPDATE Cache SET filename = ?, mode = 2, value = NULL, size = 10", name)
    cache = DiskCache(folder, size_limit=100)
    for key in ("small", "large"):
        assert cache.get(key) is None
        cache.put(key, SMALL)
        cache.drop(key)
    cache.close()
    assert outside.read_bytes() == b"secret"


def test_a_file_that_became_a_link_is_not_followed(folder):
    filled(folder)
    outside = folder.parent / "outside"
    outside.write_bytes(LARGE)
    for path in folder.rglob("*.val"):
        path.unlink()
        path.symlink_to(outside)
    cache = DiskCache(folder)
    assert cache.get("large") is None
    cache.close()


def test_of_a_thousand_changes_none_gives_a_wrong_value(folder):
    """Reliability F16, T5: bytes changed, cut, added or swapped, in files and rows."""
    filled(folder)
    (path,) = folder.rglob("*.val")
    whole = path.read_bytes()
    random = Random(7)
    cache = DiskCache(folder)
    assert cache.get("large") == LARGE
    for number in range(1_000):
        changed = bytearray(whole)
        at = random.choice([0, 31, 32, len(whole) - 1, random.randrange(len(whole))])
        match number % 4:
            case 0:
                changed[at] ^= 1 << random.randrange(8)
            case 1:
                del changed[at:]
            case 2:
                changed.insert(at, random.randrange(256))
            case 3:
                changed[:at] = bytes(at)
        path.write_bytes(changed)
        assert cache.get("large") in (None, LARGE)
        if not path.exists():  # it was dropped
            cache.put("large", LARGE)
            (path,) = folder.rglob("*.val")
    cache.close()


def test_one_content_in_the_place_of_another_is_a_miss(folder):
    filled(folder)
    with sqlite3.connect(folder / "cache.db") as database:
        (one, other) = [row[0] for row in database.execute("SELECT key FROM Cache ORDER BY rowid")]
        database.execute("UPDATE Cache SET key = 'x' WHERE key = ?", (one,))
        database.execute("UPDATE Cache SET key = ? WHERE key = ?", (one, other))
    database.close()
    cache = DiskCache(folder)
    assert cache.get("small") is None
    cache.close()


# -- the folder of large values beside a store -------------------------------------------------------------------------


def test_a_planted_pickle_in_the_folder_of_objects_is_bytes(tmp_path):
    """Reliability T2."""
    objects, marker = FolderObjects(tmp_path / "lab.objects"), tmp_path / "marker"
    objects.put("jumbo/x", pickle.dumps(Marker(marker)))
    assert objects.get("jumbo/x") == pickle.dumps(Marker(marker))
    (path,) = (tmp_path / "lab.objects" / "jumbo").iterdir()
    path.write_bytes(pickle.dumps(Marker(marker)))
    with pytest.raises(StoreError):
        objects.get("jumbo/x")
    assert not marker.exists()


def test_a_file_that_a_killed_process_left_behind_does_no_harm(tmp_path):
    objects = FolderObjects(tmp_path / "lab.objects")
    objects.put("jumbo/x", b"1")
    (path,) = (tmp_path / "lab.objects" / "jumbo").iterdir()
    path.with_name(f"{path.name}.0123456789abcdef").write_bytes(b"jumbo/x\nhalf")
    objects.put("jumbo/x", b"2")
    assert objects.get("jumbo/x") == b"2"
    assert objects.keys("jumbo/") == ["jumbo/x"]
