"""What a Python caller is told by warnings."""

import warnings
from collections.abc import Callable


def heard(call: Callable[[], object]) -> list[str]:
    """Return the warnings of a call, which must name the file that it is written in."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    assert {w.filename for w in found} <= {call.__code__.co_filename}, "of the line that called"
    return [str(w.message) for w in found]
