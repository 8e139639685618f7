"""``python -m atomlens`` is the command ``atomlens``."""

import sys

from atomlens.cli import main

sys.exit(main())
