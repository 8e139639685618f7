"""One small trained model and a few structure files for all command tests."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the toy property, trained for a moment."""
    import atomlens as al

    folder = tmp_path_factory.mktemp("models") / "toy"
    al.train(
        al.load_dataset("toy", target="signal", limit=60),
        model="scann-plus",
        out=folder,
        epochs=2,
        batch_size=16,
        model_settings={"n_layers": 1, "n_features": 16, "n_heads": 2},
        cache_dir=str(folder.parent / "cache"),
    )
    return folder


@pytest.fixture
def structures(tmp_path: Path) -> Path:
    """A folder with water, methane and a file that is cut off."""
    folder = tmp_path / "structures"
    folder.mkdir()
    (folder / "water.xyz").write_text("3\nwater\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n")
    (folder / "methane.xyz").write_text(
        "5\nmethane\nC 0 0 0\nH 0.63 0.63 0.63\nH -0.63 -0.63 0.63\n"
        "H -0.63 0.63 -0.63\nH 0.63 -0.63 -0.63\n"
    )
    (folder / "broken.xyz").write_text("5\nbroken\nC 0 0 0\n")
    return folder
