"""Cross-validation with scikit-learn, structures in, errors out."""

import csv
from pathlib import Path

from sklearn.model_selection import KFold, cross_val_score

from atomlens.sklearn import AtomlensRegressor

with (Path(__file__).parent / "boiling_points.csv").open(encoding="utf-8") as stream:
    rows = list(csv.DictReader(stream))
structures = [f"smiles:{row['smiles']}" for row in rows]
values = [float(row["boiling_point [°C]"]) for row in rows]

folds = KFold(5, shuffle=True, random_state=0)
for model in ("mean", "ridge"):
    regressor = AtomlensRegressor(model, split="random:1./0./0.")
    scores = cross_val_score(
        regressor, structures, values, cv=folds, scoring="neg_mean_absolute_error"
    )
    print(f"{model}: MAE {-scores.mean():.0f} ± {scores.std():.0f} °C over {len(scores)} folds")
