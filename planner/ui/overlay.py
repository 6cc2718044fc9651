"""Changed assumptions as the files of a catalogue of one's own."""

from __future__ import annotations

import io
import zipfile

import yaml

import planner as wp
from planner.ui.links import Changes


def archive(changes: Changes) -> bytes:
    """Return a ZIP of files, one a provider, to be unpacked into the folder that lies over the catalogue."""
    facts = wp.catalogue().changed(changes)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, rows in sorted(changes.items()):
            priors = {one: facts.provider(name).priors[one].model_dump(mode="json") for one in rows}
            kept = {one: {key: value for key, value in row.items() if value != ""} for one, row in priors.items()}
            text = yaml.safe_dump({"priors": kept}, sort_keys=False, allow_unicode=True)
            # the same changes give the same bytes
            packed.writestr(zipfile.ZipInfo(f"providers/{name}.yaml", (2000, 1, 1, 0, 0, 0)), text)
    return out.getvalue()
