"""Values as SWF's strings and back: JSON, strict both ways.

Rule: arguments and results come back from a history as they went in, or as the tables here say, or are refused:
nothing is lost.

JSON's own types come back. A few others are common enough to be converted, always in the same way:

    ======================  =====================================================================
    Python                  JSON
    ======================  =====================================================================
    tuple, generator        array
    set, frozenset          array, in the order of the elements' own JSON (so ids don't depend on hashing)
    datetime, date, time    string, ISO 8601, as upstream spells it where that loses nothing: UTC as `Z`, and
                            three digits of a second if they are enough, else six
    UUID                    string
    bytes                   string, if they are UTF-8
    keys that are numbers,  string, as JSON has it: `1`, `1.5`, `true`, `null`; refused where two keys of a mapping
    `True`, `None`          become the same one
    ======================  =====================================================================

NaN and the infinities come back as they are: the text is what Python, and so upstream, writes and reads for them
(`NaN`, `Infinity`), though it is no JSON that other languages read. `encode` tells of such numbers and of such keys in
its `changes`, so that the author can be warned.

Other types are registered, in every process that writes or reads them:

    codec.register(Point, name="geo.Point", encode=lambda point: [point.x, point.y], decode=lambda xy: Point(*xy))

and come back as they were: `{"__simpleflow__": "geo.Point", "value": [1, 2]}`. Reading calls the function that was
registered under that name and no other: no name in a history is ever imported. `simpleflow_lab.data.numpy_pandas`
registers those of numpy and pandas.

Everything else is refused, with its place in the value: other mapping keys, bytes that are not UTF-8, lone surrogates,
nesting deeper than `MAX_DEPTH`, and objects.
Text is compact, with sorted keys and ASCII only: equal values have equal text, and characters are bytes.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import sys
import uuid
from collections.abc import Callable, Mapping
from types import GeneratorType, NoneType
from typing import Any, Final, NamedTuple, NoReturn

from simpleflow_lab.data import times
from simpleflow_lab.data.json_encoder import compact_encoder
from simpleflow_lab.definitions.registries import Definitions
from simpleflow_lab.exceptions import EncodingError, UnreadableValueError, UsageError

MAX_DEPTH = 100
"""Deepest nesting of arrays and objects, written or read."""

TAG: Final = "__simpleflow__"
"""The key of an object that stands for a value of a registered type: its name; the other key is `VALUE`."""
VALUE: Final = "value"
CONVERT: Final = "convert it first, or store it elsewhere and pass its name"
"""Advice on a value that is refused."""
OBJECT: Final = "object"
"""Tag of a mapping of the author's own that has the key `TAG`."""

_encode: Final = compact_encoder(sort_keys=True)

Changes = dict[str, str]
"""The values that `encode` wrote otherwise than JSON's own types: for each kind of it a sentence about the first that
was met."""


def encode(value: Any, changes: Changes | None = None) -> str:
    """The JSON text of a value.

    Keys that became strings, and numbers that are not finite, are noted in `changes`. Raises `EncodingError`, with the
    place of a part that JSON can't hold without loss.
    """
    plain = _plain(value, changes, 0)
    try:
        return _encode(plain)
    except ValueError as error:  # Python writes whole numbers of up to 4,300 digits
        raise EncodingError(f"JSON can't hold this value ({error}): convert it first") from None


def decode(text: str) -> Any:
    """The value of JSON text, with values of registered types as they were.

    Raises `ValueError` for text that is not JSON, or nested beyond `MAX_DEPTH`; `UnreadableValueError` for a value of a
    type that is not registered.
    """
    value = parse(text)
    # Another program may have written the tag with "\\u".
    return _decoded(value) if TAG in text or "\\u" in text else value


def parse(text: str) -> Any:
    """The value of JSON text in JSON's own types. Raises `ValueError` as `decode` does."""
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(f"JSON nested deeper than {MAX_DEPTH} levels") from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    return value


def canonical(value: Any) -> str:
    """The JSON text of a value that `parse` gave: equal values have equal text."""
    return _encode(value)


