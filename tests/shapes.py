"""Shapes of what is passed and returned, checked once for every pattern of shapes.

jaxtyping reads the annotations anew at every call: two thirds of the time of a small network. What
it finds depends on types, dtypes and on which sizes are equal, so a pattern of these that was
accepted once for a function is accepted again without asking.
"""

import dataclasses
import functools
import re
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any, get_args, get_type_hints

import jaxtyping

Sizes = dict[int, int]
"""What stands for a size in a pattern: itself where an annotation names it, else a number < 0."""

_check = jaxtyping.jaxtyped
_DIM = re.compile(r"[*#?]*[a-zA-Z]\w*|_|\d+|\{[a-z]\w*\}")
_FEW = 8
"""Longer containers are asked about at each call."""


class _NoPatternError(Exception):
    """Something was passed that no pattern can stand for."""


def check_shapes_of(modules: list[str]) -> None:
    """Check the functions of these modules, which are imported after this, in all calls."""
    jaxtyping.jaxtyped = _decorator  # type: ignore[assignment]
    jaxtyping.install_import_hook(modules, "beartype.beartype")


def _decorator(*, typechecker: Any) -> Callable[[Any], Any]:
    """Stand in for ``jaxtyping.jaxtyped`` in front of functions and classes."""

    def checked(made: Any) -> Any:
        if isinstance(made, FunctionType):
            return by_pattern(made, typechecker)
        if isinstance(made, type) and dataclasses.is_dataclass(made) and "__init__" in vars(made):
            made.__init__ = by_pattern(made.__init__, typechecker)  # type: ignore[misc]
        return made

    return checked


def by_pattern(function: Callable[..., Any], typechecker: Any) -> Callable[..., Any]:
    """Return a function that asks jaxtyping about each pattern that is new to it."""
    held = threading.local()
    accepted: dict[Any, set[Any]] = {}

    def made_or_held(*args: Any, **kwargs: Any) -> Any:
        return held.made if hasattr(held, "made") else function(*args, **kwargs)

    @functools.cache  # most functions are never called: their annotations are not read
    def asked() -> Callable[..., Any]:
        # with the globals of the function, in which its annotations are looked up
        code, closure = made_or_held.__code__, made_or_held.__closure__
        called = FunctionType(code, function.__globals__, function.__name__, None, closure)
        return _check(functools.update_wrapper(called, function), typechecker=typechecker)

    @functools.cache
    def named_sizes() -> Sizes | None:
        return _named_sizes(function)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        named = named_sizes()
        if named is None:
            return asked()(*args, **kwargs)
        sizes = named.copy()
        try:
            given = tuple([_pattern(one, sizes) for one in (*args, *kwargs, *kwargs.values())])
        except _NoPatternError:
            return asked()(*args, **kwargs)
        returned = accepted.get(given)
        made = (asked() if returned is None else function)(*args, **kwargs)
        try:
            pattern = _pattern(made, sizes)
        except _NoPatternError:
            pattern = None
        if returned is None:
            accepted[given] = {pattern} - {None}
        elif pattern not in returned:
            held.made = made
            try:
                asked()(*args, **kwargs)
            finally:
                del held.made
            returned |= {pattern} - {None}
        return made

    return checked


def _named_sizes(function: Callable[..., Any]) -> Sizes | None:
    """Return the sizes that stand in the annotations; None if they say more than a pattern."""
    try:
        hints = list(get_type_hints(function).values())
    except Exception:
        return None
    named = {1: 1}  # what may be broadcast
    while hints:
        hint = hints.pop()
        hints += get_args(hint)
        for dim in getattr(hint, "dim_str", "").split():
            if not _DIM.fullmatch(dim):
                return None
            if dim.isdigit():
                named[int(dim)] = int(dim)
    return named


def _pattern(value: Any, sizes: Sizes) -> Any:
    """Return what the annotations can say of a value, with numbers in place of sizes."""
    kind = type(value)
    if kind is int:  # maybe one of the sizes
        return kind, sizes.setdefault(value, -len(sizes))
    if hasattr(kind, "ndim"):
        shape = [sizes.setdefault(size, -len(sizes)) for size in value.shape]
        return kind, value.dtype, *shape
    if isinstance(value, list | tuple) and len(value) <= _FEW:
        return kind, *(_pattern(one, sizes) for one in value)
    if isinstance(value, list | tuple | dict | set | frozenset):
        raise _NoPatternError
    return (kind, value) if kind is str else kind
