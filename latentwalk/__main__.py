"""``python -m latentwalk``: the same as the command ``latentwalk``."""

import sys

from latentwalk.cli import main

sys.exit(main())