def decode_or_text(text: str | None) -> Any:
    """The value of a field that any worker, in any language, may have written: of JSON its value, else the text.

    Raises `UnreadableValueError` for a value of a type that is not registered.
    """
    if text is None:
        return None
    try:
        return decode(text)
    except ValueError:
        return text


def parse_or_text(text: str | None) -> Any:
    """The value of such a field in JSON's own types, for a field that holds no value of an author."""
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError:
        return text


def decode_input(text: str, *, where: str) -> tuple[list[Any], dict[str, Any]]:
    """Arguments from JSON that a person typed: an array has the positional ones, `{"args": …, "kwargs": …}` both kinds.

    Anything else is one argument.

    `where` names the source in the error. Raises `UsageError` in one line.
    """
    return arguments_of(decode_typed(text, where=where), where=where)


def decode_typed(text: str, *, where: str) -> Any:
    """The value of JSON that a person typed. `where` names the source in the error. Raises `UsageError` in one line."""
    try:
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_refuse_duplicates
        )
    except RecursionError:
        raise UsageError(f"{where}: JSON nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise UsageError(
            f"{where} is not JSON ({error}): write it as in '[1, 5]' or '{{\"kwargs\": {{\"x\": 1}}}}'"
        ) from None
    try:
        return _decoded(value)
    except UnreadableValueError as error:
        raise UsageError(f"{where}: {error}") from None


def arguments_of(value: Any, *, where: str) -> tuple[list[Any], dict[str, Any]]:
    """`(args, kwargs)` of an input value, by upstream's rule (SD-14). Raises `UsageError`."""
    if isinstance(value, list | tuple):
        return list(value), {}
    if isinstance(value, Mapping) and value and set(value) <= {"args", "kwargs"}:
        args, kwargs = value.get("args", []), value.get("kwargs", {})
        if not isinstance(args, list | tuple):
            raise UsageError(f'{where}: "args" must be an array, not {type(args).__name__}')
        if not isinstance(kwargs, Mapping):
            raise UsageError(f'{where}: "kwargs" must be an object, not {type(kwargs).__name__}')
        return list(args), dict(kwargs)
    if isinstance(value, Mapping) and {"args", "kwargs"} & set(value):
        odd = ", ".join(sorted(set(value) - {"args", "kwargs"}))
        raise UsageError(f'{where}: beside "args" and "kwargs" there is {odd}: put it inside "kwargs"')
    return [value], {}


# -- other types -------------------------------------------------------------------------------------------------------


class Registered(NamedTuple):
    """The encoding of values of one type."""

    type: type
    """The type itself."""
    name: str | None
    """The tag; `None` for a type whose values come back in the form that `encode` gives."""
    encode: Callable[[Any], Any]
    """Gives something that can be encoded."""
    decode: Callable[[Any], Any] | None
    """Gives the value of what `encode` gave."""


registry: Final[Definitions[type, Registered]] = Definitions()
"""The registered types of values."""
_by_name: Final[dict[str, Registered]] = {}
"""Those with a name, by name."""
MODULES_OF_TYPES: Final = dict.fromkeys(("numpy", "pandas"), "simpleflow_lab.data.numpy_pandas")
"""By library: the module of ours that registers its types when it is imported."""

