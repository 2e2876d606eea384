"""Refresh static/vendor from the npm registry: `make vendor` (needs `npm`, used only to fetch).

Each package is pinned by version and by the SHA-512 of its archive. To update one, change both here, run this, look at
the pages, and commit what changed.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"

PACKAGES = {
    "bootstrap@5.3.9": "20cU0rcfw8WdxtVbmfU+xT2EjvVTw9Ror/h1Qvd7DXCujRg8OO9mdBCsmTHdJFf3BuadmBNJtgIuUXsBqSkk/w==",
    "@fontsource-variable/inter@5.3.0": (
        "OupL48va4JNofb97w6NYeF9S7W/kHNKM0Er8Dem5nqi4jeOLrVJDoE8tZEpnMJmtkvNbB1EIPPwHcdkF6b1oUA=="
    ),
    "htmx.org@2.0.10": "kdeJe7ZVwaS6QMz/ebBIVtZdpwen6L0OQ5GOhPV9MKBb196TCZeZu4yA7ZIQsaLKv7EpXz+So7KSXNuHXhj7Cw==",
    "@tabler/icons@3.51.0": "0pinvPZz7YeX+OSfxuEAbnEPWbocVXW5iU8h5lh41pYG8sZuQfpWECC980lxOT0clGIcNGn8xsBr+zKaRGdA/g==",
}

# Tabler's names; "-filled" marks the filled variant. Add a name here, run this, and {% icon "name" %} knows it.
ICONS = """
activity adjustments-horizontal alert-octagon alert-triangle alert-triangle-filled archive arrow-down arrow-up ban
bolt bookmark calendar calendar-event check chevron-down chevron-left chevron-right circle-check circle-check-filled
circle-dashed circle-dotted circle-minus clock clock-exclamation clock-x cloud-off code code-off columns-3 copy
database device-desktop dots download equal external-link eye file-code filter flag gauge hand-stop hash help-circle
history hourglass inbox info-circle key link list-details list-tree lock logout menu-2 message minus moon pencil
player-play player-play-filled plug-connected plus printer refresh reload rocket search selector send server
server-off settings square square-x square-x-filled stack-2 star star-filled sun table target user user-plus user-x
users x
"""

# The load line: our own mark, a circle crossed by a line.
MARK = (
    '<symbol id="load-line" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.25">'
    '<circle cx="12" cy="12" r="7.25"/><path d="M1.5 12h21"/></symbol>'
)


def fetch(package: str, sha512: str, into: Path) -> Path:
    """Download and unpack one pinned package; returns its directory. Ends the program when the archive differs."""
    packed = subprocess.run(
        ["npm", "pack", package, "--silent", "--pack-destination", str(into)],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    )
    archive = into / packed.stdout.strip().splitlines()[-1]
    if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != sha512:
        sys.exit(f"{package}: the archive is not the pinned one. Nothing was changed.")
    folder = into / archive.stem
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "package"


def symbol(folder: Path, name: str) -> str:
    """One icon as a sprite symbol. Stroke width is left to the style sheet."""
    filled = name.endswith("-filled")
    path = folder / "icons" / ("filled" if filled else "outline") / f"{name.removesuffix('-filled')}.svg"
    if not path.exists():
        sys.exit(f"Tabler has no icon {name!r}. Nothing was changed.")
    inner = re.sub(r"^.*?<svg.*?>|</svg>\s*$", "", path.read_text(), flags=re.DOTALL)
    inner = re.sub(r'<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>', "", inner)
    inner = re.sub(r"\s*\n\s*", "", inner).replace(" />", "/>")
    paint = 'fill="currentColor"' if filled else 'fill="none" stroke="currentColor"'
    ends = 'stroke-linecap="round" stroke-linejoin="round"'
    return f'<symbol id="{name}" viewBox="0 0 24 24" {paint} {ends}>{inner}</symbol>'


def main() -> None:
    if shutil.which("npm") is None:
        sys.exit("make vendor fetches from the npm registry and needs npm, which is not here. Nothing was changed.")
    with tempfile.TemporaryDirectory() as scratch:
        folders = [fetch(package, sha512, Path(scratch)) for package, sha512 in PACKAGES.items()]
        bootstrap, inter, htmx, tabler = folders
        symbols = [symbol(tabler, name) for name in sorted(set(ICONS.split()))]
        css = (bootstrap / "dist/css/bootstrap.min.css").read_text()
        VENDOR.mkdir(parents=True, exist_ok=True)
        # The source map is not shipped, and hashed static files refuse a link to a file that is not there.
        (VENDOR / "bootstrap.min.css").write_text(re.sub(r"/\*# sourceMappingURL=.*?\*/\s*", "", css))
        for part in ("latin", "latin-ext"):
            font = f"inter-{part}-wght-normal.woff2"
            (VENDOR / font).write_bytes((inter / "files" / font).read_bytes())
        (VENDOR / "htmx.min.js").write_bytes((htmx / "dist/htmx.min.js").read_bytes())
        sprite = '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join([MARK, *symbols]) + "\n</svg>\n"
        (VENDOR / "sprite.svg").write_text(sprite)
        for name, folder in zip(("bootstrap", "inter", "htmx", "tabler-icons"), folders, strict=True):
            (VENDOR / "licences").mkdir(exist_ok=True)
            (VENDOR / "licences" / f"{name}.txt").write_text((folder / "LICENSE").read_text())
    sys.stdout.write(f"static/vendor is fresh: {len(symbols)} icons.\n")


if __name__ == "__main__":
    main()
