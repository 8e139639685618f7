"""What positions say of a structure: bonds, rings, hybridisation, symmetry, classes."""
