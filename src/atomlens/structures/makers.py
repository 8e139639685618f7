"""Which force field, semi-empirical method or program a file names for its coordinates."""

import re

_METHODS = (
    r"xtb|gfn[012]?(?:-?(?:xtb|ff))?|crest|mmff(?:94)?s?|uff|gaff2?|dreiding|pm[367](?:-\w+)?|am1|rm1|"
    r"mndo|dftb\+?|rdkit"
)
_MAKER = re.compile(rf"(?<![\w/.-])(?:(?:{_METHODS})(?![\w/])|obabel|open ?babel)", re.IGNORECASE)
_BETTER = re.compile(
    r"(?<!\w)(?:dft|b3lyp|blyp|bp86|pw91|(?:rev|r)?pbe\w*|tpssh?|r2?scan|m0[56]\w*|[ωw]?b97\w*|"
    r"cam-\w+|hse\w*|g[34](?:mp2)?|mp2|ccsd\w*|casscf|hf|def2\w*|(?:aug-)?cc-p\w+|[346]-31\d?\+*g\w*)(?!\w)",
    re.IGNORECASE,
)
"""Methods of other kinds; who names one beside may have relaxed with it."""


def named_maker(title: str) -> str:
    """Return what a title names as where the coordinates come from, as it stands there.

    Empty where nothing of the kind is named, or where a method of another kind is named too:
    ``B3LYP after xtb``.
    """
    found = _MAKER.search(title)
    return "" if found is None or _BETTER.search(title) else found[0]
