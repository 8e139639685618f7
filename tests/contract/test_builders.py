"""What every neighbour builder owes its callers."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest

from atomlens.neighbors import BUILDERS, GraphBuilder, make_builder
from atomlens.testing import BUILDER_CHECKS
from atomlens.testing.builders import example_structures

every_builder = pytest.mark.parametrize(
    "builder", [make_builder(n) for n in BUILDERS], ids=BUILDERS
)


@every_builder
@pytest.mark.parametrize("check", BUILDER_CHECKS, ids=lambda check: check.__name__)
def test_every_builder_keeps_what_it_promises(
    check: Callable[..., None], builder: GraphBuilder
) -> None:
    check(builder, example_structures())


@every_builder
def test_settings_make_the_same_builder_again_by_name(builder: GraphBuilder) -> None:
    assert make_builder(builder.name, **builder.settings()) == builder


@every_builder
def test_the_table_knows_its_class_and_it_is_frozen(builder: GraphBuilder) -> None:
    assert BUILDERS[builder.name] is type(builder)
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        builder.cutoff = 3.0  # type: ignore[attr-defined]
