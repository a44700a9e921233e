"""Build notebooks/NN-name.ipynb from notebooks/src/NN-name.py, and save it with its outputs.

    python tools/build_notebooks.py [PREFIX …]     # all, or those whose name starts so
    python tools/build_notebooks.py --check        # run nothing: are the saved cells those of the source?

The source is the notebook in jupytext's percent format: what people edit and review. What is saved beside its outputs
holds nothing that differs between two good builds by itself: cell ids come from the cells' text, timings, widget state
and versions are left out. So a diff of a built notebook shows what changed for its reader.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
CELL_TIMEOUT_S = 120

# A widget lives in a kernel; a saved reference to one shows an error. Its text and HTML forms stay.
LIVE_MIME_TYPES = ("application/vnd.jupyter.widget-view+json",)


def target_of(source: Path) -> Path:
    return NOTEBOOKS / f"{source.stem}.ipynb"


def read_source(source: Path) -> NotebookNode:
    """The notebook without outputs, with the metadata that every build gives it."""
    import jupytext  # noqa: PLC0415  it takes half a second, also where the saved notebooks are only asked about

    notebook: NotebookNode = jupytext.read(source, fmt="py:percent")
    notebook.metadata = NotebookNode(
        kernelspec=NotebookNode(name="python3", display_name="Python 3 (ipykernel)", language="python"),
        language_info=NotebookNode(name="python"),
    )
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        # Equal cells are told apart by their order; an inserted cell leaves the ids of all others alone.
        seen[cell.source] += 1
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note to itself
        cell.id = hashlib.sha256(f"{seen[cell.source]}:{cell.source}".encode()).hexdigest()[:8]
    return notebook


def run(notebook: NotebookNode) -> None:
    """Execute in a new kernel of this environment, in the notebooks' folder. A cell that raises ends the build."""
    NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    ).execute()
    notebook.metadata.language_info = NotebookNode(name="python")  # the kernel added its version
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for mime_type in LIVE_MIME_TYPES:
                output.get("data", {}).pop(mime_type, None)
        if "outputs" in cell:  # without those of which nothing is left: a view, behind its still picture
            cell.outputs = [one for one in cell.outputs if "data" not in one or any(one["data"].values())]


def build(source: Path) -> None:
    notebook = read_source(source)
    run(notebook)
    nbformat.validate(notebook)
    nbformat.write(notebook, target_of(source))


def difference(source: Path) -> str | None:
    """What the saved notebook has otherwise than its source, in one line, or None."""
    target = target_of(source)
    if not target.exists():
        return f"{target.name} is not built"
    saved, wanted = nbformat.read(target, as_version=4).cells, read_source(source).cells
    for number, (old, new) in enumerate(zip(saved, wanted, strict=False), 1):
        if (old.cell_type, old.source, old.id) != (new.cell_type, new.source, new.id):
            return f"{target.name}: cell {number} is not that of {source.name}: {new.source.partition(chr(10))[0]!r}"
        if old.metadata.get("tags", []) != new.metadata.get("tags", []):
            return f"{target.name}: cell {number} has other tags than in {source.name}"
    if len(saved) != len(wanted):
        return f"{target.name} has {len(saved)} cells, {source.name} has {len(wanted)}"
    unrun = [n for n, cell in enumerate(saved, 1) if cell.cell_type == "code" and cell.execution_count is None]
    if unrun:  # nbval compares nothing in a cell that never ran: the notebook would pass whatever it does
        return f"{target.name}: cell {unrun[0]} was saved without having run"
    return None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the notebooks from notebooks/src.")
    parser.add_argument("prefixes", nargs="*", metavar="PREFIX", help="only sources whose name starts so, e.g. 01")
    parser.add_argument("--check", action="store_true", help="run nothing; compare saved cells with their sources")
    options = parser.parse_args(arguments)

    prefixes = tuple(options.prefixes) or ("",)
    sources = [source for source in sorted((NOTEBOOKS / "src").glob("*.py")) if source.name.startswith(prefixes)]
    if not sources:
        print(f"no source in {NOTEBOOKS / 'src'} starts with {', '.join(prefixes)!r}", file=sys.stderr)
        return 2

    if not options.check:
        for source in sources:
            print(f"building {target_of(source).name}")
            build(source)
        return 0

    differences = [line for line in map(difference, sources) if line]
    if not options.prefixes:
        orphans = {path.stem for path in NOTEBOOKS.glob("*.ipynb")} - {source.stem for source in sources}
        differences += [f"{stem}.ipynb has no source in notebooks/src" for stem in sorted(orphans)]
    for line in differences:
        print(f"{line}: run tools/build_notebooks.py", file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
