"""The pictures of the README and the documentation are those that the product draws today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import draw_pictures

ROOT = Path(__file__).resolve().parent.parent


def test_the_saved_pictures_are_what_is_drawn_now() -> None:
    assert draw_pictures.main(["--check"]) == 0


def test_a_picture_that_is_not_what_is_drawn_now_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--folder", str(tmp_path)]
    assert draw_pictures.main(folder) == 0
    (tmp_path / "graph.svg").write_text("<svg/>")

    assert draw_pictures.main([*folder, "--check"]) == 1
    assert capsys.readouterr().err == f"{tmp_path / 'graph.svg'} is not what is drawn now: run tools/draw_pictures.py\n"


def test_every_page_shows_pictures_that_are_there() -> None:
    shown = {
        (page.name, target): (page.parent / target).exists()
        for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+\.svg)\)", page.read_text(encoding="utf-8"))
    }

    assert {page for page, _ in shown} >= {"README.md", "index.md", "pictures.md"}
    assert all(shown.values()), shown
