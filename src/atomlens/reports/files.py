"""Writing files whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from atomlens.errors import SettingsError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary sibling to write to; move it to ``path`` if nothing failed.

    Missing folders are made. The sibling keeps the suffix, since writers choose the format
    by it. Raises `SettingsError` if the place cannot be written to.
    """
    target = Path(path)
    draft = target.with_name(f".{target.stem[:100]}.{os.getpid()}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        os.replace(draft, target)
    except OSError as error:
        if error.filename is None:
            raise
        reason = error.strerror or str(error)
        raise SettingsError(
            f"{target}: this cannot be written ({reason}). Choose another place."
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()


def write_text(text: str, path: str | Path) -> Path:
    """Write text as UTF-8, whole or not at all."""
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)
