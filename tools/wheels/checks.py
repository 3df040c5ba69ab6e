"""What a wheel must be: its tags hold, its files are the package's, and the stable ABI is kept."""

import json
import re
import zipfile
from email.parser import HeaderParser
from pathlib import Path

from compiled import GLIBC, STABLE, run

__all__ = ["CheckError", "check", "check_contents"]


class CheckError(Exception):
    """A wheel is not what its name says; the message says which, and what was found."""


def check(tools: Path, wheel: Path, architecture: str) -> None:
    """Raise CheckError unless the wheel's files are right and auditwheel and abi3audit confirm its tags."""
    tag = check_contents(wheel)
    if not tag.endswith(f"-manylinux_{GLIBC[0]}_{GLIBC[1]}_{architecture}"):
        raise CheckError(f"{wheel.name} should be for glibc {GLIBC[0]}.{GLIBC[1]} on {architecture}")
    found = json.loads(run(tools, "-m", "auditwheel", "show", "--json", wheel))
    policy = re.fullmatch(rf"manylinux_2_(\d+)_{architecture}", found["overall_tag"])
    if policy is None or int(policy[1]) > GLIBC[1]:
        raise CheckError(f"{wheel.name}: auditwheel says {found['overall_tag']}; needs {found['versioned_symbols']}")
    if "-abi3-" in tag:
        run(tools, "-m", "abi3audit", "--strict", "--assume-minimum-abi3", f"3.{STABLE}", wheel)
    print(f"{wheel.name}: {found['overall_tag']} holds, {wheel.stat().st_size / 1e6:.1f} MB")


def check_contents(wheel: Path) -> str:
    """Return the wheel's tag; raise CheckError unless its files and metadata are right for it."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (record,) = (name for name in names if name.endswith(".dist-info/RECORD"))
        about = record.removesuffix("RECORD")
        metadata = HeaderParser().parsestr(archive.read(f"{about}METADATA").decode("utf-8"))
        tags = HeaderParser().parsestr(archive.read(f"{about}WHEEL").decode("utf-8")).get_all("Tag", [])
    tag = wheel.stem.split("-", 2)[2]
    abi = tag.split("-")[1]
    module = "chainrule/kernels/_native" + (".abi3.so" if abi == "abi3" else f".cpython-{abi.removeprefix('cp')}-")
    compiled = [name for name in names if name.endswith(".so")]
    missing = {
        *("chainrule/__init__.py", "chainrule/py.typed", "chainrule/version.py", "chainrule/server/page/index.html"),
        *(about + name for name in ("entry_points.txt", "licenses/LICENSE", "licenses/NOTICE")),
    } - names
    foreign = {name for name in names if not name.startswith(("chainrule/", about)) or name.endswith((".cpp", ".hpp"))}
    if len(compiled) != 1 or not compiled[0].startswith(module):
        raise CheckError(f"{wheel.name} should have one compiled module, {module}: got {compiled}")
    if missing or foreign:
        raise CheckError(f"{wheel.name} lacks {sorted(missing)} and should not have {sorted(foreign)}")
    if tags != [tag] or wheel.name.split("-")[:2] != [metadata["Name"], metadata["Version"]]:
        raise CheckError(f"{wheel.name} says of itself {tags}, {metadata['Name']} {metadata['Version']}")
    return tag
