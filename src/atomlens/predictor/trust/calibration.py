"""Error estimates and intervals, measured on the validation part.

Everything here is in scaled units, so that an extensive target, which is learned per atom, gets
an error that grows with the number of atoms when it is decoded. Each point of a spectrum has a
calibration of its own, as each single number has: errors differ along the grid.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.boundary import count_in, number_in
from atomlens.errors import ModelError
from atomlens.printing import reason

Values = NDArray[np.float64]

INTERVAL = 0.90
"""Share of true values that an interval promises to hold."""
_ENOUGH = 30
"""With fewer validation values than this, half of the error is taken to follow the spread."""
_FOLDS = 5
"""Parts of the validation values: the spread is fitted on the others of each."""
_MOST_CROSSED = 100
"""Numbers of a model up to which each is fitted crosswise; the points of spectra are too many."""
_FEWEST_FOR_FOLDS = 20
"""With fewer values (or groups) of known error nothing is fitted crosswise."""
_SHARES = np.linspace(0.0, 0.95, 20)
"""Tried shares of the squared error that follows the predicted spread."""
_CUTS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
"""Tried shares of the validation part whose predicted noise is believed as it is."""
_GROWTHS = np.arange(0.0, 4.1, 0.25)
"""Tried exponents of the growth of errors with the distance to the training data."""
_LARGEST = 1e12
"""In scaled units, in which training values differ by about 1; a larger error is damage."""
_MEASURED = 0.99
"""Share of the validation part up to whose distance errors are taken to grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What a model says of its own errors, in scaled units; each (n,) or (n, n_values)."""

    members: Values | None = None
    """Standard deviation over the members of an ensemble; None for one network."""
    noise: Values | None = None
    """Root of the mean noise variance that the members predict; None where they predict none."""

    def total(self, largest_noise: float = math.inf) -> Values:
        """Return both together, added as squares, the noise up to a bound."""
        noise = None if self.noise is None else np.minimum(self.noise, largest_noise)
        if self.members is None or noise is None:
            only = self.members if noise is None else noise
            assert only is not None
            return only
        return np.hypot(self.members, noise)

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Spread":
        """Return the spread of some rows."""
        return self._each(lambda values: values[chosen])

    def column(self, column: int) -> "Spread":
        """Return the spread of one value."""
        return self._each(lambda values: values[:, column])

    def _each(self, taken: Callable[[Values], Values]) -> "Spread":
        return Spread(
            members=None if self.members is None else taken(self.members),
            noise=None if self.noise is None else taken(self.noise),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCalibration:
    """What the validation part says about the errors of one value, in scaled units."""

    n: int
    """Validation values it rests on."""
    rmse: float
    """Root of the mean squared residual."""
    spread_factor: float
    """Predicted spreads are multiplied by it; 0 where a model predicts none."""
    floor: float
    """The part of the error that the spread does not tell; added in squares."""
    quantile: float
    """|residual| / std below which 90 % of new values lie (split conformal); 1 at least but where
    hardly any residual differs from 0, and may be infinite."""
    largest_noise: float = math.inf
    """What a predicted noise is cut to: noise heads speak of logarithms, and run away on inputs
    unlike those that they were taught on. That members disagree is believed as it is."""
    largest_spread: float = math.inf
    """What noise and disagreement together are cut to, in models of before ``largest_noise``."""
    growth: float = 0.0
    """Beyond the usual distance to the training data the error grows with this power of it."""
    largest_remoteness: float = math.inf
    """No distance counts as more than this one, beyond which the validation part has too little
    for the power to be believed."""
    n_folds: int = 0
    """Parts over which the quantile was fitted crosswise: no value was judged by a fit of the
    spread that had seen it or one of its group. 0 where nothing is fitted, with few values, and
    for spectra."""

    def std(self, spread: Spread | None, n: int, remoteness: Values | None = None) -> Values:
        """(n,) root of (factor x spread)² + floor², times the growth with the distance.

        Args:
            spread: What the model says of each; None: nothing, and the floor is all there is.
            n: How many.
            remoteness: (n,) distance to the training data over the usual one; None: unknown.
        """
        fit = _Fit(
            factor=self.spread_factor,
            floor=self.floor,
            largest=self.largest_noise,
            largest_in_all=self.largest_spread,
            growth=self.growth,
            farthest=self.largest_remoteness,
        )
        return fit.std(spread, remoteness, n)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCalibration:
    """What the validation part says about the probabilities of the classes of one target."""

    temperature: float
    """Logarithms of the probabilities are divided by it: above 1 the network was too sure."""
    n: int
    """Validation values it rests on."""
    cross_entropy: float
    """Of these values, with the probabilities as the network says them."""
    calibrated: float
    """The same at the temperature; never larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Calibration of every value; None for classes and where there was no validation part."""

    targets: tuple[TargetCalibration | None, ...]
    """(n_values,) one a target, for a spectrum one a point of its grid."""
    classes: tuple[ClassCalibration | None, ...] = ()
    """(n_values,) of the targets that have classes, None for others and where nothing is known;
    empty: of none."""

    def temperature(self, column: int) -> float:
        """Return what logits of the target whose value stands in a column are divided by."""
        found = self.classes[column] if self.classes else None
        return 1.0 if found is None else found.temperature

    def of_values(self, place: slice) -> "Calibration":
        """Return the calibration of some of the values."""
        return Calibration(targets=self.targets[place], classes=self.classes[place])

    @classmethod
    def nothing(cls, n_values: int) -> "Calibration":
        """Return the calibration of a model without a validation part."""
        return cls(targets=(None,) * n_values)

    @classmethod
    def fit(
        cls,
        residuals: Values,
        spread: Spread | None,
        *,
        remoteness: Values | None = None,
        groups: "NDArray[np.str_] | NDArray[np.int64] | None" = None,
    ) -> "Calibration":
        """Measure residuals and predicted spreads, (n, n_values) in scaled units; NaN unknown.

        Factor, floor, bound and growth are fitted on all values. The quantile comes from scores in
        which each value is judged by a fit on the other parts of five (cross-fitting), so that it
        is not too small by what the fit has seen.

        Deviations have the size with which the mean of (residual / std)² is 1, but none is larger
        than half of its 90 % interval: a few values far out would decide about all others.

        Args:
            residuals: True minus predicted values.
            spread: What ensemble and noise heads say, (n, n_values) each; None where a model says
                nothing. Noise is believed up to a bound only, the one that makes these residuals
                likeliest; no later noise counts as more than the largest of these.
            remoteness: (n,) distance of each to the training data over the usual one. Where it is
                known, so is how errors grow with it.
            groups: (n,) values of one group, such as a formula, are in one part.
        """
        columns = range(residuals.shape[1])
        folds = deal_folds(np.arange(len(residuals)) if groups is None else groups)
        if residuals.shape[1] > _MOST_CROSSED:
            folds[:] = 0
        return cls(
            targets=tuple(
                _calibrate(
                    residuals[:, c],
                    None if spread is None else spread.column(c),
                    remoteness,
                    folds,
                )
                for c in columns
            )
        )

    def std(self, spread: Spread | None, n: int, remoteness: Values | None = None) -> Values:
        """(n, n_values) standard deviations in scaled units; NaN where nothing is known."""
        std = np.full((n, len(self.targets)), np.nan)
        for column, target in enumerate(self.targets):
            own = None if spread is None else spread.column(column)
            if target is not None:
                std[:, column] = target.std(own, n, remoteness)
            elif own is not None:
                std[:, column] = own.total()
        return std

    @property
    def quantiles(self) -> Values:
        """(n_values,) half width of the 90 % interval in standard deviations; NaN unknown."""
        return np.array([math.nan if t is None else t.quantile for t in self.targets])

    def to_list(self) -> list[dict[str, Any] | None]:
        """Return plain values, ready for JSON (an infinite quantile becomes None)."""
        return [None if t is None else _plain(t) for t in self.targets]

    def classes_to_list(self) -> list[dict[str, Any] | None]:
        """Return plain values of ``classes``, ready for JSON; empty where nothing is known."""
        if not any(self.classes):
            return []
        return [None if c is None else asdict(c) for c in self.classes]

    @classmethod
    def from_list(cls, content: Any, n_values: int, classes: Any = ()) -> "Calibration":
        """Take back what `to_list` and `classes_to_list` returned.

        Raises:
            ModelError: the content is not a calibration of so many values.
        """
        try:
            targets = tuple(None if t is None else _read(t) for t in content)
            temperatures = tuple(None if c is None else _read_classes(c) for c in classes)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
            raise ModelError(f"the calibration is damaged ({reason(problem)})") from problem
        if len(targets) != n_values:
            raise ModelError(f"the calibration has {len(targets)} values instead of {n_values}")
        if len(temperatures) not in (0, n_values):
            raise ModelError(
                f"the calibration has {len(temperatures)} temperatures instead of {n_values}"
            )
        return cls(targets=targets, classes=temperatures)


FEWEST_FOR_TEMPERATURE = 30
"""With fewer validation values the probabilities of classes stay as the network says them."""
_TEMPERATURES = (0.5, 100.0)
"""Lowest and highest: a few values that are all right would make everything certain."""
_GAIN = 1.0
"""Of the logarithm of the likelihood, at which one more number is worth it (Akaike). Less is
chance: of four models of 75 to 120 values each such a temperature made two worse on new ones."""


def fit_temperature(logits: Values, labels: Values) -> ClassCalibration | None:
    """Return the temperature with the least cross-entropy; None for too few values or one class.

    Guo et al., On calibration of modern neural networks, ICML 2017. It leaves the order of the
    classes of each sample as it is. It is 1 where another is not clearly better.

    Args:
        logits: (n, n_classes) logarithms of probabilities, up to a constant a row.
        labels: (n,) class numbers; NaN where unknown.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    known = np.isfinite(labels) & np.isfinite(logits).all(axis=1)
    own, logits = labels[known].astype(np.int64), logits[known]
    if len(own) < FEWEST_FOR_TEMPERATURE or len(np.unique(own)) < 2:
        return None
    rows = np.arange(len(own))

    def cost(sharpness: float) -> float:
        return float(-log_softmax(sharpness * logits, axis=1)[rows, own].mean())

    lowest, highest = _TEMPERATURES  # the cost is convex in what multiplies the logits
    found = minimize_scalar(cost, bounds=(1 / highest, 1 / lowest), method="bounded")
    before, after = cost(1.0), cost(float(found.x))
    better = len(own) * (before - after) > _GAIN
    return ClassCalibration(
        temperature=1 / float(found.x) if better else 1.0,
        n=len(own),
        cross_entropy=before,
        calibrated=after if better else before,
    )


