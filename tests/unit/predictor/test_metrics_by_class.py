"""What figures of classes say of each class; the numbers are those of scikit-learn."""

import math
from dataclasses import asdict

import numpy as np
import pytest

from atomlens.predictor.columns import ColumnNames
from atomlens.predictor.figures import f1_label, tables_by_class
from atomlens.predictor.measuring import classification_metrics
from atomlens.predictor.metrics import Metrics
from atomlens.predictor.skill import without_skill
from atomlens.reports.probabilities import (
    area_under,
    average_precision,
    precision_recall_curve,
    roc_curve,
)
from atomlens.targets import Target

METAL = ("insulator", "metal")
THREE = ("a", "b", "c")


def _drawn(n: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    true = rng.integers(0, n_classes, n)
    logits = rng.normal(size=(n, n_classes)) + 1.2 * np.eye(n_classes)[true]
    shares = np.exp(logits)
    return true.astype(np.float64), shares / shares.sum(axis=1, keepdims=True)


def _rare(n: int, n_rare: int, shares_of_rare: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    true = np.zeros(n)
    true[:n_rare] = 1
    return true, np.stack([1 - shares_of_rare, shares_of_rare], axis=1)


@pytest.mark.parametrize("classes", [METAL, THREE])
def test_figures_by_class_are_those_of_scikit_learn(classes: tuple[str, ...]) -> None:
    from sklearn import metrics as reference

    true, shares = _drawn(150, len(classes))
    found = classification_metrics(true, shares, classes=classes)
    said = shares.argmax(axis=1)
    precision, recall, f1, n = reference.precision_recall_fscore_support(true, said)
    assert [one.n for one in found.by_class] == n.tolist()
    assert [one.recall for one in found.by_class] == pytest.approx(recall)
    assert [one.precision for one in found.by_class] == pytest.approx(precision)
    assert np.array_equal(found.confusion, reference.confusion_matrix(true, said))
    assert found.balanced_accuracy == pytest.approx(reference.balanced_accuracy_score(true, said))
    assert found.cross_entropy == pytest.approx(reference.log_loss(true, shares))
    assert found.f1 == pytest.approx(f1[1] if len(classes) == 2 else f1.mean())
    for c, one in enumerate(found.by_class):
        assert one.auc == pytest.approx(reference.roc_auc_score(true == c, shares[:, c]))
        assert one.average_precision == pytest.approx(
            reference.average_precision_score(true == c, shares[:, c])
        )
    assert found.confidence == pytest.approx(shares.max(axis=1).mean())


def test_a_class_that_nobody_has_and_nobody_says_leaves_no_number() -> None:
    found = classification_metrics(np.array([0.0, 1]), np.eye(3)[[0, 0]], classes=THREE)
    assert found.balanced_accuracy == 0.5
    assert math.isnan(found.by_class[2].recall)
    assert math.isnan(found.by_class[1].precision)
    content = Metrics(n_samples=2, n_failed=0, targets={"k": found}).to_dict()["targets"]
    (rows,) = tables_by_class(content).values()
    assert rows[2] == {
        "class": "c",
        "samples": 0,
        "predicted": 0,
        "recall": None,
        "precision": None,
        "ROC AUC": None,
        "average precision": None,
    }


def test_the_cross_entropy_stands_beside_that_of_the_shares_of_the_training_part() -> None:
    true, shares = np.array([0.0, 0, 0, 1] * 3), np.full((12, 2), 0.5)
    found = classification_metrics(true, shares, target="k", classes=METAL, counts=(8, 2))
    few = classification_metrics(true[:4], shares[:4], target="k", classes=METAL, counts=(8, 2))
    assert "worse" not in " ".join(without_skill({"k": asdict(few)}))
    assert found.cross_entropy_of_shares == pytest.approx(-np.log([0.8, 0.8, 0.8, 0.2]).mean())
    assert math.isnan(classification_metrics(true, shares).cross_entropy_of_shares)
    said = list(without_skill({"k": asdict(found)}, "on the test part"))
    assert "probabilities are worse on the test part than always giving the shares" in said[-1]
    none = classification_metrics(true, shares, target="k", classes=METAL, counts=(8, 0))
    assert math.isinf(none.cross_entropy_of_shares)
    assert "worse" not in " ".join(without_skill({"k": asdict(none)}))


def test_f1_says_of_which_class_it_is() -> None:
    two = classification_metrics(*_drawn(30, 2), target="k", classes=METAL)
    three = classification_metrics(*_drawn(30, 3), target="m", classes=THREE)
    assert (two.f1_of, three.f1_of) == ("metal", "mean of classes")
    rows = Metrics(n_samples=30, n_failed=0, targets={"k": two, "m": three}).to_rows()
    labels = [row[""] for row in rows]
    assert {"F1 of metal", "F1, mean of classes", "balanced accuracy"} < set(labels)
    assert "F1" not in labels
    assert f1_label({"f1": 0.3}) == "F1"  # of an older folder
    assert f1_label({"f1_of": 3}) == "F1"


def test_a_class_that_is_never_said_but_ranks_well_is_ordered_by_its_probability() -> None:
    """As of 3 hits among 120: the order is good, and no probability is above a half."""
    score = np.linspace(0.3, 0.01, 120)
    true, shares = _rare(120, 3, score)
    found = classification_metrics(true, shares, target="hit", classes=("no", "yes"))
    assert (found.auc, found.f1) == (1, 0)
    (said,) = without_skill({"hit": asdict(found)}, "on the test part")
    assert said == (
        "hit: never says yes on the test part (3 of 120 values are), but ranks well (ROC AUC 1): "
        "order by its probability, hit_yes."
    )
    few = classification_metrics(*_rare(120, 2, score), target="hit", classes=("no", "yes"))
    (said,) = without_skill({"hit": asdict(few)})
    assert "no better than always saying the most common class" in said
    poor = classification_metrics(true, shares[::-1], target="hit", classes=("no", "yes"))
    (said,) = without_skill({"hit": asdict(poor)})
    assert "no better than always saying the most common class" in said


def test_a_good_order_beside_wrong_answers_is_told_too() -> None:
    score = np.concatenate([np.full(10, 0.7), np.full(12, 0.6), np.full(38, 0.1)])
    found = classification_metrics(*_rare(60, 10, score), target="hit", classes=("no", "yes"))
    assert found.accuracy < found.most_common
    (said,) = without_skill({"hit": asdict(found)})
    assert said.startswith("hit: right no more often than always saying the most common class")
    assert "order by the probability hit_yes" in said


def test_a_class_that_a_good_model_never_says_is_named() -> None:
    """15 a, 15 b, 4 c; c is taken for a and not ranked."""
    true = np.repeat([0.0, 1, 2], [15, 15, 4])
    shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1]])[true.astype(int)]
    found = classification_metrics(true, shares, target="k", classes=THREE)
    (said,) = without_skill({"k": asdict(found)}, "on the test part")
    assert said == "k: never says c on the test part, of which 4 of 34 values are."


