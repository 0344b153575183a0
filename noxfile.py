"""The tests on every supported Python, and checks whose tools do not fit into the development environment.

``nox`` runs the tests on each Python that is found here, and skips the others.
``nox -s tests-3.12 -- -k graph`` uses one Python, with arguments for pytest.
"""

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)  # as the classifiers say


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests that are not slow; or what is asked for."""
    session.install("-e", ".[cli,postgres,report,zstd]", *nox.project.dependency_groups(PROJECT, "test"))
    session.run("python", "-m", "pytest", *(session.posargs or ["-q", "-n", "auto", "-m", "not slow"]))


@nox.session(python=[f"{python}t" for python in PYTHONS[-1:]])
def threads(session: nox.Session) -> None:
    """Run the tests on threads, without the global interpreter lock."""
    session.install("-e", ".[cli]", *nox.project.dependency_groups(PROJECT, "test"))
    # A module that needs the lock would switch it on, and the tests would show nothing.
    asked = session.posargs or ["-q", "-n0", "tests/test_threads.py", "tests/resolution", "tests/receive"]
    session.run("python", "-m", "pytest", *asked, env={"PYTHON_GIL": "0"})


@nox.session(python=False)
def workflows(session: nox.Session) -> None:
    """Look for weak spots in the workflows, without the network."""
    session.run("zizmor", "--offline", "--pedantic", ".github/workflows", external=True)


@nox.session
def citation(session: nox.Session) -> None:
    """Validate CITATION.cff. The tool needs an old jsonschema, so it is in no group."""
    session.install("cffconvert==2.0.0", "setuptools<81")
    session.run("cffconvert", "--validate", "-i", "CITATION.cff")
