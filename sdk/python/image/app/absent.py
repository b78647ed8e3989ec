"""What cannot work in the sandbox, and what to do about it. It is asked only when a script has failed."""

import re

_COMPILED = "{} is compiled code, which the sandbox cannot load; use the standard library, or a tool in Rust or C"
_BROUGHT = "pure-Python packages travel with the script: grove run --requirements FILE, or --with FOLDER"
_NETWORK = "there is no network in the sandbox; give data as inputs"
_PROCESS = "there are no other programs in the sandbox; call what you need as Python, or run it as a tool of its own"
_SIGNALS = "nobody sends signals in the sandbox; how long a part may take is said with grove run --timeout"
_LARGE = "a part is a machine of 32 bits with 4 GiB at the most: cut smaller inputs"
_THREADS = "there are no threads in the sandbox; give more, smaller inputs, and they run side by side on many machines"

_COMPILED_NAMES = set(
    "numpy pandas scipy sklearn torch tensorflow jax matplotlib PIL cv2 lxml numba cython cffi cryptography "
    "psycopg2 pydantic_core polars pyarrow orjson grpc h5py shapely skimage spacy xgboost lightgbm regex ujson".split()
)

_MODULES = {
    "ssl": _NETWORK,
    "_ssl": _NETWORK,
    "multiprocessing": _THREADS,
    "_multiprocessing": _THREADS,
    "_posixshmem": _THREADS,
    "bz2": "there is no bzip2 in the sandbox; use gzip, zlib or zipfile",
    "_bz2": "there is no bzip2 in the sandbox; use gzip, zlib or zipfile",
    "lzma": "there is no LZMA in the sandbox; use gzip, zlib or zipfile",
    "_lzma": "there is no LZMA in the sandbox; use gzip, zlib or zipfile",
    "_zstd": "there is no Zstandard in the sandbox; use gzip, zlib or zipfile",
    "ctypes": "there are no C libraries in the sandbox; use the standard library, or a tool in Rust or C",
    "_ctypes": "there are no C libraries in the sandbox; use the standard library, or a tool in Rust or C",
    "mmap": "files are in memory already: open them and read",
    "fcntl": "nobody shares a part's files, so they need no locks",
    "resource": "limits are the job's: grove run --memory, --timeout",
    "curses": "there is no terminal in the sandbox",
    "_curses": "there is no terminal in the sandbox",
    "termios": "there is no terminal in the sandbox",
    "readline": "there is no terminal in the sandbox",
    "tkinter": "there is no screen in the sandbox; write a file to /out",
    "turtle": "there is no screen in the sandbox; write a file to /out",
    "pwd": "there are no users in the sandbox",
    "grp": "there are no users in the sandbox",
    "pip": _BROUGHT,
    "setuptools": _BROUGHT,
    "tzdata": "there are no time zones in the sandbox; bring them along: tzdata in a file for --requirements",
}

_SAYINGS = [
    (RuntimeError, r"can't start new thread", _THREADS),
    (OSError, r"does not support processes|fork|posix_spawn|_posixsubprocess", _PROCESS),
    (AttributeError, r"'os'.*'(fork|system|popen|exec\w*|spawn\w*|posix_spawn)'|_fork_exec|_posixsubprocess", _PROCESS),
    (OSError, r"resolve|name resolution|getaddrinfo|socket|Host is unreachable|Network is", _NETWORK),
    (AttributeError, r"module '_?socket'", _NETWORK),
    (AttributeError, r"'os'.*'pipe'", _THREADS),
    (AttributeError, r"'os'.*'kill'|'signal'.*'(alarm|setitimer|pause|pthread_kill)'", _SIGNALS),
    (OverflowError, r"too large|cannot fit", _LARGE),
    (AttributeError, r"'hashlib'", "hashlib is without OpenSSL in the sandbox: sha, md5 and blake2 are there, key derivation is not"),
]


def hint(error: BaseException | None) -> str | None:
    """What to do, for the error or whatever lies behind it."""
    for _ in range(16):
        if error is None:
            return None
        found = _hint(error)
        if found:
            return found
        error = error.__cause__ or error.__context__
    return None


def _hint(error: BaseException) -> str | None:
    if isinstance(error, ImportError) and error.name:
        return _missing(error.name)
    if type(error).__name__ == "ZoneInfoNotFoundError":
        return _MODULES["tzdata"]
    if isinstance(error, MemoryError):
        return "the part has no more memory: give it more with --memory, or cut smaller inputs"
    if isinstance(error, OSError) and any(kind.__module__ in ("socket", "_socket") for kind in type(error).__mro__):
        return _NETWORK
    if isinstance(error, FileNotFoundError) and str(error.filename or "").startswith("/"):
        return "a script sees /in and /out only: files of this machine are given as inputs"
    text = str(error)
    return next((to_do for kind, saying, to_do in _SAYINGS if isinstance(error, kind) and re.search(saying, text)), None)


def _missing(name: str) -> str:
    root = name.partition(".")[0]
    if name == "compression.zstd":
        root = "_zstd"
    if root in _COMPILED_NAMES:
        return _COMPILED.format(root)
    return _MODULES.get(root, f"{root} is not in Python's own library; {_BROUGHT}")
