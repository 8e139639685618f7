"""What is to be said of hundreds of targets alike is said once."""

from atomlens.training.remarks import Alike


class _Heard:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)

    def warning(self, text: str) -> None:
        self.lines.append(f"warning: {text}")


def _said(targets: list[str], *texts: str) -> list[str]:
    heard, alike = _Heard(), Alike(targets)
    alike.message("begun")
    for text in texts:
        alike.warning(text)
    alike.tell(heard)
    assert heard.lines[0] == "begun"
    return heard.lines[1:]


def test_a_remark_on_many_targets_is_said_of_the_first_and_the_others_are_counted() -> None:
    names = [f"p{i}" for i in range(300)]
    first, rest = _said(
        names, *(f"The values of {n} grow ({i} to {i + 9})." for i, n in enumerate(names))
    )
    assert first == "warning: The values of p0 grow (0 to 9)."
    assert rest.startswith("warning: The same is to be said of 299 more targets: p1, p2, ")
    assert rest.endswith("and 287 more.")


def test_of_few_targets_each_has_its_own_and_others_stay_in_order() -> None:
    texts = ["The values of a grow.", "a is odd.", "The values of b grow.", "The values of c grow."]
    assert _said(["a", "b", "c"], *texts) == [f"warning: {text}" for text in texts]


def test_what_is_said_of_the_classes_of_one_target_is_not_summed_up() -> None:
    texts = [f"The class {i} of state has {i + 2} samples." for i in range(6)]
    assert _said(["state"], *texts) == [f"warning: {text}" for text in texts]


def test_names_inside_of_others_and_empty_ones_do_not_mislead() -> None:
    texts = [f"The values of p{i} grow." for i in (1, 10, 100, 1000)]
    told = _said(["p1", "p10", "p100", "p1000", ""], *texts)
    assert told[0] == "warning: The values of p1 grow."
    assert told[1] == "warning: The same is to be said of 3 more targets: p10, p100, p1000."
