"""Run vectors against the package with one module changed, in a fork of this process."""

import ast
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

from roomver.readers.suite import load_cases
from roomver.suite.document import Case

from .slip import PACKAGE

VECTORS: Final = PACKAGE.parents[1] / "vectors"

_SECONDS = 60  # for the whole suite on one changed module, which takes about eight
_ANSWER = 2000  # bytes, which a pipe holds

# The operations whose cases are most likely to notice a change of a module, or of a folder.
_FIRST: Final = {
    "auth": ("auth", "redaction_applies"),
    "canonical.py": ("canonical_json",),
    "event.py": ("redaction_applies",),
    "graph.py": ("resolve",),
    "ordering.py": ("resolve",),
    "identifiers.py": ("auth",),
    "pdu.py": ("redact",),
    "power.py": ("auth",),
    "redaction.py": ("redact",),
    "resolution": ("resolve",),
    "policy.py": ("policy",),
    "receive": ("receive",),
    "selection.py": ("auth_types",),
    "signatures.py": ("verify_signatures", "required_signers"),
    "state": ("auth_partial_state",),
    "versions": ("auth",),
}
# The only operations that run the code of a module.
_ONLY: Final = {
    "graph.py": {"resolve", "check", "receive"},
    "ordering.py": {"resolve", "check", "receive"},
    "resolution": {"resolve", "check", "receive"},
}


def suite_cases() -> list[Case]:
    """Return the cases of the vector suite, those of the optional tier too."""
    return load_cases([VECTORS], optional=True)


def ordered(cases: Iterable[Case], module: str) -> list[Case]:
    """Return the cases that can notice a change of a module, the likely ones first."""
    part = module.partition("/")[0]
    first, only = _FIRST.get(part, ()), _ONLY.get(part)
    able = [case for case in cases if only is None or case.operation in only]
    return sorted(able, key=lambda case: case.operation not in first)


class Changed(MetaPathFinder, Loader):
    """Imports one module of the package from a changed tree."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        path = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        self.name = f"roomver.{path}"
        self.package = module.endswith("__init__.py")
        self.file = str(PACKAGE / module)
        self.code: CodeType = compile(tree, self.file, "exec")

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find the changed module, and no other."""
        if fullname != self.name:
            return None
        spec = spec_from_loader(fullname, self, origin=self.file, is_package=self.package)
        if spec is not None and self.package:
            spec.submodule_search_locations = [str(Path(self.file).parent)]
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        exec(self.code, module.__dict__)


def caught_by(module: str, tree: ast.Module, cases: Sequence[Case]) -> str | None:
    """Run cases against a changed module, in a process of their own, up to the first that fails.

    Args:
        module: the file under ``src/roomver``.
        tree: the changed module.
        cases: the cases, in the order in which they run.

    Returns:
        The name of the case that fails, or ``!`` and what the process died of; None if all cases pass.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        signal.alarm(_SECONDS)
        try:
            answer = _run(module, tree, cases) or ""
        except BaseException as error:
            answer = f"!{type(error).__name__}: {error}"
        os.write(write, answer.encode()[:_ANSWER])
        os._exit(0)
    os.close(write)
    _, status = os.waitpid(child, 0)
    # Children of other threads may hold the pipe open, so its end is not waited for.
    os.set_blocking(read, False)
    try:
        answer = os.read(read, _ANSWER).decode(errors="replace")
    except BlockingIOError:
        answer = ""
    os.close(read)
    if status:
        return "!it takes too long" if os.WIFSIGNALED(status) else f"!status {status}"
    return answer or None


def _run(module: str, tree: ast.Module, cases: Sequence[Case]) -> str | None:
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the process ends
    for name in [name for name in sys.modules if name.partition(".")[0] == "roomver"]:
        del sys.modules[name]
    sys.meta_path.insert(0, Changed(module, tree))
    from roomver.suite.document import run_case  # noqa: PLC0415 - of the changed package

    for case in cases:
        if run_case(case).outcome.value == "failed":
            return case.name
    return None
