"""The files of a store: what may stand at its address and beside it, and whose they are.

=====================================  =================================================================================
file                                   what it is
=====================================  =================================================================================
`lab.sqlite`                           the store
`lab.sqlite-wal`                       what was written last and is not in the store yet, while it is open
`lab.sqlite.open`                      the mark of a store that needs its `-wal`, see `open_mark`
`lab.sqlite.lock`, `.serving`          locks of the process that owns it, and of the one that serves it; the first one
                                       also of all that have it open, see `presence`
`lab.sqlite.owner`                     which process owns it
`lab.sqlite.endpoint`, `.keys`         where the owner answers other processes, and the keys for it
`lab.sqlite.objects/`                  values too large for a history
=====================================  =================================================================================

Rule: read before writing. An address is opened if it is a store, and a store is made if nothing is there and its
folder is. Whatever else is there - a device, a FIFO, a folder, an empty file, a file of another program - is neither
locked nor changed. All these files are their user's alone, or the store is not opened: another user who can write one
could make this one run what he likes, and one who can read them reads secrets.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import pwd
import shlex
import stat
import struct
from typing import Final

from simpleflow_lab.exceptions import NotAStoreError, StoreError, StoreNotPrivateError, StoreVersionError

APPLICATION_ID: Final = 0x53464C42
"""`SFLB`, in the header of every store."""
SCHEMA_VERSION: Final = 5
"""The version of the schema that this code reads and writes."""

_HEADER_BYTES: Final = 100
_SQLITE: Final = b"SQLite format 3\x00"
_VERSION_AT: Final = 60
_APPLICATION_AT: Final = 68
_OBJECTS: Final = ".objects"
_BESIDE: Final = ("-wal", "-shm", "-journal", ".open", ".lock", ".serving", ".owner")
_REPLACED: Final = (".endpoint", ".keys")
"""Those that others could have read are not used, and new ones replace them."""
_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link",
}


# -- the address -------------------------------------------------------------------------------------------------------


def locate(address: str) -> str:
    """The path of the store at this address, without symbolic links; there may be no store yet.

    Raises `NotAStoreError` for something that is no file, `StoreError` if its folder is not there.
    """
    given = os.path.abspath(address)
    try:
        status = os.stat(given)
    except FileNotFoundError:
        if os.path.islink(given):
            found = f"it is a symbolic link to {os.readlink(given)}, which does not exist"
            raise NotAStoreError(given, found) from None
        status = None
    except (OSError, ValueError) as error:
        raise StoreError(f"the store {given!r:.200} can't be read: {getattr(error, 'strerror', error)}") from None
    path = os.path.realpath(given)
    folder = os.path.dirname(path)
    if status is not None:
        _check_kind(given, status)
        if not os.path.exists(path):
            raise NotAStoreError(given, "it is a file without a name")
    elif address.endswith(os.sep):
        raise NotAStoreError(path, "a name that ends in / is that of a folder")
    elif not os.path.isdir(folder):
        raise StoreError(f"no store at {path}: there is no folder {folder}; make it, or name another store")
    return path


def exists(address: str) -> bool:
    """Whether something is at this address of a store, or may be: in a folder that this user can't search."""
    try:
        os.lstat(os.path.abspath(os.path.expanduser(address)))
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def is_new(path: str) -> bool:
    """Whether there is no store at this path yet.

    Raises `NotAStoreError` for what is no store, `StoreVersionError` for a store of a newer version of this package,
    `StoreError` for a file that can't be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise StoreError(f"the store {path} can't be read: {error.strerror or error}") from None
    with open(descriptor, "rb", buffering=0) as file:
        _check_kind(path, os.fstat(descriptor))
        try:
            header = file.read(_HEADER_BYTES)
        except OSError as error:
            raise StoreError(f"the store {path} can't be read: {error.strerror or error}") from None
    if not header:
        raise NotAStoreError(path, "it is empty")
    if len(header) < _HEADER_BYTES or not header.startswith(_SQLITE):
        raise NotAStoreError(path, "it is no SQLite database")
    (application,) = struct.unpack_from(">i", header, _APPLICATION_AT)
    version = _version(header)
    if application != APPLICATION_ID:
        raise NotAStoreError(path, "it is an SQLite database of another program")
    if version < 1:
        raise NotAStoreError(path, f"its user_version is {version}, and stores begin with version 1")
    if version > SCHEMA_VERSION:
        raise StoreVersionError(path, version, SCHEMA_VERSION)
    return False


def _version(header: bytes) -> int:
    (version,) = struct.unpack_from(">i", header, _VERSION_AT)
    return int(version)


def _check_kind(path: str, status: os.stat_result) -> None:
    """Raise `NotAStoreError` for what is no regular file."""
    if not stat.S_ISREG(status.st_mode):
        raise NotAStoreError(path, f"it is {_KINDS.get(stat.S_IFMT(status.st_mode), 'no file')}")


def check(path: str) -> None:
    """Check what is at this path and beside it, and whose it is. See `is_new` and `check_private`."""
    is_new(path)
    check_private(path)


# -- whose they are ----------------------------------------------------------------------------------------------------


def check_private(path: str) -> None:
    """Check who may read and write the store at this path and all that stands beside it.

    Raises `StoreNotPrivateError` for what another user owns, could read or could write, `NotAStoreError` for what is
    no file.
    """
    _check_folder(os.path.dirname(path))
    for suffix in ("", *_BESIDE):
        status = _status(path + suffix)
        if status is not None:
            _check_kind(path + suffix, status)
            _check_owner(path + suffix, status, "600")
            if not suffix:
                _check_names(path, status)
    for suffix in _REPLACED:
        status = _status(path + suffix)
        if status is not None:
            _check_kind(path + suffix, status)
    objects = path + _OBJECTS
    status = _status(objects)
    if status is not None:
        if not stat.S_ISDIR(status.st_mode):
            found = _KINDS.get(stat.S_IFMT(status.st_mode), "a file")
            raise StoreError(
                f"the store {path} was not opened: {objects} is {found}, and its large values are kept in a folder of "
                "that name; move the folder there, or open the store where both are"
            )
        _check_owner(objects, status, "700")


def _status(path: str) -> os.stat_result | None:
    """The status of the file at this path, links not followed; `None` if there is none."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"the store {path} can't be read: {error.strerror or error}") from None


