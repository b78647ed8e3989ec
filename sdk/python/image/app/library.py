"""The standard library's other modules: read and compiled when the image is built, kept as bytes, and made when a
script imports them. There is no folder of modules at run time."""

import json
import marshal
import os
import sys
from importlib.machinery import ModuleSpec

# Tests, tools for people at a screen, and what needs a screen.
LEFT_OUT = {"test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages", "pydoc_data", "turtle"}
# Where the modules seem to lie.
ROOT = "/lib/python"

_held: dict[str, tuple[bool, str, bytes]] = {}


def _gather(folder: str, prefix: str, path: str) -> None:
    for name in sorted(os.listdir(folder)):
        stem, dot, ending = name.rpartition(".")
        inner = f"{folder}/{name}"
        if name.startswith("__pycache__") or name in LEFT_OUT or stem in LEFT_OUT:
            continue
        if ending == "py" and dot:
            module = prefix.rstrip(".") if stem == "__init__" else prefix + stem
            with open(inner, "rb") as source:
                text = source.read()
            try:
                code = compile(text, f"{path}/{name}", "exec", dont_inherit=True)
            except SyntaxError:
                continue  # a template, not a module
            _held[module] = (stem == "__init__", f"{path}/{name}", marshal.dumps(code))
        elif not dot and os.path.isfile(f"{inner}/__init__.py"):
            _gather(inner, f"{prefix}{name}.", f"{path}/{name}")


class Library:
    """Finds and makes the modules that are kept."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        held = _held.get(name)
        if held is None:
            return None
        is_package, origin, _ = held
        spec = ModuleSpec(name, Library, origin=origin, is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [origin.rpartition("/")[0]]
        return spec

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        exec(Library.get_code(module.__spec__.name), module.__dict__)

    @staticmethod
    def get_code(name):
        return marshal.loads(_held[name][2])

    @staticmethod
    def get_source(name):
        return None

    @staticmethod
    def is_package(name):
        return _held[name][0]


def seal() -> None:
    """Done with building: only what is kept can be imported, and what a script brings along."""
    sys.path[:] = ["/job"]
    sys.path_importer_cache.clear()
    sys.meta_path.append(Library)


_gather(os.path.dirname(os.path.dirname(json.__file__)), "", ROOT)
