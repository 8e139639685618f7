"""Facts about the package as a whole: what imports what, what is installed, what is shipped."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import atomlens

ROOT = Path(__file__).resolve().parents[2]
CHEMISTRY = ("ase", "pymatgen", "rdkit", "jsonargparse", "pandas", "matplotlib", "h5py", "sklearn")
HEAVY = (*CHEMISTRY, "torch", "numpy", "scipy", "numba", "lightning_fabric")


def _modules_after(code: str, names: tuple[str, ...]) -> list[str]:
    """Return which of the named packages a fresh interpreter has imported after some code."""
    script = f"{code}\nimport sys\nprint(*[m for m in {names!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return done.stdout.split("\n")[-2].split()


def _project() -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert _modules_after("import atomlens", HEAVY) == []


def test_the_core_imports_without_chemistry_packages() -> None:
    core = ("graphs", "nn", "neighbors", "models", "datasets.packed", "training", "predictor")
    blocked = f"import sys\nfor name in {CHEMISTRY!r}: sys.modules[name] = None\n"
    imports = "\n".join(f"import atomlens.{module}" for module in core)
    done = subprocess.run([sys.executable, "-c", blocked + imports], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_public_name_can_be_reached() -> None:
    for name in atomlens.__all__:
        assert getattr(atomlens, name) is not None


def test_every_command_has_its_line_in_the_table_of_functions() -> None:
    from atomlens.cli.parser import COMMANDS

    page = (ROOT / "docs" / "reference" / "index.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z]+)` \| (.*) \|$", page, re.MULTILINE))
    assert list(rows) == list(COMMANDS)
    without = {"demo", "explain", "view", "datasets", "models", "complete"}
    for command, row in rows.items():
        for name in re.findall(r"`al\.([a-z_]+)", row):
            assert name in dir(atomlens)
        for method in re.findall(r"`model\.([a-z_]+)", row):
            assert hasattr(atomlens.Predictor, method)
        is_function = f"al.{command}(" in row
        assert is_function == (command in dir(atomlens))
        assert is_function or command in without


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'raed'"):
        _ = atomlens.raed


def test_warnings_are_given_by_the_function_that_finds_the_line_of_the_user() -> None:
    package = ROOT / "src" / "atomlens"
    own = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"\bwarnings\.warn(_explicit)?\(", path.read_text())
    ]
    assert own == ["errors.py"]


def test_a_warning_from_deep_inside_is_of_the_line_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("smiles,formula,y\nCCO,CH4,1\nCCC,C3H8,2\n")
    with pytest.warns(UserWarning, match="the column formula says 'CH4'") as heard:
        atomlens.load_dataset(tmp_path / "table.csv")
    assert {one.filename for one in heard} == {__file__}


def test_the_version_is_said_once() -> None:
    assert atomlens.__version__ == _project()["version"]
    assert importlib.metadata.version("atomlens") == atomlens.__version__


def test_the_changelog_knows_the_version() -> None:
    assert f"## {atomlens.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_changelog_says_each_thing_once_and_shortly() -> None:
    """It had 750 lines, some of them twice, which nobody read."""
    text = (ROOT / "CHANGELOG.md").read_text()
    told = Counter(line for line in text.splitlines() if line.startswith("- "))
    assert [line for line, times in told.items() if times > 1] == []
    sorted_ones = re.sub(r"#### New lines\n.*?(?=\n###)", "", text, flags=re.DOTALL)
    assert [line[:60] for line in sorted_ones.splitlines() if len(line) > 400] == []


def test_a_cpu_build_of_torch_brings_no_cuda_packages() -> None:
    import torch

    if torch.version.cuda is not None:
        pytest.skip("this torch is a CUDA build")
    names = [d.metadata["Name"].lower() for d in importlib.metadata.distributions()]
    assert [n for n in names if n.startswith("nvidia-")] == []


def test_the_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in ("README.md", "CONTRIBUTING.md"):
        used = re.findall(r"(?:`|^ {4})make ([a-z-]+)", (ROOT / page).read_text(), re.MULTILINE)
        assert used
        for target in used:
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page}: make {target}"


def test_the_atomlens_commands_in_the_docs_exist() -> None:
    from atomlens.cli.parser import COMMANDS

    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for command in re.findall(r"^ {4}atomlens ([a-z]+)", page.read_text(), re.MULTILINE):
            assert command in COMMANDS, f"{page.name}: atomlens {command}"


def test_links_between_the_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not link.startswith("http"):
                assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("name", ["py.typed", "reports/page.html", "reports/vendor/LICENSE.3Dmol"])
def test_data_files_are_shipped(name: str) -> None:
    assert files("atomlens").joinpath(name).is_file()


def test_every_data_file_in_the_package_is_named_in_pyproject() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["atomlens"]
    package = ROOT / "src" / "atomlens"
    shipped = {path for pattern in patterns for path in package.glob(pattern)}
    for path in package.rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc", ".nbi", ".nbc"):
            assert path in shipped, f"{path.relative_to(package)} would not be installed"


def test_reading_does_without_pymatgen(tmp_path: Path) -> None:
    """It is an extra: needed by who gives its objects, or takes its facts about elements."""
    from ase.build import bulk
    from ase.io import write

    write(tmp_path / "salt.cif", bulk("NaCl", "rocksalt", a=5.64))
    write(tmp_path / "POSCAR", bulk("NaCl", "rocksalt", a=5.64))
    sites = [{"species": [{"element": "He", "occu": 1}], "xyz": [0, 0, 0]}]
    (tmp_path / "one.json").write_text(json.dumps({"@class": "Molecule", "sites": sites}))
    script = (
        "import sys; sys.modules['pymatgen'] = None\n"
        "import atomlens as al\n"
        "found = al.read([*sys.argv[1:], 'CCO', 'Fe2O3'])\n"
        "print(*(atoms.get_chemical_formula() for atoms in found))\n"
    )
    paths = [str(tmp_path / name) for name in ("salt.cif", "POSCAR", "one.json")]
    done = subprocess.run(
        [sys.executable, "-c", script, *paths], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["ClNa", "ClNa", "He", "C2H6O", "Fe2O3"]


def test_every_package_that_is_asked_for_is_imported_somewhere() -> None:
    """A dependency that nothing imports is weight for everybody."""
    modules = {"pyyaml": "yaml", "typing-extensions": "typing_extensions"}
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    dependencies = _project()["dependencies"]
    assert isinstance(dependencies, list)
    for requirement in dependencies:
        name = re.split(r"[<>=!\[ ]", requirement)[0].lower()
        module = modules.get(name, name.replace("-", "_"))
        assert re.search(rf"^\s*(import|from) {module}\b", source, re.MULTILINE), requirement


EXTRAS = {
    name: {re.split(r"[<>=!\[ ]", one)[0].lower() for one in requirements}
    for name, requirements in _project()["optional-dependencies"].items()  # type: ignore[attr-defined]
    if name not in ("dev", "docs")  # mkdocs.yml asks for those of the site
}
MODULES = {"scikit-learn": "sklearn", "pymatgen-core": "pymatgen", "aviary-models": "aviary"}
MODULES |= {"umap-learn": "umap"}


def test_what_is_not_installed_is_asked_for_by_an_extra_that_brings_it() -> None:
    """A bare name of a package would take versions that nobody has tried."""
    asked = 0
    for path in (ROOT / "src").rglob("*.py"):
        source = path.read_text()
        assert not re.search(r"pip install (?!(--|numba|[\"']?atomlens))", source), path
        for extra in re.findall(r"atomlens\[([a-z]+)\]", source):
            assert extra in EXTRAS, (path, extra)
        for call in ast.walk(ast.parse(source)):
            if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "missing_package"):
                continue
            asked += 1
            package, extra = call.args[1:3]
            assert isinstance(extra, ast.Constant), ast.unparse(call)
            assert extra.value in EXTRAS, ast.unparse(call)
            if isinstance(package, ast.Constant):
                assert package.value.lower() in EXTRAS[extra.value], ast.unparse(call)
    assert asked > 10


def test_every_extra_is_used() -> None:
    folders = ("src", "recipes", "benchmarks")
    source = "\n".join(p.read_text() for name in folders for p in (ROOT / name).rglob("*.py"))
    for extra, packages in EXTRAS.items():
        for package in packages:
            module = MODULES.get(package, package.replace("-", "_"))
            used = rf"(?i)(import|from) {module}\b|[\"']{module}[\"'.]"
            assert re.search(used, source), (extra, package)


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "src" / "atomlens"


def test_the_architecture_page_draws_the_layers_that_are_checked() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c["layers"] for c in settings["contracts"] if c["type"] == "layers")
    drawn = ARCHITECTURE.partition("## Layers")[2].partition("`nn`, `graphs`")[0]
    assert [line.strip() for line in drawn.splitlines() if line.startswith("    ")] == layers


def test_the_architecture_page_says_where_every_room_is() -> None:
    rooms = ARCHITECTURE.partition("## Where is")[2].partition("## Layers")[0]
    for path in PACKAGE.iterdir():
        if path.is_dir() and (path / "__init__.py").is_file():
            assert f"`{path.name}/" in rooms, path.name
        elif path.suffix == ".py" and path.stem != "__init__":
            assert f"`{path.name}`" in rooms, path.name


def test_what_the_pages_for_newcomers_point_to_exists() -> None:
    for page in ("docs/architecture.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        named = re.findall(r"`((?:[a-z_]+/)*[a-z_]+(?:\.py|/))`", text)
        assert len(named) > 8
        for name in named:
            if "mine" not in name:
                assert (PACKAGE / name).exists() or (ROOT / name).exists(), f"{page}: {name}"


def _wanted(extras: set[str]) -> list[Requirement]:
    """Return what the package and these extras ask for, extras that name extras followed."""
    project = _project()
    optional = project["optional-dependencies"]
    assert isinstance(optional, dict)
    lines, seen = list(map(str, project["dependencies"])), set[str]()  # type: ignore[call-overload]
    while extras - seen:
        extra = min(extras - seen)
        seen.add(extra)
        for line in map(str, optional[extra]):
            one = Requirement(line)
            if one.name == "atomlens":
                extras = extras | one.extras
            else:
                lines.append(line)
    return [Requirement(line) for line in lines]


def test_everything_that_make_installs_is_pinned_with_its_hashes() -> None:
    blocks = re.split(r"\n(?=\w)", (ROOT / "constraints" / "cpu.txt").read_text())[1:]
    pins: dict[str, list[str]] = {}
    for block in blocks:
        found = re.match(r"([a-z0-9-]+)==(\S+)(?: ; [^\\]+)? \\\n", block)
        assert found, f"{block.splitlines()[0]}: no pin with a hash; run scripts/pin"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block)
        pins.setdefault(found[1], []).append(found[2])
    for one in _wanted({"dev"}):
        name = canonicalize_name(one.name)
        assert name in pins, f"{one}: not in constraints/cpu.txt; run scripts/pin --keep"
        assert all(one.specifier.contains(v) for v in pins[name]), f"{one}: run scripts/pin --keep"
    assert "://" not in "".join(blocks)


def test_shapes_are_not_written_on_aliases_of_numpy() -> None:
    """``Float[NDArray[...], ...]`` cannot be imported with numpy 2.5, where NDArray is no class."""
    wrong = re.compile(r"\b(Float|Int|UInt|Bool|Num|Shaped)\d*\[\s*NDArray\b")
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "recipes").rglob("*.py")]
    assert [f.name for f in files if wrong.search(f.read_text(encoding="utf-8"))] == []


SHARED = re.compile(
    r"(?m)^\w+(: [^=\n]+)? = ([\w.]+\.)?(default_rng|RandomState|Random|Generator)\([^()]*\)"
    r"(\.manual_seed\(\d+\))?$"
)


def test_no_test_draws_random_numbers_that_others_draw_from() -> None:
    """Which tests a process runs before another one differs from day to day."""
    assert SHARED.search("import x\nR = np.random.default_rng(0)\n")
    for path in (ROOT / "tests").rglob("*.py"):
        assert not SHARED.search(path.read_text(encoding="utf-8")), path
