"""The build hook of the wheel: it packs the test vectors into the archive that the package reads."""

from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SuiteBuildHook(BuildHookInterface[Any]):
    """Adds the archive to the wheel. An editable install has none and reads ``vectors/`` directly."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the archive to a temporary folder, and name it to the builder."""
        if version == "editable":
            return
        root = Path(self.root)
        # By its path: importing the package would need its dependencies.
        module = run_path(str(root / "src" / "roomver" / "readers" / "archive.py"))
        self._folder = TemporaryDirectory()
        archive = Path(self._folder.name) / module["ARCHIVE"]
        module["write_archive"](root / "vectors", archive)
        build_data["force_include"][str(archive)] = f"roomver/{archive.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        if version != "editable":
            self._folder.cleanup()