def test_the_calibration_error_is_that_reckoned_by_hand() -> None:
    """Three classes, two groups of ten: said .6, right 5; said .9, right 9."""
    confidence = np.repeat([0.9, 0.6], 10)
    shares = np.stack([confidence, 1 - confidence, 0 * confidence], axis=1)
    true = np.where(np.concatenate([np.arange(10) < 9, np.arange(10) < 5]), 0.0, 1.0)
    found = classification_metrics(true, shares, classes=THREE)
    assert found.class_calibration_error == pytest.approx(0.05)
    assert [(one.share, one.n) for one in found.reliability] == [(0.5, 10), (0.9, 10)]
    few = classification_metrics(true[:19], shares[:19], classes=THREE)
    assert few.class_calibration_error is None
    assert few.reliability == ()


def test_of_two_classes_the_probability_of_the_second_is_judged() -> None:
    """A coin of which both sides are said too seldom is not off where groups fold together."""
    second = np.repeat([0.3, 0.7], 20)
    true = np.tile(np.repeat([1.0, 0.0], 10), 2)  # half of both groups
    found = classification_metrics(true, np.stack([1 - second, second], axis=1), classes=METAL)
    assert [round(one.probability, 6) for one in found.reliability] == [0.3, 0.7]
    assert found.class_calibration_error == pytest.approx(0.2)


