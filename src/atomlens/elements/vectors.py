"""Elements as vectors of known properties, for networks that start from them.

Two tables are built in; the others are read from packages by `atomlens.datasets`.
CGCNN's vector has 92 numbers: nine properties, each cut into classes, of which one is 1. The
classes are facts about the elements as listed with the published CGCNN code (MIT licence).
"""

import numpy as np
from numpy.typing import NDArray

ELEMENT_VECTORS: dict[str, int] = {
    "one-hot": 118,
    "cgcnn92": 92,
    "mat2vec": 200,
    "megnet16": 16,
    "magpie": 22,
    "facts": 22,
}
"""Numbers in the vector of an element, by the name of the table."""

CGCNN_BLOCKS: dict[str, int] = {
    "group": 19,
    "period": 7,
    "electronegativity": 10,
    "covalent radius": 10,
    "valence electrons": 12,
    "first ionisation energy": 10,
    "electron affinity": 10,
    "block": 4,
    "atomic volume": 10,
}
"""Properties and their numbers of classes, in the order of the vector."""

_CLASSES = """
    104006504 i0.019.06 111401503 213314000 d14224410 e15235610 f17246214 g18156614 h19167914
    i1.178.14 121501505 222513.04 d23422512 e23433613 f24345514 g25355714 h27366915 i2.377.16
    130700508 231612406 332522424 432433423 533443522 633453521 733463.21 833473421 933383521
    a34393621 b333a3621 c334b4.22 d33422513 e34433613 f34444513 g35454714 h37365915 i3.476.17
    140800509 241712407 342622425 442532524 543543523 644553522 744463522 844473622 945483622
    a444b4522 b444a3622 c434b4.23 d43522414 e44533614 f44544615 g44454715 h46465916 i46475418
    150900509 251711407 051612535 051612535 051611535 051612735 05.612.3. 051612.35 05.612536
    051612.35 05.612635 052612535 052612.35 052612.35 052612634 05.612436 351621424 452533423
    552543423 653453522 753463422 854474622 954484622 a54494722 b554a4722 c534b5.24 d53522514
    e53533515 f53543515 g54554715 h5456481. i5.575.1. 16080050. 261711408 061711535 062612.35
    062612.34 063612.33 062612.35 062612.3. 06.612.35 06.612.35 06.612.3. 06.612.3. 06.612.3.
    06.612.3.
"""
"""Z = 1 to 100: the class of each property as a digit of base 36; a dot where it is unknown."""


def cgcnn_vectors(n_elements: int = 101) -> NDArray[np.float32]:
    """Return CGCNN's vectors.

    Returns:
        (n_elements, 92); row Z is the vector of atomic number Z, zero for 0 and beyond 100.
    """
    vectors = np.zeros((n_elements, sum(CGCNN_BLOCKS.values())), dtype=np.float32)
    starts = np.cumsum([0, *CGCNN_BLOCKS.values()])
    for number, classes in enumerate(_CLASSES.split()[: n_elements - 1], start=1):
        for start, digit in zip(starts, classes, strict=False):
            if digit != ".":
                vectors[number, start + int(digit, 36)] = 1
    return vectors


def one_hot_vectors(n_elements: int) -> NDArray[np.float32]:
    """Return vectors with a 1 in the column of the element.

    Returns:
        (n_elements, 118); row Z is the vector of atomic number Z, zero for 0.
    """
    return np.eye(n_elements, ELEMENT_VECTORS["one-hot"], k=-1, dtype=np.float32)


def built_in_vectors(name: str, n_elements: int) -> NDArray[np.float32] | None:
    """Return a table of element vectors; None for those that another package has.

    Returns:
        (n_elements, n_numbers); a row of zeros where the table has no vector.
    """
    if name == "one-hot":
        return one_hot_vectors(n_elements)
    return cgcnn_vectors(n_elements) if name == "cgcnn92" else None


def first_vectors(name: str, n_elements: int) -> NDArray[np.float32]:
    """Return what a fresh model starts from: a built-in table, else zeros until training.

    Returns:
        (n_elements, n_numbers)
    """
    vectors = built_in_vectors(name, n_elements)
    if vectors is None:
        return np.zeros((n_elements, ELEMENT_VECTORS[name]), dtype=np.float32)
    return vectors
