"""How pandas shows tables does not depend on who imports it first."""

import subprocess
import sys

import pytest

IN_A_KERNEL = """
from IPython.core.interactiveshell import InteractiveShell

InteractiveShell.instance().kernel = object()  # by which pandas knows a kernel
"""
BETWEEN_CELLS = "from simpleflow_lab.data.pandas_library import pd"
IN_A_CELL = "from IPython import get_ipython; get_ipython().run_cell('import pandas as pd'); import pandas as pd"


@pytest.mark.parametrize(
    ("before", "imported", "columns"),
    [("", BETWEEN_CELLS, "0"), (IN_A_KERNEL, IN_A_CELL, "20"), (IN_A_KERNEL, BETWEEN_CELLS, "20")],
    ids=["shell", "cell", "between cells"],
)
def test_it_shows_as_many_columns_as_when_a_cell_imports_it(tmp_path, monkeypatch, before, imported, columns):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    program = f"{before}\n{imported}\nprint(pd.get_option('display.max_columns'))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=200, check=True)
    assert run.stdout.split()[-1] == columns
