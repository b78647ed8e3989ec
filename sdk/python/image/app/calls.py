"""How a script's functions are called: inputs are text and become what a parameter says it is; answers become text."""

import asyncio
import inspect
import json
import re
import sys
import time
from collections import abc

# Numbers that mean nothing but a number: no leading zeros, no exponents.
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_RANGE = re.compile(r"(-?[0-9]+)\.\.(-?[0-9]+)")
# What `check` says, as an exit code; anything else is that it cannot tell.
_SAID = {True: 0, False: 1}


def plain(module, function: str, words: list[str], stdin: bool) -> int:
    """Calls a function with the words of the part, the first of them from standard input where that is so."""
    piped = sys.stdin.buffer.read()
    given = [piped] if stdin or piped and not words else []
    value = _call(_function(module, function), [*given, *(word.encode("utf-8", "surrogateescape") for word in words)])
    data = _bytes(value)
    if data and not isinstance(value, bytes) and not data.endswith(b"\n"):
        data += b"\n"
    _print(data)
    return 0


def verb(module, words: list[str]) -> int:
    """Does what a tool with abilities is asked for."""
    asked, words, stdin = words[0], words[1:], sys.stdin.buffer.read()
    rest = [word.encode("utf-8", "surrogateescape") for word in words]
    match asked:
        case "run":
            _print(_bytes(_call(_function(module, "work"), [stdin, *rest])))
        case "split":
            pieces = _call(_function(module, "split"), [stdin, *rest]) or []
            for piece in pieces:
                data = _bytes(piece)
                _print(b"%d\n%s" % (len(data), data))
        case "merge":
            of = _converter(_function(module, "merge"), 0)
            _print(_bytes(_finish(module.merge([of(item) for item in _items(stdin)], *map(_guess, rest)))))
        case "check":
            said = _call(_function(module, "check"), [*_items(stdin), *rest])
            return _SAID.get(said, 2)
        case _:
            raise RuntimeError(f"nobody knows what {asked} is")
    return 0


def _function(module, name: str):
    found = getattr(module, name, None)
    if not callable(found):
        raise AttributeError(f"{module.__name__}.py has no function {name}")
    return found


def _call(function, given: list[bytes]):
    return _finish(function(*(_converter(function, at)(data) for at, data in enumerate(given))))


def _finish(value):
    return asyncio.run(value) if inspect.iscoroutine(value) else value


def _converter(function, at: int):
    """What makes a parameter's value of bytes."""
    try:
        parameters = list(inspect.signature(function, eval_str=True).parameters.values())
    except (TypeError, ValueError, NameError):
        return _guess
    if not parameters:
        return _guess
    parameter = parameters[min(at, len(parameters) - 1)]
    wanted = parameter.annotation
    if getattr(wanted, "__origin__", None) is list and function.__name__ == "merge":
        wanted = (*wanted.__args__, object)[0]
    return _CONVERTERS.get(getattr(wanted, "__origin__", wanted), _guess)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _guess(data: bytes):
    text = _text(data)
    bare = text.strip()
    if not _NUMBER.fullmatch(bare):
        return text
    return float(bare) if "." in bare else int(bare)


def _range(data: bytes) -> range:
    found = _RANGE.fullmatch(_text(data).strip())
    if found:
        return range(int(found[1]), int(found[2]))
    return range(int(data), int(data) + 1)


def _bool(data: bytes) -> bool:
    return _text(data).strip().lower() in ("1", "true", "yes")


_CONVERTERS = {
    bytes: bytes,
    str: _text,
    int: lambda data: int(_text(data)),
    float: lambda data: float(_text(data)),
    bool: _bool,
    range: _range,
    list: json.loads,
    dict: json.loads,
    tuple: lambda data: tuple(json.loads(data)),
}


def _bytes(value) -> bytes:
    match value:
        case None:
            return b""
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case str():
            return value.encode("utf-8", "surrogateescape")
        case range() if value.step == 1:
            return b"%d..%d" % (value.start, value.stop)
        case _:
            return json.dumps(value, default=_jsonable, ensure_ascii=False).encode()


def _jsonable(value):
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (abc.Iterator, abc.Mapping, abc.ValuesView, abc.KeysView, abc.ItemsView)):
        return dict(value) if isinstance(value, abc.Mapping) else list(value)
    speechless = type(value).__str__ is object.__str__ and type(value).__repr__ is object.__repr__
    if speechless or callable(value):
        raise TypeError(f"an answer has to be text, bytes, numbers or what JSON holds, not {type(value).__name__}")
    return str(value)


def _items(data: bytes) -> list[bytes]:
    """Counted items: a length, a line's end, so many bytes, again and again."""
    items, at = [], 0
    while at < len(data):
        line = data.index(b"\n", at)
        end = line + 1 + int(data[at:line])
        items.append(data[line + 1 : end])
        at = end
    return items


def _print(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


class _Selector:
    """There is nothing to wait for but time."""

    def select(self, timeout):
        if timeout is None:
            raise RuntimeError("this waits for something that cannot come: there are no threads and no network here")
        if timeout > 0:
            time.sleep(timeout)
        return []

    def close(self):
        pass


class Loop(asyncio.BaseEventLoop):
    """An event loop of timers and tasks. The usual one wants a pair of sockets to wake itself up with."""

    def __init__(self):
        super().__init__()
        self._selector = _Selector()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass
