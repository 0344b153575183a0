"""The modules of the example homeserver, for tests that use them without a process of their own."""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[3] / "docs" / "homeserver"
# `homeserver` is also a module of vectors/recorder, which other tests import.
_NAME: Final = "example_homeserver"


def example_module(name: str) -> Any:
    """Return a module of the example: ``store`` or ``server``."""
    if _NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            _NAME, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
        )
        assert spec is not None
        assert spec.loader is not None
        package = sys.modules[_NAME] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(package)
    return importlib.import_module(f"{_NAME}.{name}")
