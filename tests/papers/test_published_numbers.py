"""Published numbers stay as they were read from the paper: a changed digit anywhere fails here."""

from pathlib import Path

import pytest
import yaml

import reprise.papers as papers
from reprise.files import sha256_json
from reprise.report.reported import Reported

# printed once when the numbers were read and compared with the paper, digit by digit
FINGERPRINTS = {
    "irmas": "1e21b27c21e4426ec6cceba80ef3740d04f367c1845e1bb9f634710c5c907195",
    "sawsing": "b9eb57c77f8f9d6162b2e5b1bb0c66677f22e7fbda4545a765cc8e458e45b631",
    "singing_technique": "266667e80d3f3462754716e23183c003fc5943bc5b2a836f1917e46679f74c02",
    "tune": "2a9eb57dc233637597c4aa7c60cd52ced893ebf0fec7174cb43069d698362010",
}
PINNED = ("value", "tolerance", "at_least", "at_most", "paper_difference", "paper_value", "margin")


def numbers(slug: str) -> dict:
    content = yaml.safe_load((Path(papers.__file__).parent / slug / "reported.yaml").read_text(encoding="utf-8"))
    claims = {claim["id"]: {key: claim[key] for key in PINNED if key in claim} for claim in content["claims"]}
    return {"tables": content["tables"], "figures": content["figures"], "claims": claims}


@pytest.mark.parametrize("slug", FINGERPRINTS)
def test_no_published_number_has_changed(slug):
    assert sha256_json(plain(numbers(slug))) == FINGERPRINTS[slug], (
        "a published number, label or tolerance differs from what was checked against the paper; if the paper says "
        "so, put the new fingerprint here"
    )


def plain(value):
    """Keys as text, because YAML reads some as numbers."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def leaves(value, path=()):
    """Places of all numbers in nested mappings and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(item, int | float) and not isinstance(item, bool):
            yield (*path, key)
        yield from leaves(item, (*path, key))


@pytest.mark.parametrize("slug", FINGERPRINTS)
def test_a_changed_digit_changes_the_fingerprint(slug):
    places = list(leaves(numbers(slug)))
    for place in places[:: max(1, len(places) // 25)]:
        content = numbers(slug)
        *parents, last = place
        part = content
        for key in parents:
            part = part[key]
        part[last] += 0.001
        assert sha256_json(plain(content)) != FINGERPRINTS[slug], place


def test_late_of_table_2_is_the_crt_wfc_row_of_table_3():
    # the paper prints these five numbers twice
    reported = Reported.load(Path(papers.__file__).parent / "singing_technique" / "reported.yaml")
    tables = reported.tables
    assert tables["table_2"].rows["late"].values == tables["table_3"].rows["crt_wfc@0.2"].values


def test_every_paper_is_pinned():
    folders = {path.parent.name for path in Path(papers.__file__).parent.glob("*/reported.yaml")}
    assert folders == set(FINGERPRINTS)
