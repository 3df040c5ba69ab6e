"""The OpenAPI description matches the server: schemathesis sends everything that the description allows, and more."""

import subprocess
import sys

import pytest

CONFIG = """
[checks]
# A body of the right form may still be no picture, or have the shape of another network: that is told with 4xx.
positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404, 413, 422, 429]
"""


@pytest.mark.long
def test_schemathesis_finds_nothing(own_address, tmp_path):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    found = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run"),
            *(f"{own_address}/openapi.json", "--max-examples", "30", "--seed", "1", "--no-color"),
            *("--exclude-path-regex", "events$"),  # an endless response
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-5000:] + found.stderr[-2000:]
    assert "Tested: 26" in found.stdout, found.stdout[-2000:]
