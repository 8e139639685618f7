"""Odd content made from good content, and what must come of it: an answer or one sentence.

A case is one damaged input at one boundary of the program. `answered` runs it within bounds of
time and memory and says what came of it; anything but a result or an `AtomlensError` fails.
"""

import copy
import io
import json
import os
import random
import re
import resource
import signal
import sqlite3
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from atomlens.errors import AtomlensError

N_CASES = int(os.environ.get("ATOMLENS_FUZZ_CASES", "1"))
"""Multiplies the number of cases: 1 in the test suite, more before a release."""
SEED = os.environ.get("ATOMLENS_FUZZ_SEED", "")
"""Another text makes other cases."""
SECONDS, MEGABYTES = 60.0, 3000
"""Bounds of one case: seconds of CPU time, and memory beyond what the process had before.

Measured: 1.1 s and 1030 MB, of which 1024 are what an allocator reserves once. The bounds are for
what grows without one, so that a slow machine, loops that are compiled in a case and the stacks of
many threads stay far below them.
"""

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**9,
    10**19,
    10**400,
    1e308,
    1e-320,
    float("nan"),
    float("inf"),
    "",
    "x",
    "nan",
    "\x1b[31mred",
    "\ud800",
    "=1+1",
    "../../etc/passwd",
    "a" * 5000,
    [],
    {},
    [1, 2],
    [[[[[[1]]]]]],
    {"a": {"b": {}}},
    [None],
)
ODD_BYTES = (
    b"",
    b"\n",
    b",",
    b'"',
    b"'",
    b"\x00",
    b"\xff",
    b"\x1b[2J",
    b"nan",
    b"-inf",
    b"1e999",
    b"9" * 400,
    b"999999999",
    b"-1",
    b"{",
    b"[" * 60,
    b"(" * 60,
    b"\\",
    b"\r",
    b"\xe2\x80\xae",
    b"?",
    b".",
    b"_",
    b"=",
    b"*",
    b"1:2:3",
    b"2024-01-01",
    b"&a [*a]",
)


class TooSlow(BaseException):
    """A case that took longer than its bound."""


@contextmanager
def bounded() -> Iterator[None]:
    """Let no case take more than its share of time and memory."""

    def stop(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + (MEGABYTES << 20), hard))
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGVTALRM, before)


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[0]) * resource.getpagesize()


def answered(call: Callable[[], Any], case: object) -> Any:
    """Return the result of a call or the sentence of our error; fail for anything else."""
    start = time.process_time()
    try:
        with bounded(), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            result = call()
    except AtomlensError as problem:
        check_sentence(str(problem), case)
        return str(problem)
    except TooSlow:
        raise AssertionError(f"{case}: more than {SECONDS} s") from None
    except BaseException as problem:
        raise AssertionError(f"{case}: {type(problem).__name__}: {problem}") from problem
    for warning in told:
        if issubclass(warning.category, DeprecationWarning):
            continue  # of other packages: Python shows none of them to users
        assert issubclass(warning.category, UserWarning), (case, warning.message)
        check_sentence(str(warning.message), case)
    assert time.process_time() - start < SECONDS, case
    return result


def check_sentence(text: str, case: object) -> None:
    """Check that a message is one line that a terminal can show, of a bounded length."""
    assert text.strip(), case
    assert "\n" not in text, (case, text)
    assert text.isprintable(), (case, text)
    assert len(text) <= 2000, (case, text)
    assert "more memory than" not in text, (case, text)
    assert "this is a bug" not in text, (case, text)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return bytes after one to three accidents."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        content = rng.choice(_ACCIDENTS)(content, rng)
    return content


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 30)) if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _insert(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(ODD_BYTES) + data[place + rng.randrange(12) :]


def _change_word(data: bytes, rng: random.Random) -> bytes:
    words = re.split(rb"(\s+|,)", data)
    words[rng.randrange(len(words))] = rng.choice(ODD_BYTES)
    return b"".join(words)


def lose_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 2, 5))):
        if lines:
            del lines[rng.randrange(len(lines))]
    return b"\n".join(lines)


def _repeat_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    i = rng.randrange(len(lines))
    again = lines[i : i + rng.choice((1, 4))] * rng.choice((1, 1, 50))
    return b"\n".join(lines[:i] + again + lines[i:])


