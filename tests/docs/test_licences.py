"""Every package that is installed has a licence that is known, and none that the project could not be used with."""

import re
from pathlib import Path

import pytest
from licences import kind_of, licences, licences_page

TOOLS = {"codespell", "python-debian", "pygit2"}
"""Under the GPL: two that are run and not built upon, and one with an exception for linking."""


def test_every_package_has_a_known_licence_and_few_the_gpl():
    groups = licences()
    assert groups["unknown"] == []
    assert {package for package, _ in groups["GPL"]} <= TOOLS
    listed = {package for group in groups.values() for package, _ in group}
    locked = set(re.findall(r"^([a-z0-9._-]+)==", Path("requirements.lock").read_text(), re.MULTILINE))
    assert len(listed) > 0.95 * len(locked)


def test_the_page_lists_each_once_with_what_it_obliges_to():
    page = licences_page()
    tables = page.partition("\n## ")[2].replace("| package | licence |", "")
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (.+) \|$", tables, re.MULTILINE)
    rows = [row for row in rows if set(row[0]) != {"-"}]
    assert len(rows) == len({package for package, _ in rows}) > 300
    assert "NVIDIA's agreement" in page
    assert dict(rows)["torch"].startswith("Apache-2.0")


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("MIT", "permissive"),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", "weak copyleft"),
        ("Apache-2.0 OR GPL-2.0-or-later", "permissive"),
        ("GPLv2 | EPLv1", "weak copyleft"),
        ("LGPL-3.0-only", "weak copyleft"),
        ("GPL-2.0-only", "GPL"),
        ("LicenseRef-NVIDIA-Proprietary", "NVIDIA's"),
        ("BSD-3-Clause AND GPL-3.0-only", "GPL"),
        ("GNU Affero General Public License v3", None),
        ("AGPL-3.0-only", "GPL"),
        ("All rights reserved", None),
    ],
)
def test_a_licence_is_of_the_kind_that_it_obliges_to(statement, kind):
    found = kind_of(statement)
    assert (found.name if found else None) == kind