def conformal_quantile(scores: Values, level: float) -> float:
    """Return the smallest score that at least ``level`` of new ones stay below, or infinity.

    The k-th smallest of n scores with k = ⌈(n + 1) level⌉ (Vovk; Lei et al., Journal of the
    American Statistical Association 113, 1094, 2018); exact for exchangeable data.
    """
    k = math.ceil((len(scores) + 1) * level - 1e-9)
    return float(np.sort(scores)[k - 1]) if k <= len(scores) else math.inf


def deal_folds(groups: "NDArray[np.str_] | NDArray[np.int64]") -> NDArray[np.int64]:
    """Return the part, 0 to 4, of each value, (n,); a group is in one part.

    With fewer than 20 groups, such as the snapshots of one molecule, single values are dealt.
    """
    _, places = np.unique(groups, return_inverse=True)
    places = places.reshape(-1)
    n_groups = int(places.max(initial=-1)) + 1
    if n_groups < _FEWEST_FOR_FOLDS:
        n_groups = len(places)
        places = np.arange(n_groups)
    dealt = np.random.default_rng(0).permutation(n_groups) % _FOLDS
    return np.asarray(dealt[places], dtype=np.int64)


def _calibrate(
    residuals: Values,
    spread: Spread | None,
    remoteness: Values | None,
    folds: NDArray[np.int64],
) -> TargetCalibration | None:
    known = np.isfinite(residuals)
    if not known.any():
        return None
    error = np.abs(residuals[known])
    own = None if spread is None else spread.rows(known)
    far = None if remoteness is None else remoteness[known]
    rmse = float(np.sqrt(np.square(error).mean()))
    enough = len(error) >= _ENOUGH  # for the parts too, or other shapes would be judged
    fit = _fitted(error, own, far, enough=enough)
    whole = fit.std(own, far, len(error))
    std, n_folds = whole.copy(), 0
    parts = np.unique(folds[known])
    fits_something = own is not None or far is not None  # else a constant, which cancels
    if fits_something and len(parts) > 1 and len(error) >= _FEWEST_FOR_FOLDS:
        n_folds = len(parts)
        for part in parts.tolist():
            inside = folds[known] == part
            others = _fitted(
                error[~inside],
                None if own is None else own.rows(~inside),
                None if far is None else far[~inside],
                enough=enough,
            )
            judged = others.std(own, far, len(error))
            std[inside] = (judged * _same_size(whole, judged))[inside]
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = error / std
    scores = np.where(np.isnan(scores), 0.0, scores)  # neither error nor spread
    quantile = conformal_quantile(scores, INTERVAL)
    size = quantile if 0 < quantile < 1 else 1.0
    return TargetCalibration(
        n=len(error),
        rmse=rmse,
        spread_factor=fit.factor * size,
        floor=fit.floor * size,
        quantile=quantile / size,
        largest_noise=fit.largest,
        growth=fit.growth,
        largest_remoteness=fit.farthest if fit.growth else math.inf,
        n_folds=n_folds,
    )


