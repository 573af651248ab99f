"""docs/access.md shows the permission table as it is."""

from pathlib import Path

import pytest

from branch.access.roles import table_text

DOCUMENT = Path(__file__).parents[3] / "docs/access.md"
BEGINS, ENDS = "prints it anew -->\n\n", "\n<!-- end of the table -->"


def test_the_table_is_printed_in_the_document(request: pytest.FixtureRequest) -> None:
    text = DOCUMENT.read_text("utf-8")
    before, rest = text.split(BEGINS)
    shown, after = rest.split(ENDS)
    if request.config.getoption("--rewrite-golden"):
        DOCUMENT.write_text(f"{before}{BEGINS}{table_text()}{ENDS}{after}", "utf-8")
        return
    assert shown == table_text(), "`make golden` prints it"
