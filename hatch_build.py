"""The build hooks: they pack the test vectors, and make the description of the README."""

import re
from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

# What leads to another file of the repository: a package index has no such file, and would show a dead link.
_FENCED = re.compile(r"^(```.*?^```\n)", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"^<!--.*?-->\n", re.DOTALL | re.MULTILINE)
_IMAGE = re.compile(r"""!\[[^\]]*\]\((?!https?:)[^)]*\)\n?|<img\b[^>]*\bsrc="(?!https?:)[^>]*>\n?""")
_LINK = re.compile(r"\[([^\[\]]*)\]\((?!https?:)[^)]*\)")


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
    """Makes the description of the package: the README without links into the repository."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set ``readme``."""
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        parts = _FENCED.split(readme)  # those in between are fenced blocks
        parts[::2] = [_LINK.sub(r"\1", _IMAGE.sub("", _COMMENT.sub("", part))) for part in parts[::2]]
        text = f"{''.join(parts)}\nThe files that are named here are in the source distribution.\n"
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