class _Fit(NamedTuple):
    """What is fitted to errors and spreads."""

    factor: float
    floor: float
    largest: float
    growth: float
    farthest: float = math.inf
    largest_in_all: float = math.inf

    def std(self, spread: Spread | None, remoteness: Values | None, n: int) -> Values:
        """(n,) standard deviations."""
        total: Values = np.full(n, self.floor)
        if spread is not None:
            believed = np.minimum(spread.total(self.largest), self.largest_in_all)
            total = np.hypot(self.factor * believed, self.floor)
        if remoteness is None:
            return total
        return total * _grown(remoteness, self.growth, self.farthest)


def _fitted(
    error: Values, spread: Spread | None, remoteness: Values | None, *, enough: bool
) -> _Fit:
    """Return what makes the errors likeliest; the root of their mean square if nothing tells."""
    if remoteness is not None or (spread is not None and spread.noise is not None):
        return _likeliest(error, spread, remoteness, enough=enough)
    if spread is not None:
        factor, floor = fit_spread(error, spread.total(), enough=enough)
        return _Fit(factor, floor, math.inf, 0.0)
    return _Fit(0.0, float(np.sqrt(np.square(error).mean())), math.inf, 0.0)


def _same_size(wanted: Values, std: Values) -> float:
    """Return the factor that makes the geometric mean of some deviations the wanted one.

    An interval depends on how the deviations differ from value to value; their common size goes
    into the quantile. A single value far out, which only one part holds, changes the size that is
    fitted to the others, and the parts could not be compared.
    """
    both = (wanted > 0) & (std > 0)
    if not both.any():
        return 1.0
    return float(np.exp(np.log(wanted[both] / std[both]).mean()))


