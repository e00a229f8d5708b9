"""Makes the project importable for a script of this folder, whichever Python starts it and from whatever folder."""

import os
import sys

sys.path.insert(1, os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir)))
