"""Write the rooms, the pictures and the made parts of the pages in this folder: `python -m docs.how`.

`python tests/test_readme.py` writes the outputs of commands.
"""

from pathlib import Path

from . import drawings, parts, small_rooms


def main() -> None:
    """Write everything, and remove what nothing makes any more."""
    written = dict(small_rooms.recordings())
    _write(written)
    # The pictures and the parts read the rooms from their files.
    drawn = {drawings.path_of(name): draw() for name, draw in drawings.PICTURES.items()}
    _write(drawn)
    _write({page: parts.remade(page.read_text(encoding="utf-8")) for page in parts.pages()})
    for folder, known in ((small_rooms.FOLDER, written), (drawings.FOLDER, drawn)):
        for path in folder.iterdir():
            if path not in known:
                path.unlink()


def _write(texts: dict[Path, str]) -> None:
    for path, text in texts.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
