"""Runs one part of a script: as a program, as one of its functions, or as a tool with abilities."""

import asyncio
import io
import json
import linecache
import os
import random
import sys
import traceback
import types

import absent
import calls
from wit_world.imports import part

# In here are the frames that a person does not want to see.
_OURS = {__file__, calls.__file__, absent.__file__}


def run(arguments: list[str]) -> int:
    """The exit code."""
    head = json.loads(arguments[0])
    # The image's state of chance is the same for all parts; this is drawn from the seed of this one.
    random.seed(os.urandom(32))
    os.chdir("/out")
    name = head["script"]
    sys.argv = [name, *arguments[1:]]
    code = 1
    try:
        code = _perform(head, name, arguments[1:])
    except SystemExit as end:
        code = _exit_code(end.code)
    except BaseException as error:
        _tell(error, name)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass
    return code


def _perform(head: dict, name: str, words: list[str]) -> int:
    function = head.get("function")
    with open(f"/job/{name}", "rb") as file:
        source = file.read()
    module = types.ModuleType("__main__" if function is None else name.removesuffix(".py"))
    module.__file__ = f"/job/{name}"
    sys.modules[module.__name__] = module
    exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
    if function is None:
        return 0
    if head.get("verbs"):
        return calls.verb(module, words)
    return calls.plain(module, function, words, head.get("stdin", False))


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _tell(error: BaseException, name: str) -> None:
    """The traceback as Python prints it, without the frames in here, and what to do."""
    try:
        with open(f"/job/{name}", encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines(keepends=True)
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
    except OSError:
        pass
    at = error.__traceback__
    while at is not None and at.tb_frame.f_code.co_filename in _OURS:
        at = at.tb_next
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        pass
    out = io.StringIO()
    traceback.print_exception(type(error), error.with_traceback(at), at, file=out)
    hint = absent.hint(error)
    sys.stderr.write(out.getvalue() + (f"hint: {hint}\n" if hint else ""))


# The system's own call ends the part, but knows success and failure only.
os._exit = lambda code: part.exit(code & 0xFF)
asyncio.new_event_loop = asyncio.events.new_event_loop = calls.Loop
