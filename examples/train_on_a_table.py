"""Train on a table, compare with a simple model, predict with an error estimate."""

from pathlib import Path

import atomlens as al

table = Path(__file__).parent / "boiling_points.csv"
data = al.load_dataset(table, target="boiling_point")
print(f"{len(data)} molecules, {data.targets[0].name} in {data.targets[0].unit}")

split = "random:.6/.2/.2"
ridge = al.train(data, model="ridge", split=split)
scann = al.train(
    data,
    model="scann-plus",
    out="boiling-model",
    epochs=40,
    batch_size=8,
    learning_rate=2e-3,
    split=split,
    model_settings={"n_layers": 2, "n_features": 32},
)
for name, model in {"ridge": ridge, "scann-plus": scann}.items():
    test = model.metrics["test"]["targets"]["boiling_point"]
    print(
        f"{name}: MAE {test['mae']:.0f} °C on {test['n']} unseen molecules (mean {test['mad']:.0f})"
    )

again = al.load("boiling-model")
print(again.predict(["CCCCCO", "CCCCCCC", "CC(C)C"]).to_frame().to_string(index=False))
