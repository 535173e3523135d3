"""Profiles: a paper's settings, whole, with the reason for each field that stands at its default or is left alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROFILES = Path(__file__).with_name("profiles")

ANY = "*"
"""Part of a name that stands for every entry of a section whose entries the user names."""


@dataclass(frozen=True)
class Profile:
    """What a profile's file says.

    Attributes:
        settings: values by section, which are put in place; sections whose entries the user names are replaced whole.
        where_missing: entries by section, which are put in place where there are none of that name.
        defaults: names of fields or sections that are put back to their default -> why.
        kept: names of fields or sections that stay as they are -> why.
    """

    settings: dict[str, Any]
    where_missing: dict[str, dict[str, Any]]
    defaults: dict[str, str]
    kept: dict[str, str]

    def sets(self, name: str) -> bool:
        """Tell whether a field, by its dotted name, is among the settings."""
        value: object = self.settings
        for part in name.split("."):
            if not isinstance(value, Mapping):
                return True
            if part not in value:
                return False
            value = value[part]
        return True

    def reasons(self, name: str) -> list[str]:
        """Return the names in the lists of reasons that a field, by its dotted name, stands under."""
        return [listed for listed in (*self.defaults, *self.kept) if _is_under(name, listed)]

    def fields(self) -> Iterator[str]:
        """Yield the dotted names of the fields of all sections; where there are entries, those of the profile's own."""
        from eegdiffusion.operations.configuration.sections import entry_type, leaf_names, section_names, section_type

        for section in section_names():
            kind = section_type(section)
            entry = entry_type(kind)
            if entry is None:
                yield from leaf_names(kind, f"{section}.")
            elif not self.settings.get(section):
                yield section
            else:
                for name in self.settings[section]:
                    yield from leaf_names(entry, f"{section}.{name}.")

    def put(self, document: dict) -> None:
        """Change a parsed ``params.yaml`` to the profile.

        Raises:
            InputError: the profile names a field that there is not.
        """
        from eegdiffusion.commands.params import update

        for name in self.defaults:
            _take_out(document, name.split("."))
        update(document, self.settings)
        for section, entries in self.where_missing.items():
            document[section] = entries | document.get(section, {})


def _is_under(name: str, listed: str) -> bool:
    parts, wanted = name.split("."), listed.split(".")
    return len(parts) >= len(wanted) and all(w in (ANY, p) for p, w in zip(parts, wanted, strict=False))


def _take_out(document: dict, parts: list[str]) -> None:
    """Take a field out, so that it stands at its default; a section stays, empty."""
    *parents, field = parts
    if not parents:
        document[field] = {}
        return
    for part in parents:
        if not isinstance(document.get(part), dict):
            return
        document = document[part]
    document.pop(field, None)


def profiles() -> list[str]:
    """Return the names of the profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def read_profile(name: str) -> Profile:
    """Read a profile by its name."""
    import yaml

    return Profile(**yaml.safe_load((PROFILES / f"{name}.yaml").read_text()))
