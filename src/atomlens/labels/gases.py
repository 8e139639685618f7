"""Models of gas molecules: rigid, linear, Lennard-Jones sites and point charges."""

from dataclasses import dataclass

from atomlens.labels.force_fields import LennardJones

NOTHING = LennardJones(0.0, 1.0)
"""No interaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One site of a molecule that lies along z."""

    symbol: str
    """Element that it stands for."""
    height: float
    """Place along the axis, Å."""
    mass: float
    """g/mol; 0 for a site that carries charge alone."""
    charge: float = 0.0
    """e"""
    lennard_jones: LennardJones = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Gas:
    """A gas: its molecule, and what its fugacity follows from (Peng-Robinson)."""

    name: str
    source: str
    sites: tuple[Site, ...]
    critical_temperature: float
    """K"""
    critical_pressure: float
    """Pa"""
    acentric_factor: float

    @property
    def mass(self) -> float:
        """g/mol"""
        return sum(site.mass for site in self.sites)

    @property
    def is_charged(self) -> bool:
        """True if its sites carry charges, so that it feels those of the framework."""
        return any(site.charge for site in self.sites)


_OXYGEN = LennardJones(79.0, 3.05)
_NITROGEN = LennardJones(36.0, 3.31)

GASES: dict[str, Gas] = {
    "CO2": Gas(
        name="CO2",
        source="TraPPE: J. J. Potoff, J. I. Siepmann, AIChE J. 47, 1676 (2001)",
        sites=(
            Site(symbol="O", height=1.16, mass=15.999, charge=-0.35, lennard_jones=_OXYGEN),
            Site(
                symbol="C",
                height=0.0,
                mass=12.011,
                charge=0.70,
                lennard_jones=LennardJones(27.0, 2.80),
            ),
            Site(symbol="O", height=-1.16, mass=15.999, charge=-0.35, lennard_jones=_OXYGEN),
        ),
        critical_temperature=304.1282,
        critical_pressure=7.3773e6,
        acentric_factor=0.22394,
    ),
    "N2": Gas(
        name="N2",
        source="TraPPE: J. J. Potoff, J. I. Siepmann, AIChE J. 47, 1676 (2001)",
        sites=(
            Site(symbol="N", height=0.55, mass=14.007, charge=-0.482, lennard_jones=_NITROGEN),
            Site(symbol="N", height=0.0, mass=0.0, charge=0.964),
            Site(symbol="N", height=-0.55, mass=14.007, charge=-0.482, lennard_jones=_NITROGEN),
        ),
        critical_temperature=126.192,
        critical_pressure=3.3958e6,
        acentric_factor=0.0372,
    ),
    "CH4": Gas(
        name="CH4",
        source="TraPPE-UA: M. G. Martin, J. I. Siepmann, J. Phys. Chem. B 102, 2569 (1998)",
        sites=(Site(symbol="C", height=0.0, mass=16.043, lennard_jones=LennardJones(148.0, 3.73)),),
        critical_temperature=190.564,
        critical_pressure=4.5992e6,
        acentric_factor=0.01142,
    ),
}
"""Gases by name."""
