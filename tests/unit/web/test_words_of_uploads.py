"""What the page says of files: words for who sits before it, not for the terminal or Python."""

from atomlens.errors import Failure
from atomlens.web.uploads import Upload, read_upload
from small_cifs import CRYSTAL


def test_a_disordered_crystal_names_what_the_page_can_do() -> None:
    content = CRYSTAL.format(c=5.64, occupancy=0.5).encode()
    (failure,) = read_upload(Upload("a.cif", content))
    assert isinstance(failure, Failure)
    assert "by `atomlens view --disorder majority`" in failure.message
    assert "in Python" not in failure.message
    assert "with --disorder" not in failure.message
