"""One HTML file with everything in it: opened from disk it needs no server, no network and no other file.

A strict content policy names every script and style by its hash, so nothing else in the page can run. The data is
compressed and written in base64, in which no name can close a tag.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import importlib.util
import json
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from mgsweep.errors import InvalidInput

# In the order in which they need each other.
SCRIPTS = (
    "data",
    "pareto",
    "state",
    "theme",
    "filters",
    "pictures",
    "details",
    "view",
    "plane",
    "fronts",
    "courses",
    "importance",
    "importances",
    "table",
    "parallel",
    "sections",
    "main",
)

POLICY = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; base-uri 'none'; form-action 'none'"
)


LAZY = "pictures"
"""The part of the content that the page unpacks when it is first looked at."""


def page(content: Mapping[str, Any]) -> bytes:
    """The page that shows `content`.

    Raises:
        InvalidInput: plotly is not installed.
    """
    scripts = [plotly(), *(_asset(f"{name}.js") for name in SCRIPTS)]
    style = _asset("page.css")
    parts = {
        "policy": POLICY.format(scripts=_hashes(scripts), styles=_hashes([style, "", *_stylesheets_of(scripts[0])])),
        "title": html.escape(str(content["sweep"])),
        "style": style,
        "data": packed({key: value for key, value in content.items() if key != LAZY}),
        LAZY: packed(content[LAZY]),
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
    }
    # In one go: what was filled in is not looked at again.
    filled = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _asset("page.html"))
    return filled.encode()


def packed(content: Mapping[str, Any]) -> str:
    """JSON, gzip, base64. The same content gives the same text."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()


def unpacked(text: str) -> Any:
    """What `packed` was given."""
    return json.loads(gzip.decompress(base64.b64decode(text)))


def plotly() -> str:
    """The library that draws, from the Python package of its name (which is not imported: 0.5 s)."""
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise InvalidInput.of("the report draws with plotly; install it: pip install 'mgsweep[report]'", key="plotly")
    return _inline(Path(found.origin).with_name("package_data").joinpath("plotly.min.js").read_text(encoding="utf-8"))


def _asset(name: str) -> str:
    return _inline(files("analysis.report").joinpath("page", name).read_text(encoding="utf-8"))


def _inline(text: str) -> str:
    """As a browser reads it: its hash is taken over these bytes."""
    return text.replace("\r\n", "\n")


def _stylesheets_of(script: str) -> Iterable[str]:
    """Stylesheets that a script holds and adds to the page by itself: plotly does so for its maps."""
    return re.findall(r"\.textContent='((?:[^'\\]|\\.)*)'", script)


def _hashes(texts: Iterable[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)