def test_equal_probabilities_stay_together_whatever_their_order() -> None:
    true, p = np.repeat([1.0, 0.0], 50), np.full(100, 0.5)
    p[:3] = 0.9
    shares = np.stack([1 - p, p], axis=1)
    found = classification_metrics(true, shares, classes=METAL)
    again = classification_metrics(true[::-1], shares[::-1], classes=METAL)
    assert found.reliability == again.reliability
    assert found.class_calibration_error == pytest.approx(abs(50 - 97 * 0.5 - 2.7) / 100)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_brier_score_is_that_of_brier(n_classes: int) -> None:
    true, shares = _drawn(90, n_classes)
    found = classification_metrics(true, shares)
    by_hand = np.mean(
        [np.sum((p - np.eye(n_classes)[int(t)]) ** 2) for t, p in zip(true, shares, strict=True)]
    )
    assert found.brier == pytest.approx(by_hand / (2 if n_classes == 2 else 1))


def test_probabilities_are_judged_on_new_samples_alone() -> None:
    true, shares = _drawn(150, 2)
    known = np.arange(150) < 50
    found = classification_metrics(true, shares, classes=METAL, judged=~known)
    alone = classification_metrics(true[50:], shares[50:], classes=METAL)
    assert found.reliability == alone.reliability
    assert (found.n, found.n_judged) == (150, 100)
    rows = Metrics(n_samples=150, n_failed=0, targets={"k": found}).to_rows()
    assert {"": "values on which probabilities are judged", "k": "100"} in rows


@pytest.mark.parametrize("ties", [False, True])
def test_the_curves_are_those_of_scikit_learn(ties: bool) -> None:
    from sklearn import metrics as reference

    true, shares = _drawn(200, 2)
    positive, score = true == 1, shares[:, 1].round(1) if ties else shares[:, 1]
    x, y = roc_curve(positive, score)
    wrong, right, _ = reference.roc_curve(positive, score, drop_intermediate=False)
    assert np.allclose([x, y], [wrong, right])
    assert area_under(x, y) == pytest.approx(reference.roc_auc_score(positive, score))
    recall, precision = precision_recall_curve(positive, score)
    theirs, of_theirs, _ = reference.precision_recall_curve(positive, score)
    assert np.allclose(recall, of_theirs[-2::-1])
    assert np.allclose(precision, theirs[-2::-1])
    assert average_precision(positive, score) == pytest.approx(
        reference.average_precision_score(positive, score)
    )
    assert math.isnan(average_precision(np.zeros(3, dtype=np.bool_), score[:3]))


@pytest.mark.parametrize("junk", [None, 3, [3], [{"label": "a"}], [{"label": 1, "n": 2}], {"a": 1}])
def test_a_file_may_hold_anything_in_the_place_of_classes(junk: object) -> None:
    figures = {"n": 9, "accuracy": 0.5, "most_common": 0.6, "by_class": junk}
    assert not tables_by_class({"k": figures})
    assert len(list(without_skill({"k": figures}))) == 1


@pytest.mark.parametrize("label", ["true", "low", "std", "unit"])
def test_a_class_shares_no_column_with_what_belongs_to_its_target(label: str) -> None:
    target = Target(name="class", kind="classification", classes=("false", label))
    names = ColumnNames((target,))
    assert names.share(target, label) == f"class_{label}"
    assert names.of(target, f"_{label}") == f"class_{label}_"
