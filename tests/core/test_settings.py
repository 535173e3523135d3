from typing import Annotated

import pytest
from annotated_types import Gt

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import read, settings


@settings
class Inner:
    rate: Annotated[float, Gt(0)]


@settings
class Outer:
    name: str
    inner: Inner
    size: int = 3
    sides: dict[str, list[Inner]] | None = None


def _write(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return path


def test_reads_nested_sections_and_defaults(tmp_path):
    path = _write(tmp_path, "a: {b: {name: x, inner: {rate: 2}}}")
    assert read("a.b", Outer, path) == Outer(name="x", inner=Inner(rate=2.0), size=3)


@pytest.mark.parametrize(
    ("text", "field", "rule"),
    [
        ("s: {name: x, inner: {rate: -1}}", "s.inner.rate", "greater than 0"),
        ("s: {name: x, inner: {rate: 1}, sise: 2}", "s.sise", "Unexpected"),
        ("s: {name: x, inner: {rate: 1}, sise: 2}", "s.sise", "did you mean 'size'?"),
        ("s: {name: x, inner: {rate: 1, rat: 2}}", "s.inner.rat", "did you mean 'rate'?"),
        ("s: {name: x, inner: {rate: 1}, sides: {a: [{rate: 1, reat: 1}]}}", "s.sides.a.0.reat", "mean 'rate'?"),
        ("s: {inner: {rate: 1}}", "s.name", "required"),
        ("s: {name: x, inner: {rate: 1}, size: many}", "s.size", "valid integer"),
        ("t: {}", "s", "no such section"),
        ("ss: {}", "s: there is no such section", "did you mean 'ss'?"),
        ("s: {name: x, inner: {rate: .inf}}", "s.inner.rate", "finite number"),
        ("s: {name: x, inner: {rate: .nan}}", "s.inner.rate", "finite number"),
        ("t: {}\ns: {name: x, inner: {rate: 1}}\ns: {name: y}", "s", "is there twice, in lines 2 and 3"),
        ("s: {name: x, inner: {rate: 1, rate: 2}}", "s.inner.rate", "is there twice, in lines 1 and 1"),
        ("s: {sides: {a: [{rate: 1, rate: 2}]}}", "s.sides.a.0.rate", "is there twice"),
        ("s: [", "not valid YAML", ""),
    ],
)
def test_an_error_names_file_field_and_rule(tmp_path, text, field, rule):
    path = _write(tmp_path, text)
    with pytest.raises(InputError) as error:
        read("s", Outer, path)
    message = str(error.value)
    assert str(path) in message
    assert field in message
    assert rule.lower() in message.lower()


def test_a_merged_key_may_be_given_anew(tmp_path):
    path = _write(tmp_path, "t: &t {name: x, inner: {rate: 1}}\ns: {<<: *t, name: y}")
    for _ in range(2):  # the text is parsed once
        assert read("s", Outer, path) == Outer(name="y", inner=Inner(rate=1.0))
