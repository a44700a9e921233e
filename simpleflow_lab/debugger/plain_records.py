"""Plain records of the author's classes: named tuples, and data classes without methods of copying.

A copy of one is made without its class: `tuple.__new__`, or a new object whose `__dict__` is filled. So nothing of the
author's runs, and the copy has the author's methods for whoever calls them.

Rule: pure. What is not surely plain is no record.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

_COPIES_ITSELF: Final = frozenset(
    {"__new__", "__init_subclass__", "__del__", "__getattribute__", "__getattr__", "__slots__"}
    | {"__copy__", "__deepcopy__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__"}
)
"""Of a class with one of these it is not known what a copy of its objects is."""
_OF_NAMED_TUPLE: Final = frozenset({"__new__", "__slots__"})
"""The methods that `namedtuple` writes itself."""

_known: Final[WeakKeyDictionary[type, bool]] = WeakKeyDictionary()


def is_record(kind: type) -> bool:
    """Whether the objects of exactly this class are plain records."""
    found = _known.get(kind)
    if found is None:
        found = _known[kind] = type(kind) is type and (_is_named_tuple(kind) or _is_data_class(kind))
    return found


def is_tuple(kind: type) -> bool:
    """Whether these records are named tuples."""
    return issubclass(kind, tuple)


def values_of(record: Any) -> dict[str, Any]:
    """The values of a record that is no tuple, by name."""
    found: dict[str, Any] = object.__getattribute__(record, "__dict__")
    return found


def _is_named_tuple(kind: type) -> bool:
    classes = kind.__mro__[:-2]
    return (
        kind.__mro__[-2:] == (tuple, object)
        and bool(classes)
        and "_fields" in vars(classes[-1])
        and not (_COPIES_ITSELF - _OF_NAMED_TUPLE) & vars(classes[-1]).keys()
        and not any((_COPIES_ITSELF - {"__slots__"}) & vars(each).keys() for each in classes[:-1])
    )


def _is_data_class(kind: type) -> bool:
    return all("__dataclass_fields__" in vars(each) for each in kind.__mro__[:-1]) and not any(
        _COPIES_ITSELF & vars(each).keys() for each in kind.__mro__[:-1]
    )