def _swap(data: bytes, rng: random.Random) -> bytes:
    a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[b:] + data[a:b] + data[:a]


def _stretch(data: bytes, rng: random.Random) -> bytes:
    """Repeat one piece very often: what is read must not take its square."""
    a = rng.randrange(len(data) + 1)
    piece = data[a : a + rng.choice((1, 2, 5))]
    return data[:a] + piece * rng.choice((100, 5000)) + data[a:]


def _encode(data: bytes, rng: random.Random) -> bytes:
    """Write the text as other systems do: marks, wide letters, other ends of lines."""
    text = data.decode("latin-1")
    return rng.choice(
        (
            b"\xef\xbb\xbf" + data,
            text.encode("utf-16"),
            text.encode("utf-16-le"),
            data.replace(b"\n", b"\r\n"),
            data.replace(b"\n", b"\r"),
            data.replace(b" ", b"\xc2\xa0"),
            data.replace(b" ", b"\t"),
        )
    )


def _nest(data: bytes, rng: random.Random) -> bytes:
    """Open very many brackets."""
    place = rng.randrange(len(data) + 1)
    opened, closed = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"(", b")"), (b"- ", b"")))
    n = rng.choice((100, 3000))
    return data[:place] + opened * n + (closed * n if rng.random() < 0.5 else b"") + data[place:]


def _odd_digits(data: bytes, rng: random.Random) -> bytes:
    """Write digits of other scripts, which Python's int and float take for numbers."""
    zero = rng.choice((0x660, 0xFF10, 0x1D7CE))
    digit = str(rng.randrange(10))
    return data.replace(digit.encode(), chr(zero + int(digit)).encode(), rng.choice((1, -1)))


def _widen(data: bytes, rng: random.Random) -> bytes:
    """Make one line, or the space between two words, very long."""
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice((b" ", b"x", b"0", b"1 ", b"\x00")) * 100_000 + data[place:]


_ACCIDENTS = (
    _encode,
    _nest,
    _odd_digits,
    _widen,
    _truncate,
    _truncate,
    _flip,
    _insert,
    _insert,
    _change_word,
    _change_word,
    lose_lines,
    _repeat_lines,
    _swap,
    _stretch,
)


def altered(value: Any, rng: random.Random) -> Any:
    """Return JSON-like content with one or two values or keys replaced by odd ones."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 2))):
        place, key = _somewhere(value, rng)
        if place is None:
            return copy.deepcopy(rng.choice(ODD_VALUES))
        what = rng.random()
        if what < 0.75 or not isinstance(place, dict):
            place[key] = copy.deepcopy(rng.choice(ODD_VALUES))
        elif what < 0.9:
            del place[key]
        else:
            place[str(rng.choice(ODD_VALUES[:-6]))[:200]] = place.pop(key)
    return value


def _somewhere(value: Any, rng: random.Random) -> tuple[Any, Any]:
    """Return a container in the tree and one of its keys."""
    places = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one))
        for key in keys if isinstance(one, dict | list) else ():
            places.append((one, key))
            if isinstance(one[key], dict | list):
                waiting.append(one[key])
    return rng.choice(places) if places else (None, None)


def undated(content: bytes) -> bytes:
    """Return a spreadsheet as if it had been written at the beginning of 1980, to the same byte."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            part = re.sub(
                rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", old.read(name)
            )
            new.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def undate_database(path: Path) -> None:
    """Take from a database of ASE when and by whom it was written, and its random names of rows."""
    if path.suffix == ".json":
        text = re.sub(r'"([cm]time)": [\d.e+-]+', r'"\1": 0', path.read_text())
        path.write_text(re.sub(r'("unique_id": )"\w+"', r'\1"a"', text))
        return
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE systems SET unique_id = id, ctime = 0, mtime = 0, username = 'me'")
        database.commit()
        database.execute("VACUUM")


def as_json(value: Any) -> bytes:
    """Return content as JSON, odd numbers as some programs write them."""
    return json.dumps(value).encode("utf-8", errors="surrogatepass")


def seeds(name: str, n: int) -> Iterator[tuple[str, random.Random]]:
    """Yield a name and a generator for each case of a boundary, always the same ones for a seed."""
    for seed in range(n * N_CASES):
        yield f"{name} {seed}", random.Random(f"{name} {seed}{SEED}")
