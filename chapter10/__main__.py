"""``python -m chapter10``."""

import sys

from chapter10.cli import main

sys.exit(main())
