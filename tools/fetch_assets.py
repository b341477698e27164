"""Fetch the browser libraries that the built book serves from its own folder.

Pages of a Sphinx book load MathJax, require.js and the Jupyter widget manager from content
delivery networks that many readers of a Chinese book cannot reach. The build therefore serves them
itself. They are third-party files, so the repository does not hold them: this script takes pinned
versions from the npm registry, compares them with the recorded hashes, and unpacks the few files
that the pages need into an ignored cache folder.

Run it as ``python tools/fetch_assets.py``; the build of the book runs it too. Nothing is fetched
twice.
"""

from __future__ import annotations

import argparse
import base64
import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "web-assets"
"""Where the files are kept; the build adds this folder to the static files of the book."""

PUBLIC_REGISTRY = "https://registry.npmjs.org"


class AssetError(RuntimeError):
    """The browser libraries could not be had; the message says what failed and what would do."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """One npm package: the pinned version, its hash, and the files we take from it."""

    name: str
    version: str
    integrity: str
    """``sha512-`` and the base64 digest of the archive, as lock files write it."""
    files: tuple[str, ...]
    """Patterns of paths below the archive's ``package/`` folder."""
    strip: str
    """Leading folder that is dropped from the paths."""
    folder: str
    """Name of the folder below ``vendor/`` that receives the files."""

    @property
    def tarball(self) -> str:
        """Path of the archive below the address of a registry."""
        return f"{self.name}/-/{self.name.rsplit('/', 1)[-1]}-{self.version}.tgz"


PACKAGES = (
    Package(
        name="mathjax",
        version="3.2.2",
        integrity=(
            "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw=="
        ),
        # The TeX input, the HTML output with its fonts, and what MathJax loads on demand: rarer
        # TeX macros and the speech explorer that a reader may switch on.
        files=(
            "LICENSE",
            "es5/tex-chtml.js",
            "es5/output/chtml/fonts/woff-v2/*",
            "es5/input/tex/extensions/*",
            "es5/a11y/*",
            "es5/sre/mathmaps/base.json",
            "es5/sre/mathmaps/en.json",
        ),
        strip="es5/",
        folder="mathjax",
    ),
    Package(
        name="requirejs",
        version="2.3.8",
        integrity=(
            "sha512-7/cTSLOdYkNBNJcDMWf+luFvMriVm7eYxp4BcFCsAX0wF421Vyce5SXP17c+Jd5otXKGNehIonFlyQXSowL6Mw=="
        ),
        files=("require.js", "README.md"),
        strip="",
        folder="requirejs",
    ),
    Package(
        name="@jupyter-widgets/html-manager",
        version="1.0.15",
        integrity=(
            "sha512-5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA=="
        ),
        files=("dist/embed-amd.js", "dist/embed.js.LICENSE.txt", "dist/*.woff2"),
        strip="dist/",
        folder="html-manager",
    ),
)


def check_integrity(archive: bytes, package: Package) -> None:
    """Raise :class:`AssetError` unless ``archive`` has the recorded SHA-512 digest."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode("ascii")
    if found != package.integrity:
        raise AssetError(
            f"{package.name} {package.version}: the archive received has the hash {found}, "
            f"but {package.integrity} was recorded. The file is corrupt or was altered; "
            "nothing was kept. Try again, or use another registry (npm config set registry URL)."
        )


def download(package: Package) -> bytes:
    """Return the archive of ``package``: through npm, else straight from the registry.

    npm comes first because it knows the reader's own mirror and proxy. A machine with Python alone
    uses the same address by hand; ``NPM_CONFIG_REGISTRY``, npm's own variable, names another.
    """
    reasons = []
    npm = shutil.which("npm")
    if npm:
        with tempfile.TemporaryDirectory() as folder:
            command = [npm, "pack", "--silent", f"{package.name}@{package.version}"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            archives = list(Path(folder).glob("*.tgz"))
            if done.returncode == 0 and len(archives) == 1:
                return archives[0].read_bytes()
            reasons.append("npm pack: " + (done.stderr.strip().splitlines() or ["no archive"])[-1])
    else:
        reasons.append("npm is not installed")
    address = (
        f"{os.environ.get('NPM_CONFIG_REGISTRY', PUBLIC_REGISTRY).rstrip('/')}/{package.tarball}"
    )
    try:
        with urllib.request.urlopen(address, timeout=60) as reply:
            archive: bytes = reply.read()
            return archive
    except (OSError, ValueError) as error:
        reasons.append(f"{address}: {error}")
    raise AssetError(
        f"{package.name} {package.version} could not be fetched ({'; '.join(reasons)}). "
        "The book needs it to show formulas and controls without a network. Connect to the "
        "network once and run `python tools/fetch_assets.py`, or set NPM_CONFIG_REGISTRY to a "
        "registry you can reach."
    )


def unpack(archive: bytes, package: Package, target: Path) -> int:
    """Write the wanted files of ``archive`` below the folder ``target``; return their number."""
    count = 0
    with tempfile.SpooledTemporaryFile() as stream:
        stream.write(archive)
        stream.seek(0)
        with tarfile.open(fileobj=stream, mode="r:gz") as members:
            for member in members:
                path = member.name.removeprefix("package/")
                content = members.extractfile(member) if member.isfile() else None
                if content is None or not any(fnmatch.fnmatch(path, one) for one in package.files):
                    continue
                relative = PurePosixPath(path.removeprefix(package.strip))
                if relative.is_absolute() or ".." in relative.parts:
                    raise AssetError(
                        f"{package.name}: the archive holds an unsafe path {member.name!r}"
                    )
                place = target / relative
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content.read())
                count += 1
    if count == 0:
        raise AssetError(
            f"{package.name} {package.version}: the archive holds none of {package.files}"
        )
    return count


def fetch(cache: Path = CACHE, packages: tuple[Package, ...] = PACKAGES) -> Path:
    """Make sure that ``cache`` holds every package; return ``cache``.

    A folder is renamed into place once it is complete, and a stamp in it names version, hash and
    files, so an interrupted run or a changed pin is noticed.

    Raises:
        AssetError: a package cannot be fetched, or is not the one that was recorded.
    """
    for package in packages:
        place = cache / "vendor" / package.folder
        stamp = (
            f"{package.name} {package.version}\n{package.integrity}\n{' '.join(package.files)}\n"
        )
        if (place / "STAMP").is_file() and (place / "STAMP").read_text(encoding="utf-8") == stamp:
            continue
        archive = download(package)
        check_integrity(archive, package)
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as folder:
            fresh = Path(folder) / package.folder
            count = unpack(archive, package, fresh)
            (fresh / "STAMP").write_text(stamp, encoding="utf-8")
            shutil.rmtree(place, ignore_errors=True)
            fresh.rename(place)
        print(f"{package.name} {package.version}: {count} files")
    return cache


def main() -> int:
    """Fetch everything; print one sentence and return 1 where that fails."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    try:
        fetch()
    except AssetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
