"""The pictures of the README and the documentation are those that the product draws today."""

from __future__ import annotations

import re
from pathlib import Path

from tools import draw_pictures

ROOT = Path(__file__).resolve().parent.parent


def test_the_saved_pictures_are_what_is_drawn_now() -> None:
    assert draw_pictures.main(["--check"]) == 0


def test_a_picture_that_is_not_what_is_drawn_now_is_told(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(draw_pictures, "PICTURES", tmp_path / "pictures")
    assert draw_pictures.main([]) == 0
    (tmp_path / "pictures" / "graph.svg").write_text("<svg/>")

    assert draw_pictures.main(["--check"]) == 1
    assert capsys.readouterr().err == "docs/pictures/graph.svg is not what is drawn now: run tools/draw_pictures.py\n"


def test_every_page_shows_pictures_that_are_there() -> None:
    shown = {
        (page.name, target): (page.parent / target).exists()
        for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+\.svg)\)", page.read_text(encoding="utf-8"))
    }

    assert {page for page, _ in shown} >= {"README.md", "index.md", "pictures.md"}
    assert all(shown.values()), shown