_OWN: Final = frozenset({NoneType, bool, int, float, str, list, tuple, dict})
"""JSON's own types, whose values stay as they are."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,199}")


def register(
    type: type,
    *,
    encode: Callable[[Any], Any],
    decode: Callable[[Any], Any] | None = None,
    name: str | None = None,
) -> None:
    """Let values of this type be arguments and results.

    `encode` gives something that can be encoded: values of other registered types are fine in it. `decode` takes that
    and gives the value again. It is found by `name`, which stands in histories and so must never change its meaning;
    both must be registered wherever such a value is read. Values of subclasses are not taken: `decode` would make
    something else of them.

    Without `name` and `decode` a value comes back in the form that `encode` gives, as a set comes back as a list. This
    is for types whose values are equal to that form, and it includes subclasses.

    Registering a type again replaces its registration. Raises `UsageError` for a type of JSON's own, for a name
    that is no name or is another type's.
    """
    if type in _OWN:
        raise UsageError(f"{type.__name__} is JSON's own: it is written as it is")
    if (name is None) != (decode is None):
        raise UsageError(f"codec.register({type.__name__}): give name and decode, or neither of them")
    if name is not None:
        if not _NAME.fullmatch(name) or name == OBJECT:
            raise UsageError(f"{name!r} can't be the name of a type: write it as in 'geo.Point'")
        other = _by_name.get(name)
        # A class of the same name is that of a cell that ran again.
        if other is not None and _qualified(other.type) != _qualified(type):
            raise UsageError(f"{name!r} is registered for {_qualified(other.type)}: choose another name")
    registered = Registered(type, name, encode, decode)
    if name is not None:
        _by_name[name] = registered
    registry.define(type, registered)


def is_registered(type: type) -> bool:
    """Whether this type itself is registered."""
    return type in registry


def _module_of_types(name: str) -> str | None:
    """The module of ours that registers the type of this name, if there is one and nobody has imported it."""
    module = MODULES_OF_TYPES.get(name.partition(".")[0])
    return None if module in sys.modules else module


def _qualified(type: type) -> str:
    return f"{type.__module__}.{type.__qualname__}"


def _encode_registered(registered: Registered, value: Any, where: _Where, depth: int) -> Any:
    """The value of a registered type in JSON's own types."""
    try:
        encoded = registered.encode(value)
    except EncodingError as error:
        place = _place(where)
        raise EncodingError(f"{error}{f' (at {place})' if place else ''}") from None
    except Exception as error:  # an encoder is the author's code: what it raises is reported with its type
        name = registered.name or _qualified(registered.type)
        _refuse(f"this {name} ({type(error).__name__}: {error})", where)
    plain = _plain(encoded, where, depth + 1)
    return plain if registered.name is None else {TAG: registered.name, VALUE: plain}


def _decoded(value: Any) -> Any:
    """The parsed value, with values of registered types as they were."""
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {key: _decoded(item) for key, item in value.items()}
    name, inner = value[TAG], value.get(VALUE)
    if value.keys() != {TAG, VALUE} or not isinstance(name, str):
        raise UnreadableValueError(str(name)[:200], f"it is not written as {{{TAG!r}: name, {VALUE!r}: …}}")
    if name == OBJECT:
        if not isinstance(inner, dict):
            raise UnreadableValueError(name, "it is no object")
        return {key: _decoded(item) for key, item in inner.items()}
    registered = _by_name.get(name)
    if registered is None or registered.decode is None:
        module = _module_of_types(name)
        raise UnreadableValueError(name[:200], module and f"import {module}, which registers it")
    inner = _decoded(inner)
    try:
        return registered.decode(inner)
    except Exception as error:  # of the registered function, on what anybody may have written
        raise UnreadableValueError(name, f"{type(error).__name__}: {error}"[:500]) from error


_Where = tuple[Any, object] | Changes | None
"""The place of a value: the place of its container, and the index or key in it. Formatted only for an error. The place
of the outermost one is where changes are noted, if anybody wants to know."""
_ELEMENT: Final = object()
"""The step to an element of a set."""


# -- JSON's own types --------------------------------------------------------------------------------------------------


def _plain(value: Any, where: _Where, depth: int) -> Any:
    """The value in JSON's own types."""
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return value
    if kind is str:
        return value if value.isascii() else _text(value, where)
    if kind is float:
        if not math.isfinite(value):
            _tell("numbers", where, lambda: f"the number {value} is none of JSON's: other languages may not read it")
        return value
    if depth >= MAX_DEPTH:
        _refuse(f"more than {MAX_DEPTH} levels", where)
    if kind is list or kind is tuple:
        items = []
        for i, item in enumerate(value):
            items.append(item if type(item) is int else _plain(item, (where, i), depth + 1))
        return items
    if kind is dict:
        if TAG in value:
            return {TAG: OBJECT, VALUE: _members(value, where, depth + 1)}
        return _members(value, where, depth)
    return _other(value, where, depth)