def _check_owner(path: str, status: os.stat_result, mode: str) -> None:
    if status.st_uid != os.getuid():
        raise StoreNotPrivateError(path, f"belongs to {_user(status.st_uid)}", "open a store of your own")
    found = stat.S_IMODE(status.st_mode)
    if found & 0o077:
        may = "write" if found & 0o022 else "read"
        raise StoreNotPrivateError(
            path, f"has mode {found:04o}: others may {may} it", f"chmod {mode} {shlex.quote(path)}"
        )


def _check_names(path: str, status: os.stat_result) -> None:
    """A file of several names has a `-wal`, a lock and a mark beside each: what is acknowledged under one name would be
    missing under another, and be written over later.
    """
    if status.st_nlink == 1:
        return
    # `put_new` gives it two for a moment, or for ever if its process is killed then. Count those before the names, for
    # another process may be removing one.
    unfinished = sum(1 for beside in glob.iglob(f"{glob.escape(path)}.*.new") if _is_same(beside, status))
    names = os.lstat(path).st_nlink - unfinished
    if names > 1:
        raise StoreError(
            f"the store {path} was not opened: its file has {names} names (hard links), and what is written under one "
            "can be lost under another; remove the others, or open a copy (cp, not ln or cp -l)"
        )


def _is_same(path: str, status: os.stat_result) -> bool:
    found = _status(path)
    return found is not None and os.path.samestat(found, status)


def _check_folder(folder: str) -> None:
    """The folder may be anybody's to read. Who can rename files in it could replace a store."""
    try:
        status = os.stat(folder)
    except OSError as error:
        raise StoreError(f"the folder {folder} of the store can't be read: {error.strerror or error}") from None
    me = os.getuid()
    if me not in (0, status.st_uid) and status.st_uid != 0:
        raise StoreNotPrivateError(
            folder, f"belongs to {_user(status.st_uid)}, who could replace the store in it", "use a folder of your own"
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise StoreNotPrivateError(
            folder, f"has mode {mode:04o}: others could replace the store in it", f"chmod o-w {shlex.quote(folder)}"
        )


def _user(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


# -- a new one ---------------------------------------------------------------------------------------------------------


def is_no_room(error: BaseException) -> bool:
    """Whether the system says that there is no room on a disk, or none for this user."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def put_new(path: str, content: bytes) -> None:
    """Write a file that its user alone can read, whole or not at all. Raises `FileExistsError` rather than replace."""
    beside = f"{path}.{os.urandom(8).hex()}.new"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(beside, path)
        except PermissionError:  # a file system without hard links
            if os.path.lexists(path):
                raise FileExistsError(path) from None
            os.rename(beside, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
    sync_folder(os.path.dirname(path))


def sync_folder(folder: str) -> None:
    """Write the names in a folder to disk. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
