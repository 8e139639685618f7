"""What the cards of the models in the box say that no program can measure."""

from atomlens.predictor.record import About

_MAKING = (
    "The weights are an exponential average over the steps (0.999). Every fourth or second step "
    "also asks that a term be what the prediction loses without the atom (`consistency`).",
    "After training, one half of the validation part (drawn with seed 0) taught the layer that "
    "speaks of the noise, with everything else frozen; the other half calibrated the intervals. "
    "Landmarks for `unlike` were chosen among 12,000 training structures, those of every "
    "composition first; its percentages are those of the validation part.",
)
_SHARED = (
    "It is not for force fields or dynamics: it has never seen a structure out of equilibrium.",
)

_FORMULAS = (
    "It knows nothing of the structure: polymorphs get one value, and the best value for a formula "
    "with several is none of theirs.",
    "Formulas far from the inorganic crystals of the Materials Project (organic compounds, alloys "
    "with small additions, glasses, ions) were never seen; `unlike` warns of many, not of all.",
)
_OF_THE_PARTS = (
    "The weights are an exponential average over the steps (0.999), of the epoch that was best on "
    "the validation part; the intervals were calibrated on the same part, so they are a little "
    "narrow. Every fourth step also asks that a term be what the prediction loses without the "
    "element (`consistency`).",
)

_BUSY_CORE = "in all on one thread of an AMD EPYC (AVX-512) that did other work beside it"


def _formulas(
    name: str,
    what: str,
    task: str,
    size: str,
    compute: str,
    published: dict[str, float],
    published_by: str,
    beyond: str,
    source: str = "",
) -> About:
    """Return the card of a model that reads bare formulas of a task of Matbench."""
    return About(
        summary=f"{what} of inorganic crystals from the formula alone, learned from {task}.",
        data=f"{task} of Matbench v0.1 without its structures: {size} compositions "
        f"(A. Dunn et al., npj Computational Materials 6, 138, 2020{source}).",
        licence="Matbench: modified BSD; values derived from the Materials Project: CC BY 4.0 "
        "(A. Jain et al., APL Materials 1, 011002, 2013; materialsproject.org).",
        split="official fold 0 for the test, a tenth of the other four (seed 0) for validation. "
        "Polymorphs of one formula may stand in several parts, as in the official folds.",
        command=f"python recipes/box.py {name} --data FOLDER",
        compute=f"All its training: {compute}.",
        needs="the folder of `matbench_*.csv.gz`, by --data",
        making=_OF_THE_PARTS,
        not_for=(*_FORMULAS, beyond),
        published=published,
        published_by=published_by,
    )


