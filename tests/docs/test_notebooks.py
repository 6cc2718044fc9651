"""The notebooks run as they stand, and keep what they printed."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
SECONDS_A_CELL = 180
MOST_BYTES = 1_500_000

# what the kernel's own machinery has to say about ports and event loops is not the notebook's doing
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def read(name: str) -> Any:
    return nbformat.read(FOLDER / name, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell: Any) -> set[str]:
    """What a cell shows: its streams, and the kinds of its data."""
    shown = {output.name for output in cell.outputs if output.output_type == "stream"}
    return shown.union(*(output.data for output in cell.outputs if "data" in output))


def test_there_are_five() -> None:
    assert NOTEBOOKS == [
        "01_first_plan.ipynb",
        "02_how_the_model_works.ipynb",
        "03_choosing_retry_intervals.ipynb",
        "04_anatomy_of_a_421.ipynb",
        "05_learning_from_your_logs.ipynb",
    ]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_outputs_are_kept(name: str) -> None:
    assert (FOLDER / name).stat().st_size < MOST_BYTES
    notebook = read(name)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not {"stderr", "text/latex"} & kinds(cell), cell.source
        assert all(output.output_type != "error" for output in cell.outputs)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_reads_as_an_article(name: str) -> None:
    cells = read(name).cells
    assert cells[0].cell_type == "markdown"
    words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == "markdown")
    assert words > 400


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_and_shows_the_same_kinds(name: str) -> None:
    kept, notebook = read(name), read(name)
    before = sorted(path.name for path in FOLDER.iterdir())
    NotebookClient(
        notebook, timeout=SECONDS_A_CELL, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    assert [kinds(cell) for cell in code_cells(notebook)] == [kinds(cell) for cell in code_cells(kept)]
    assert sorted(path.name for path in FOLDER.iterdir()) == before
