"""The archives of a release of the suite: their files, their manifest, and that they are reproducible."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from roomver.cli.vectors.implementation import to_line
from roomver.readers.suite import load_suite

# The generators are not part of the package.
sys.path.insert(0, str(Path(__file__).parents[1]))
from vectors.generate.__main__ import main as generate
from vectors.generate.archive import NAME, manifest, release_files, tar_gz, write_archives, zipped
from vectors.generate.suite import FORMAT, VERSION

ROOT = Path(__file__).parents[1]
SUITE = ROOT / "vectors"


@cache
def files() -> dict[str, bytes]:
    return release_files(SUITE)


@cache
def listed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files()["manifest.json"])
    return found


def test_both_archives_have_the_same_files_in_one_folder() -> None:
    with zipfile.ZipFile(io.BytesIO(zipped(files()))) as source:
        of_zip = {entry.filename: source.read(entry) for entry in source.infolist()}
        assert {entry.external_attr >> 16 for entry in source.infolist()} == {0o100644}
    with tarfile.open(fileobj=io.BytesIO(tar_gz(files())), mode="r:gz") as archive:
        of_tar = {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr] # files alone
        assert {(entry.mode, entry.uid, entry.uname, entry.mtime) for entry in archive} == {
            (0o644, 0, "", 315532800)
        }
    assert of_zip == of_tar == {f"{NAME}/{name}": content for name, content in files().items()}


def test_a_release_has_what_an_implementer_needs_and_no_programs_of_ours() -> None:
    assert {name.split("/")[0] for name in files()} == {
        *(
            "FORMAT.md",
            "README.md",
            "CHANGELOG.md",
            "LICENSE",
            "bugs.md",
            "bugs.json",
            "manifest.json",
            "sentences.json",
        ),
        *("auth", "base", "custom", "disputed", "examples", "receipt", "resolution", "results", "rooms"),
        "schemas",
    }
    assert [name for name in files() if name.startswith("results/")] == ["results/report.json"]
    assert not [name for name in files() if name.endswith(".py") or "/target/" in name]
    assert sum(len(one) for one in (tar_gz(files()), zipped(files()))) < 2 * 5 * 2**20


def test_the_links_of_a_release_lead_into_it_or_to_a_web_address() -> None:
    links = 0
    for name, content in files().items():
        if name.endswith(".md"):
            for target in re.findall(r"\]\(([^)\s]+)\)", content.decode()):
                path = target.partition("#")[0]
                if path and not path.startswith("https://"):
                    whole = os.path.normpath(os.path.join(os.path.dirname(name), path))
                    assert whole in files() or any(one.startswith(f"{whole}/") for one in files()), (
                        name,
                        target,
                    )
                    links += 1
    assert links > 10
    readme = files()["README.md"].decode()
    assert "`../results/answers.json`, in a checkout" in files()["disputed/README.md"].decode()
    folders = set(re.findall(r"(?m)^\| `([a-z]+)/` \|", readme))
    assert {"base", "examples"} <= folders <= {name.split("/")[0] for name in files()}


def test_the_manifest_follows_its_schema_and_is_not_taken_for_vectors() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(files()["schemas/manifest.schema.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(listed())
    assert not jsonschema.Draft202012Validator(schema).is_valid({**listed(), "version": "2"})
    # FORMAT.md: a file with neither is skipped by readers of a folder.
    assert not listed().keys() & {"format", "cases"}


def test_the_manifest_lists_every_other_file() -> None:
    found = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files().items()
        if name != "manifest.json"
    }
    assert listed()["files"] == found
    assert found["FORMAT.md"]["sha256"] == hashlib.sha256((SUITE / "FORMAT.md").read_bytes()).hexdigest()


def test_the_manifest_counts_the_cases() -> None:
    cases = load_suite()
    counts: dict[str, Counter[str]] = {}
    for case in cases:
        counts.setdefault(case.operation, Counter())[case.room_version] += 1
    assert listed()["counts"] == {
        "cases": len(cases),
        "disputed": sum(case.disputed for case in cases),
        "operations": counts,
        "optional": len(load_suite(optional=True)) - len(cases),
    }
    assert (listed()["version"], listed()["vector_format"]) == (VERSION, FORMAT)


def test_the_version_of_the_suite_is_in_its_changelog_and_begins_with_that_of_the_format() -> None:
    (newest, *_) = re.findall(
        r"^## (\S+)", (SUITE / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert newest == VERSION
    assert f"roomver-vectors/{VERSION.split('.')[0]}" == FORMAT


def test_another_file_gives_another_manifest_and_other_bytes() -> None:
    changed = {**files(), "LICENSE": b"MIT\n"}
    assert manifest(changed)["files"]["LICENSE"] != listed()["files"]["LICENSE"]
    small = {"a": b"1"}
    assert zipped(small) != zipped({"a": b"2"})
    assert tar_gz(small) != tar_gz({"a": b"2"})
    assert zipped(small) == zipped(dict(small))


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--help"], 0, "FOLDER"),
        (["--archive", "--help"], 0, "--archive"),
        (["--hlep"], 2, "unrecognized arguments: --hlep"),
        (["--archive", "one", "two"], 2, "unrecognized arguments: two"),
    ],
)
def test_the_generators_explain_themselves_and_write_nothing(
    arguments: list[str],
    code: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        generate(arguments)
    assert (ended.value.code, told in "".join(capsys.readouterr())) == (code, True)
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="umask and TZ are of POSIX")
def test_two_folders_and_two_environments_give_the_same_bytes(tmp_path: Path) -> None:
    other = tmp_path / "a folder" / "elsewhere"
    ignored = shutil.ignore_patterns("adapters", "recorder", "results", "__pycache__", "target")
    shutil.copytree(SUITE, other / "vectors", ignore=ignored, copy_function=shutil.copyfile)
    listing = Path("src", "roomver", "readers", "archive.py")
    (other / listing).parent.mkdir(parents=True)
    shutil.copyfile(ROOT / listing, other / listing)
    (other / "vectors" / "results").mkdir()
    shutil.copyfile(SUITE / "results" / "report.json", other / "vectors" / "results" / "report.json")
    for folder, out, seed, zone, umask in (
        (ROOT, tmp_path / "one", "0", "UTC", 0o022),
        (other, tmp_path / "two", "1", "Asia/Kathmandu", 0o077),
    ):
        subprocess.run(
            [sys.executable, "-W", "error", "-m", "vectors.generate", "--archive", str(out)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder), "PYTHONHASHSEED": seed, "TZ": zone},
            umask=umask,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    names = {f"{NAME}{suffix}" for suffix in (".tar.gz", ".zip", ".sha256")}
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / side).iterdir()} for side in ("one", "two")
    )
    assert one.keys() == names
    assert one == two
    sums = dict(line.split()[::-1] for line in one[f"{NAME}.sha256"].decode().splitlines())
    assert sums == {n: hashlib.sha256(one[n]).hexdigest() for n in names if not n.endswith(".sha256")}


def test_an_unpacked_release_can_be_run(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_gz(files()))) as archive:
        archive.extractall(tmp_path, filter="data")
    done = run("vectors", "run", "--operation", "redact", "--room-version", "11", str(tmp_path / NAME))
    assert done.exit_code == 0, done.output


def test_the_archives_are_written_to_a_new_folder(tmp_path: Path) -> None:
    small = tmp_path / "vectors"
    (small / "base").mkdir(parents=True)
    (small / "results").mkdir()
    (small / "results" / "report.json").write_text("{}")
    (small / "base" / "x.json").write_text('{"format": "roomver-vectors/2", "title": "X", "cases": []}')
    written = write_archives(small, tmp_path / "new" / "folder")
    assert [path.name for path in written] == [f"{NAME}.tar.gz", f"{NAME}.zip", f"{NAME}.sha256"]


# The longest line


def test_every_request_is_shorter_than_one_mebibyte_and_the_documents_say_so() -> None:
    longest = max(
        len(
            to_line(
                {
                    "id": 10**9,
                    "operation": case.operation,
                    "room_version": case.room_version,
                    "input": case.input,
                }
            )
        )
        for case in load_suite(optional=True)
    )
    assert longest == listed()["longest_request"] < 2**20
    text = " ".join((SUITE / "FORMAT.md").read_text(encoding="utf-8").split())
    assert f"the longest request of this release has {longest:,} bytes" in text
    assert "shorter than 1 MiB" in text


# The recipe of the README


def recipe(name: str) -> str:
    text = (SUITE / "README.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"<!-- recipe: {name} -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert isinstance(found, str)
    return found


def test_nothing_is_installed_by_a_name_that_the_project_does_not_own() -> None:
    """Whoever registers the name in an index would run code in the CI of readers."""
    text = (SUITE / "README.md").read_text(encoding="utf-8")
    installs = re.findall(r"\b(?:pip|pipx|uv|uvx)\b[^`\n]*?(?:install|run|--spec|--from)\b([^`\n]*)", text)
    assert len(installs) >= 3
    for what in installs:
        assert re.search(r"@ git\+https://\S+@\$COMMIT\b| '\.\[cli\]'", what), what
    assert "Nothing is released yet" in text.partition("## In your CI")[0]


@pytest.mark.slow
@pytest.mark.skipif(
    not all(map(shutil.which, ("sh", "curl", "sha256sum", "tar"))), reason="needs sh, curl, sha256sum and tar"
)
def test_the_recipe_takes_a_release_and_keeps_a_list_of_known_failures(tmp_path: Path) -> None:
    archive, _, _ = write_archives(SUITE, tmp_path / "release")
    taken = tmp_path / "project"
    taken.mkdir()
    (taken / "adapter.py").write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    request = json.loads(line)\n"
        "    valid = {'unsupported': True}\n"
        "    if request['operation'] == 'event_format': valid = {'output': {'valid': True}}\n"
        "    print(json.dumps({'id': request['id'], **valid}), flush=True)\n"
    )
    take = recipe("take")
    assert f"VERSION={VERSION}\n" in take

    def shell(script: str, checksum: str) -> int:
        script = re.sub(r"(?m)^URL=.*$", f"URL={archive.as_uri()}", script)
        script = re.sub(r"(?m)^SHA256=.*$", f"SHA256={checksum}", script)
        program = f"{sys.executable} -m roomver vectors run"
        script = script.replace(
            "roomver vectors run", f"{program} --operation event_format --room-version 11"
        )
        env = {**os.environ, "ADAPTER": f"{sys.executable} adapter.py"}
        return subprocess.run(["sh", "-euc", script], cwd=taken, env=env, check=False).returncode

    good = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert shell(take, "0" * 64) != 0, "another file than the one that was pinned"
    assert not (taken / NAME).exists()
    assert shell(take, good) == 0
    assert shell(take + recipe("first"), good) == 0
    listed_failures = (taken / "known-failures.txt").read_text().splitlines()
    assert len(listed_failures) > 10
    assert shell(take + recipe("run"), good) == 0
    assert (taken / "vectors.xml").exists()
    (taken / "known-failures.txt").write_text("".join(f"{name}\n" for name in listed_failures[1:]))
    assert shell(take + recipe("run"), good) == 1, "a new failure"


def test_the_examples_of_an_archive_are_whole() -> None:
    every = {name for name in files() if name.startswith("examples/")}
    for path in (SUITE / "examples").rglob("*"):
        name = path.relative_to(SUITE)
        if path.is_file() and not {"target", "node_modules"} & set(name.parts):
            assert name.as_posix() in every
    assert json.loads(files()["examples/javascript/package.json"]) == {"type": "commonjs"}


def unpack(folder: Path) -> Path:
    """Write the files of a release to a folder with its name, in the folder of a project."""
    for name, content in files().items():
        file = folder / NAME / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def copy_example(language: str, project: Path) -> None:
    env = {**os.environ, "VERSION": VERSION}
    subprocess.run(["sh", "-euc", recipe(language)], cwd=project, env=env, check=True)


@pytest.mark.skipif(not all(map(shutil.which, ("sh", "node"))), reason="needs sh and node")
def test_the_example_in_javascript_runs_in_a_project_of_es_modules(tmp_path: Path) -> None:
    project = unpack(tmp_path)
    (project / "package.json").write_text('{"type": "module"}')
    copy_example("javascript", project)
    text = (SUITE / "README.md").read_text(encoding="utf-8")
    (adapter,) = re.findall(r"\| JavaScript \| nothing \| `node (\S+)` \|", text)
    request = {"id": 1, "operation": "canonical_json", "room_version": "11", "input": {"json": "[ 1 ]"}}
    line = json.dumps(request).encode()
    done = subprocess.run(["node", adapter], input=line, cwd=project, capture_output=True, check=True)
    assert json.loads(done.stdout) == {"id": 1, "output": {"canonical": "[1]"}}


@pytest.mark.slow
@pytest.mark.skipif(not all(map(shutil.which, ("sh", "go"))), reason="needs sh and go")
def test_the_example_in_go_builds_in_another_module(tmp_path: Path) -> None:
    project = unpack(tmp_path)
    (project / "go.mod").write_text("module example.org/mine\n\ngo 1.21\n")
    copy_example("go", project)
    build = ["go", "build", "-o", "adapter", "./internal/vectors"]
    subprocess.run(build, cwd=project, check=True)
    assert (project / "adapter").exists()


@pytest.mark.slow
@pytest.mark.skipif(not all(map(shutil.which, ("sh", "cargo"))), reason="needs sh and cargo")
def test_the_example_in_rust_builds_in_another_package(tmp_path: Path) -> None:
    project = unpack(tmp_path)
    (project / "src").mkdir()
    (project / "src" / "lib.rs").touch()
    (project / "Cargo.toml").write_text('[package]\nname = "mine"\nversion = "0.1.0"\nedition = "2021"\n')
    script = recipe("rust") + "cargo build --release --example vectors\n"
    env = {**os.environ, "VERSION": VERSION}
    done = subprocess.run(["sh", "-euc", script], cwd=project, env=env, capture_output=True, check=False)
    if done.returncode and "CI" not in os.environ:
        pytest.skip(f"no network, or an old compiler: {done.stderr.decode(errors='replace')[-500:]}")
    assert done.returncode == 0, done.stderr
    assert (project / "target" / "release" / "examples" / "vectors").exists()


@pytest.mark.skipif(not all(map(shutil.which, ("sh", "node"))), reason="needs sh and node")
def test_the_recipe_for_node_reads_the_files(tmp_path: Path) -> None:
    project = unpack(tmp_path)
    copy_example("javascript", project)  # it stands for the library
    (project / "src").mkdir()
    (project / "src" / "redact.js").write_text(
        'const { canonical, parse } = require("../test/vectors/json.js");\n'
        'const { redact } = require("../test/vectors/events.js");\n'
        "exports.redact = (event, version) =>\n"
        "  JSON.parse(canonical(redact(parse(JSON.stringify(event)), Number(version)), false));\n"
    )
    text = (SUITE / "README.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"<!-- recipe: node -->\n```js\n(.*?)```", text, re.DOTALL)
    file = project / "test" / "vectors.test.mjs"

    def passed(script: str) -> tuple[int, int]:
        file.write_text(script)
        done = subprocess.run(
            ["node", "--test", file], cwd=project, capture_output=True, text=True, check=False
        )
        counts = dict(re.findall(r"^# (pass|fail) (\d+)$", done.stdout, re.MULTILINE))
        return int(counts["pass"]), int(counts["fail"])

    cases = [
        one
        for name, content in files().items()
        if name.endswith(".json") and not name.endswith("_numbers.json") and not name.startswith("custom")
        for one in json.loads(content).get("cases", ())
        if one["operation"] == "redact"
    ]
    assert f"roomver-vectors-{VERSION}" in script
    assert passed(script) == (len(cases), 0)
    wrong = script.replace("redact(input.event, version)", "input.event")
    assert passed(wrong)[1] > 100
