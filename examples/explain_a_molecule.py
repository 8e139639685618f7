"""Which atoms does a model look at? On data where the right answer is known."""

import numpy as np

import atomlens as al

# Generated molecules whose property is decided by a few known atoms.
data = al.load_dataset("toy", target="signal", limit=400)
model = al.train(
    data,
    model="scann-plus",
    epochs=6,
    batch_size=32,
    learning_rate=2e-3,
    model_settings={"n_layers": 2, "n_features": 32},
)
test = model.metrics["test"]["targets"]["signal"]
print(f"MAE {test['mae']:.2f} eV, mean predictor {test['mad']:.2f} eV")

# How often is the atom with the largest score one of those that decide?
hits, chance = [], []
for i in range(50):
    explanation = model.explain(data[i].atoms)
    decides = data.node_labels[i]
    hits.append(decides[np.argmax(explanation.scores)])
    chance.append(decides.mean())
print(
    f"top atom decides in {np.mean(hits):.0%} of 50 molecules, by chance in {np.mean(chance):.0%}"
)

page = model.explain(data[0].atoms).to_html("explained.html")
print(f"open {page} in a browser")
