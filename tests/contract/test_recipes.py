"""Every recipe is a complete training: its settings exist, and its number has a source."""

import argparse
from functools import cache
from pathlib import Path

import pytest
import yaml

from atomlens.cli import train
from atomlens.cli.recipes import recipe_from
from atomlens.models import MODELS

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))


@cache
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    train.add_arguments(made)
    return made


def options_for(path: Path, *arguments: str) -> argparse.Namespace:
    return parser().parse_args(["--config", str(path), *arguments])


def test_there_are_recipes() -> None:
    assert len(RECIPES) > 10


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
@pytest.mark.parametrize("arguments", [(), ("--subset", "100")], ids=["whole", "subset"])
def test_the_settings_of_a_recipe_exist(path: Path, arguments: tuple[str, ...]) -> None:
    options = options_for(path, *arguments)
    config = train.take_recipe(options)
    settings = train.settings_from(options, train.given_settings(options, config))
    assert options.data
    assert options.target
    assert options.model in MODELS
    assert settings.subset == (100 if arguments else None)
    assert options.out.name == path.stem + ("-100" if arguments else "")


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_a_recipe_says_where_its_number_comes_from(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content["recipe"]["source"]
    assert "published" in content
    assert recipe_from(content, path).data == content["recipe"]["data"]
