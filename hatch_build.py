"""The build hooks: they pack the test vectors, and take the description from the README."""

from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

# The rest of the README has pictures and links into the repository.
_END_OF_DESCRIPTION = "\n## You run a server\n"


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


class DescriptionHook(MetadataHookInterface):
    """Takes the beginning of the README as the description of the package."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set ``readme``."""
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        beginning, found, _ = readme.partition(_END_OF_DESCRIPTION)
        if not found:
            raise ValueError("README.md has no heading that ends the description")
        text = f"{beginning}\nThe README and the documentation are in the repository.\n"
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