ABOUT = {
    "qm9": About(
        geometries="B3LYP/6-31G(2df,p)",
        summary="Five properties of small organic molecules, learned from QM9 by an ensemble of "
        "three networks.",
        data="QM9: 130,831 molecules of up to 9 atoms of C, N, O and F with their hydrogens; "
        "B3LYP/6-31G(2df,p) at the geometry of the same method (R. Ramakrishnan, P. O. Dral, "
        "M. Rupp, O. A. von Lilienfeld, Scientific Data 1, 140022, 2014).",
        licence="CC0 1.0.",
        split="the data set's own (`source`, seed 0): 110,000 molecules for training, 10,831 for "
        "validation, 10,000 for the test.",
        command="recipes/gpu.sh train PACKED OUT qm9",
        compute="All its training: 325 s, 430 s and 660 s of one NVIDIA H200 (239, 222 and 196 "
        "epochs of 7 layers of 128), the second shared with two other trainings for 160 s, the "
        "third with another one all the time. The first member was trained by the loop from which "
        "the command above was made, with the consistency on every fourth step. The others were "
        "trained by that command with seed 1, the second without the reference of the elements "
        "for alpha and cv; its outputs were brought to the scaling of the first, which changes no "
        "prediction.",
        needs="`qm9`, which comes with `pip install 'atomlens[data]'`",
        making=_MAKING,
        not_for=(
            "It is for neutral, closed-shell molecules of H, C, N, O and F at their geometry of "
            "minimal energy. Geometries from a force field, as SMILES get them, make errors "
            "three to five times as large; the error estimates of such molecules say so.",
            "Ions, radicals, excited states, solvents, polymers, crystals and metals were never "
            "seen.",
            *_SHARED,
        ),
        published={"homo": 0.032, "lumo": 0.031, "gap": 0.052, "alpha": 0.115, "cv": 0.041},
        published_by="SCANN+ (2023), another split",
    ),
    "mp": About(
        summary="Formation energy and band gap of crystals, learned from the Materials Project "
        "by an ensemble of four networks.",
        data="101,222 crystals of the Materials Project: structures of 2024, formation energies "
        "of 2019, band gaps of 2018 (PBE) where known. The training part has cells of up to 100 "
        "atoms.",
        licence="CC BY 4.0. The data are from the Materials Project (A. Jain et al., APL "
        "Materials 1, 011002, 2013; materialsproject.org); they were joined by identifier and "
        "rounded, not changed otherwise.",
        split="by random permutation of the identifiers: 94,222 crystals for training, 2,000 for "
        "validation, 5,000 for the test. Polymorphs of one formula may stand in several parts.",
        command="recipes/gpu.sh train PACKED OUT mp, then recipes/box.py --on mp and --beside mp",
        compute="All its training: 225 s, 178 s and 660 s of one NVIDIA H200 (94, 73 and 138 "
        "epochs of 7 layers of 128), then 3,176 s and 5,593 s by the clock, " + _BUSY_CORE + ". "
        "The first two members were trained by the loop from which the first command above was "
        "made, both targets alike, the second with dropout (0.1, attention 0.05), which is off "
        "when it predicts, and three more epochs on a core. The third was trained by that command "
        "with seed 2; another training shared its device all the time. The fourth (4 layers of "
        "96) learned on a core alone, 12 of 13 epochs with seed 20. What learned on a core had "
        "batches of 64 and Muon, and in it and the third member the formation energy counts three "
        "times as much as the gap.",
        needs="the packed file of `recipes/pack_box.py`, by --data FILE",
        making=_MAKING,
        not_for=(
            "The gaps are those of PBE, which are too small by a third and more, and zero for "
            "some semiconductors. The formation energies are those of the Materials Project with "
            "its corrections, per atom, against the elements.",
            "It does not say whether a crystal is stable: that takes the energies of all "
            "competing phases, to better than its error.",
            "Molecules, surfaces, defects, disordered crystals and magnetic order were never seen.",
            *_SHARED,
        ),
        published={"formation_energy": 0.028, "band_gap": 0.225},
        published_by="SCANN+ (2023), another selection and split",
    ),
    "formula-formation-energy": _formulas(
        "formula-formation-energy",
        "Formation energies",
        "matbench_mp_e_form",
        "132,752",
        "four members by Muon, each of which was ended where the validation had hardly become "
        "better for two epochs of 30, after 19 to 22 (5,504 s by the clock), " + _BUSY_CORE,
        {"formation_energy": 0.0862},
        "CrabNet, mean of the five official folds",
        "Formation energies are of the Materials Project with its corrections; whether a compound "
        "is stable depends on its competitors and needs a smaller error than this.",
    ),
    "formula-gap": _formulas(
        "formula-gap",
        "Band gaps (PBE)",
        "matbench_mp_gap",
        "106,113",
        "three members by Muon, each from a network that had learned the formation energies of "
        "mp_e_form for 16 epochs, without the formulas of the validation and test part (2,018 s of "
        "5,308 s by the clock), and ended where the validation had hardly become better for two "
        f"epochs of 30, after 21 to 23, {_BUSY_CORE}",
        {"band_gap": 0.2308},
        "Finder, composition only, mean of the five official folds",
        "Gaps of PBE are too small by a third and more, and zero for some semiconductors.",
    ),
    "formula-moduli": _formulas(
        "formula-moduli",
        "Bulk and shear moduli",
        "matbench_log_kvrh and matbench_log_gvrh",
        "10,987",
        "three members of 60 epochs, each from a network that had learned the formation energies "
        "of mp_e_form for 10 epochs, without the formulas of the validation and test part "
        f"(1,473 s of 2,175 s by the clock), {_BUSY_CORE}",
        {"log_bulk_modulus": 0.0764, "log_shear_modulus": 0.0996},
        "Finder, composition only, mean of the five official folds",
        "The values are decimal logarithms of Voigt-Reuss-Hill averages in GPa; an error of 0.1 "
        "is a quarter.",
        "; M. de Jong et al., Scientific Data 2, 150009, 2015",
    ),
    "formula-phonons": _formulas(
        "formula-phonons",
        "The highest peak of the phonon density of states",
        "matbench_phonons",
        "1,265",
        f"five members of 150 epochs, {_BUSY_CORE}",
        {"last_phonon_peak": 55.1},
        "CrabNet, mean of the five official folds",
        "The last peak is a single number of a curve; it says little about heat capacity or "
        "stability.",
        "; G. Petretto et al., Scientific Data 5, 180065, 2018",
    ),
    "formula-refractive-index": _formulas(
        "formula-refractive-index",
        "Refractive indices",
        "matbench_dielectric",
        "4,764",
        f"three members of 60 epochs, {_BUSY_CORE}",
        {"refractive_index": 0.3204},
        "Finder, composition only, mean of the five official folds",
        "A few materials of nearly no gap have indices above 10, and the error is mostly theirs.",
        "; I. Petousis et al., Scientific Data 4, 160134, 2017",
    ),
}
