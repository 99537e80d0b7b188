"""Programs that judge our documents or hold our keys, and that no Python package brings: installed by the system's package manager.

Run by `make test` before the suites. A test that wants one and does not find it fails; it never skips.
"""

import os
import shutil
import subprocess
import sys

PACKAGES = {
    "chromium": "chromium",
    "openssl": "openssl",
    "pdfsig": "poppler-utils",
    "pdftoppm": "poppler-utils",
    "pdftotext": "poppler-utils",
    "qpdf": "qpdf",
    "softhsm2-util": "softhsm2",
}


class MissingProgram(Exception):
    """A program that a test needs isn't on this machine; the message says how to install it."""


def path_of(program: str) -> str:
    """Where the program is; a machine without it gets told how to install it."""
    found = shutil.which(program)
    if found is None:
        raise MissingProgram(f"{program} is missing: `make test` installs it as root, else run: apt-get install {PACKAGES[program]}")
    return found


def main() -> int:
    """Install what is missing; 1 when that cannot be done, with the command that would do it."""
    missing = {program: package for program, package in PACKAGES.items() if shutil.which(program) is None}
    if not missing:
        return 0
    packages = sorted(set(missing.values()))
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {', '.join(packages)} for the tests", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *packages]
        for command in (["apt-get", "-qq", "update"], install):
            subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)
    still = [program for program in missing if shutil.which(program) is None]
    if still:
        print(f"missing for the tests: {', '.join(still)}. As root: apt-get install {' '.join(packages)}", file=sys.stderr)
    return 1 if still else 0


if __name__ == "__main__":
    sys.exit(main())