def _members(value: Mapping[Any, Any], where: _Where, depth: int) -> dict[str, Any]:
    if depth >= MAX_DEPTH:
        _refuse(f"more than {MAX_DEPTH} levels", where)
    members = {}
    for key, item in value.items():
        name = key if type(key) is str and key.isascii() else _key(key, where)
        members[name] = _plain(item, (where, key), depth + 1)
    if len(members) != len(value):
        _refuse_same_keys(value, where)
    return members


def _other(value: Any, where: _Where, depth: int) -> Any:
    """The value of a type that JSON does not have, or of a subclass of one that it has."""
    if registry:
        for kind in type(value).__mro__:
            registered = registry.get(kind)
            if registered is not None and (registered.name is None or kind is type(value)):
                return _encode_registered(registered, value, where, depth)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return times.text_of(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes | bytearray):
        try:
            return bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            _refuse("bytes that are not UTF-8", where)
    if isinstance(value, set | frozenset):
        return sorted((_plain(item, (where, _ELEMENT), depth + 1) for item in value), key=_encode)
    if isinstance(value, Mapping):
        return _plain(dict(value), where, depth)
    if isinstance(value, list | tuple | GeneratorType):
        return _plain(list(value), where, depth)
    if isinstance(value, str):
        return _text(str.__str__(value), where)
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, float):
        return _plain(float(value), where, depth)
    name = _qualified(type(value))
    module = _module_of_types(name)
    _refuse(f"a {name}", where, f"import {module}" if module else CONVERT)


def _text(value: str, where: _Where) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        _refuse("text with a lone surrogate", where)
    return value


def _key(key: Any, where: _Where) -> str:
    if isinstance(key, str):
        return _text(str.__str__(key), where)
    text = key_text(key)
    if text is None:
        _refuse(f"the key {key!r}: only strings, numbers, True, False and None can be keys", where)
    _tell("keys", where, lambda: f"the key {key!r} is written as the text {text!r}, and read as that, as in JSON")
    return text


def key_text(key: Any) -> str | None:
    """The key of a JSON object that a number, a truth value or `None` becomes; `None` for any other value."""
    if key is None or isinstance(key, bool):
        return _encode(key)
    if isinstance(key, int):
        return int.__repr__(key)
    return _encode(float(key)) if isinstance(key, float) else None


def _refuse_same_keys(value: Mapping[Any, Any], where: _Where) -> NoReturn:
    seen: dict[str, Any] = {}
    for key in value:
        text = _key(key, where)
        if text in seen:
            _refuse(f"both of the keys {seen[text]!r} and {key!r}, which become one", where)
        seen[text] = key
    raise AssertionError("no two keys are the same")


def _tell(kind: str, where: _Where, what: Callable[[], str]) -> None:
    """Note a change of this kind at this place, if it is the first and anybody wants to know."""
    root: Any = where
    while isinstance(root, tuple):
        root = root[0]
    if root is not None and kind not in root:
        place = _place(where)
        root[kind] = f"{what()}{f' (at {place})' if place else ''}"


def _place(where: _Where) -> str:
    steps = []
    while isinstance(where, tuple):
        where, step = where
        steps.append("{…}" if step is _ELEMENT else f"[{step!r}]")
    return "".join(reversed(steps))


def _refuse(what: str, where: _Where, way_out: str = CONVERT) -> NoReturn:
    found = _place(where)
    place = f" at {found}" if found else ""
    raise EncodingError(f"JSON can't hold {what}{place}: {way_out}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


_DECODER: Final = json.JSONDecoder(parse_float=_finite)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {key!r} stands twice")
            seen.add(key)
    return value


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH + 1:
            raise ValueError(f"JSON nested deeper than {MAX_DEPTH} levels")
        level = [
            child
            for item in level
            if isinstance(item, list | dict)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
