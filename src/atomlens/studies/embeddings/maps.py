"""Vectors of many numbers laid out in the plane: PCA, t-SNE, UMAP."""

from importlib.util import find_spec
from typing import Literal

import numpy as np

from atomlens.errors import missing_package
from atomlens.studies.embeddings.numbers import principal_components
from atomlens.studies.statistics import Values

MapMethod = Literal["pca", "tsne", "umap"]

_PACKAGES = {"tsne": ("sklearn", "scikit-learn"), "umap": ("umap", "umap-learn")}
_PERPLEXITY = 30.0
"""Of the paper; a third of the points if there are fewer than 91."""


def refuse_missing_package(method: MapMethod) -> None:
    """Raise a MissingDependencyError if a map needs a package that is not installed."""
    module, package = _PACKAGES.get(method, ("", ""))
    if module and find_spec(module) is None:
        raise missing_package(
            f"map={method}", package, "explain", 'use --set map=pca (in Python map="pca")'
        )


def lay_out(vectors: Values, method: MapMethod, seed: int) -> Values:
    """Return places in the plane, (n, 2), for vectors (n, n_features).

    t-SNE and UMAP start from random places that depend on the seed and on n alone, so that two
    models of the same materials start alike.
    """
    n = len(vectors)
    start = np.random.default_rng(seed).normal(size=(n, 2))
    if method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(_PERPLEXITY, (n - 1) / 3)
        places = TSNE(perplexity=perplexity, init=1e-4 * start, random_state=seed)
        return np.asarray(places.fit_transform(vectors), dtype=np.float64)
    if method == "umap":
        from umap import UMAP

        places = UMAP(n_neighbors=min(15, n - 1), init=start, random_state=seed, n_jobs=1)
        return np.asarray(places.fit_transform(vectors), dtype=np.float64)
    return principal_components(vectors).scores
