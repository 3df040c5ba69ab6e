"""A folder of pictures that a client sends as a tar archive: a folder for each class."""

import io
import tarfile
from pathlib import Path, PurePosixPath

from chainrule.data.images import picture_pixels
from chainrule.server.problems import ProblemError

__all__ = ["is_archive", "unpack"]

_MOST_FILES = 5000
_MOST_PIXELS = 200_000_000
"""Of all pictures together; each is unpacked to be made smaller."""
_LONGEST = 100


def is_archive(content: bytes) -> bool:
    """Whether this is a tar archive that is not compressed."""
    return content[257:262] == b"ustar"


def unpack(content: bytes, folder: str) -> Path:
    """Write the pictures of an archive to folder/pictures/CLASS/NUMBER.ending: nothing else of their names is used.

    Raises:
        ProblemError: it is damaged, or there are too many pictures or pixels, or a class has no proper name.
    """
    root, pixels = Path(folder) / "pictures", 0
    root.mkdir()
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for number, member in enumerate(archive):
                if number >= _MOST_FILES:
                    raise ProblemError(413, f"more than {_MOST_FILES:,} pictures: use chainrule train --data")
                path = PurePosixPath(member.name)
                file = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                if file is None:
                    continue
                picture = file.read()
                pixels += picture_pixels(picture)
                if pixels > _MOST_PIXELS:
                    raise ProblemError(413, f"more than {_MOST_PIXELS:,} pixels together: make the pictures smaller")
                name = path.parent.name
                if not name.isprintable() or name in ("", ".", "..") or len(name.encode()) > _LONGEST:
                    raise ProblemError(422, "each picture stands in a folder that is its class: pictures/cat/1.png")
                (root / name).mkdir(exist_ok=True)
                (root / name / f"{number:05}{path.suffix.lower()[:6]}").write_bytes(picture)
    except (tarfile.TarError, OSError, ValueError) as error:
        raise ProblemError(422, "the archive of pictures is damaged: choose the folder again") from error
    return root
