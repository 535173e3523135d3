"""The modules that make the docs' pages lie beside them, where MkDocs imports them from."""

import sys

from tests.e2e.workspace import ROOT

sys.path.append(str(ROOT / "docs/hooks"))
