"""Names that are imported on first use: of packages, and in tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeVar

T = TypeVar("T")


def lazy_names(
    package: str, where: Mapping[str, str], eager: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package that imports its names late.

    Args:
        package: Its ``__name__``.
        where: Name of the submodule by public name.
        eager: Public names that the package defines itself.
    """

    def attribute(name: str) -> Any:
        if name in where:
            return getattr(import_module(f"{package}.{where[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def directory() -> list[str]:
        return sorted([*eager, *where])

    return attribute, directory


class LateTable(Mapping[str, T]):
    """A table whose entries are imported when they are taken out of it.

    So that a table can name what stands above it in the house, or is not installed yet.
    """

    def __init__(self, where: Mapping[str, str]) -> None:
        self._where = dict(where)

    def __getitem__(self, name: str) -> T:
        """Return the entry, imported from its ``module:name``."""
        module, _, attribute = self._where[name].partition(":")
        entry: T = getattr(import_module(module), attribute)
        return entry

    def __iter__(self) -> Iterator[str]:
        """Go through the names; nothing is imported."""
        return iter(self._where)

    def __len__(self) -> int:
        return len(self._where)
