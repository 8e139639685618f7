"""How long a user waits before anything happens: imports, --help, a first prediction.

Each command runs in a fresh process, several times; the table gives wall seconds (best, median).
`import torch` alone is in the table, because no prediction can be faster.

    python benchmarks/start_up.py [--rounds 7]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MAKE_MODEL = """
import sys
import atomlens as al
from atomlens.datasets.sources.toy import Toy
al.train(Toy(n=60).load(), model="scann-plus", out=sys.argv[1], epochs=1,
         model_settings={"n_layers": 7})
"""
COMMANDS = {
    "import torch (floor)": ["-c", "import torch"],
    "import atomlens": ["-c", "import atomlens"],
    "atomlens --help": ["-m", "atomlens", "--help"],
    "atomlens train --help": ["-m", "atomlens", "train", "--help"],
    "atomlens predict MODEL molecule.xyz": ["-m", "atomlens", "predict", "{model}", "{xyz}"],
    "atomlens predict MODEL CCO": ["-m", "atomlens", "predict", "{model}", "CCO"],
}
WATER = "3\nwater\nO 0 0 0.119\nH 0 0.763 -0.477\nH 0 -0.763 -0.477\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        model, xyz = Path(folder, "model"), Path(folder, "molecule.xyz")
        xyz.write_text(WATER)
        subprocess.run([sys.executable, "-c", MAKE_MODEL, str(model)], check=True)
        seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for k in range(rounds + 1):
            for name, command in COMMANDS.items():
                words = [w.format(model=model, xyz=xyz) for w in command]
                start = time.perf_counter()
                subprocess.run([sys.executable, *words], check=True, capture_output=True)
                if k:  # the first round fills the file cache and the compiled code
                    seconds[name].append(time.perf_counter() - start)
    print(f"{'':38s}{'best':>8s}{'median':>8s}   seconds, {rounds} fresh processes each")
    for name, values in seconds.items():
        print(f"{name:38s}{min(values):8.2f}{statistics.median(values):8.2f}")


if __name__ == "__main__":
    main()