def _grown(remoteness: Values, growth: float, farthest: float) -> Values:
    """Return by what errors have grown at some distances; up to the usual one not at all."""
    grown: Values = np.minimum(np.maximum(remoteness, 1.0), max(farthest, 1.0)) ** growth
    return grown


def _likeliest(
    error: Values, spread: Spread | None, remoteness: Values | None, *, enough: bool
) -> _Fit:
    """Return factor, floor, largest noise and growth that make the errors likeliest.

    The error is taken to be Laplace-distributed here: networks that are right for most and far
    out for a few would let these few decide about all. The size of everything is that with which
    the mean of (error / std)² is 1, as in `fit_spread`.
    """
    bounds = [math.inf]
    if spread is not None and spread.noise is not None:
        bounds = np.quantile(spread.noise, _CUTS if enough else [1.0]).tolist()
    growths = _GROWTHS if enough and remoteness is not None else np.zeros(1)
    farthest = math.inf if remoteness is None else float(np.quantile(remoteness, _MEASURED))
    best = math.inf
    found = _Fit(0.0, float(np.sqrt(np.square(error).mean())), bounds[-1], 0.0, farthest)
    for growth in growths.tolist():
        grown = np.ones(1) if remoteness is None else _grown(remoteness, growth, farthest)
        own = error / grown
        for bound in bounds:
            kept = None if spread is None else spread.total(bound)
            mean_square = 0.0 if kept is None else float(np.square(kept).mean())
            shares = _SHARES if enough else np.array([0.5])
            for share in shares.tolist() if mean_square > 0 else [0.0]:
                shape = np.ones(1)
                if kept is not None and share:
                    shape = share * np.square(kept) / mean_square + (1 - share)
                root = np.sqrt(shape)
                size = float((own / root).mean())
                cost = math.log(max(size, 1e-300)) + float(np.log(root * grown).mean())
                if cost < best - 1e-12:
                    scale = float((np.square(own) / shape).mean())
                    factor = math.sqrt(scale * share / mean_square) if share else 0.0
                    floor = math.sqrt(scale * (1 - share))
                    best, found = cost, _Fit(factor, floor, bound, growth, farthest)
    return found


def fit_spread(error: Values, spread: Values, *, enough: bool | None = None) -> tuple[float, float]:
    """Return factor and floor with which (factor x spread)² + floor² is the likely square error.

    The members of an ensemble may agree by chance, and noise heads err as well, so a constant
    part is added. Its share is the one of highest likelihood for normally distributed errors;
    the size of both together makes the mean of (error / std)² equal to 1. With too few values
    (``enough`` is False, or they are fewer than 30) the share is a half. Errors, in sizes, and
    predicted spreads are (n,) in scaled units.
    """
    enough = len(error) >= _ENOUGH if enough is None else enough
    mean_square = float(np.square(spread).mean())
    if not mean_square > 0:
        return 0.0, float(np.sqrt(np.square(error).mean()))
    relative = np.square(spread) / mean_square
    best, chosen, scale = math.inf, 0.0, 0.0
    for share in _SHARES if enough else (0.5,):
        shape = share * relative + (1 - share)
        size = float((np.square(error) / shape).mean())
        cost = len(error) * math.log(max(size, 1e-300)) + float(np.log(shape).sum())
        if cost < best:
            best, chosen, scale = cost, float(share), size
    return math.sqrt(scale * chosen / mean_square), math.sqrt(scale * (1 - chosen))


_BOUNDS = ("largest_noise", "largest_spread", "largest_remoteness")
"""Fields that are left out of what is stored where they are without an end."""


def _plain(target: TargetCalibration) -> dict[str, Any]:
    bounds = {name: getattr(target, name) for name in _BOUNDS}
    bounded = {name: bound for name, bound in bounds.items() if not math.isinf(bound)}
    crosswise = {"n_folds": target.n_folds} if target.n_folds else {}
    return {
        **bounded,
        **({"growth": target.growth} if target.growth else {}),
        **crosswise,
        "n": target.n,
        "rmse": target.rmse,
        "spread_factor": target.spread_factor,
        "floor": target.floor,
        "quantile": target.quantile if math.isfinite(target.quantile) else None,
    }


def _read_classes(content: Mapping[str, Any]) -> ClassCalibration:
    found = ClassCalibration(
        temperature=number_in(content["temperature"]),
        n=count_in(content["n"]),
        cross_entropy=number_in(content["cross_entropy"]),
        calibrated=number_in(content["calibrated"]),
    )
    numbers = (found.cross_entropy, found.calibrated)
    if not (0 < found.temperature < math.inf and all(0 <= x < math.inf for x in numbers)):
        raise ValueError("impossible numbers")
    return found


def _read(content: Mapping[str, Any]) -> TargetCalibration:
    quantile = content["quantile"]
    target = TargetCalibration(
        n=count_in(content["n"]),
        rmse=number_in(content["rmse"]),
        spread_factor=number_in(content["spread_factor"]),
        floor=number_in(content["floor"]),
        quantile=math.inf if quantile is None else number_in(quantile),
        growth=number_in(content.get("growth", 0.0)),
        **{name: _bound(content, name) for name in _BOUNDS},
        n_folds=count_in(content.get("n_folds", 0)),
    )
    sizes = (target.rmse, target.spread_factor, target.floor, target.growth)
    bounds = (target.quantile, *(getattr(target, name) for name in _BOUNDS))
    if not (all(0 <= s < _LARGEST for s in sizes) and all(b >= 0 for b in bounds)):
        raise ValueError("impossible numbers")
    return target


def _bound(content: Mapping[str, Any], name: str) -> float:
    """Return a number up to which something holds; without an end where it is left out."""
    return number_in(content[name]) if name in content else math.inf
