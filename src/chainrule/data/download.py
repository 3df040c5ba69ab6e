"""Downloads: mirrors, resuming, checksums, and files that are complete or absent."""

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from chainrule.errors import DataError
from chainrule.files import explain, make_folder, taking_turns

__all__ = ["Progress", "download"]

Progress = Callable[[int, int | None], None]
"""Called with the bytes so far and the total, if the server reports it."""

_BLOCK = 1 << 16


def download(
    urls: Sequence[str],
    path: str | os.PathLike[str],
    digest: str,
    *,
    progress: Progress | None = None,
    timeout: float = 20.0,
    attempts: int = 3,
) -> Path:
    """Download the file with this digest to `path`, from the first mirror that has it.

    If a connection breaks, the bytes so far are kept beside it (.part), and the next attempt or call resumes there. A
    file that already exists with the right digest is not downloaded again. If several processes ask for it at once, one
    downloads it and the others wait.

    Args:
        urls: mirrors of the file, the best first.
        path: the destination, written when the file is complete and its digest is right.
        digest: its MD5 (32 hexadecimal digits) or SHA-256 (64).
        progress: called as bytes arrive.
        timeout: seconds without a byte after which an attempt ends.
        attempts: how often to try each mirror.

    Raises:
        DataError: no mirror delivered it; the message lists what each answered.
        FileError: the folder cannot be created.
    """
    path = Path(path)
    if path.is_file() and _digest(path, digest) == digest:
        return path
    make_folder(path.parent)
    with taking_turns(path):
        if path.is_file() and _digest(path, digest) == digest:  # another process has downloaded it by now
            return path
        return _from_mirrors(urls, path, digest, progress, timeout, attempts)


def _from_mirrors(
    urls: Sequence[str], path: Path, digest: str, progress: Progress | None, timeout: float, attempts: int
) -> Path:
    part = path.with_name(f"{path.name}.part")
    problems: list[str] = []
    for url in urls:
        for attempt in range(attempts):
            try:
                _fetch(url, part, progress, timeout)
            except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
                problem = _explain(error)
                if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                    break  # trying again would give the same answer
                time.sleep(min(0.1 * 2**attempt, 2.0))
                continue
            except OSError as error:
                raise DataError(f"cannot write {part}: {explain(error)}") from error
            if _digest(part, digest) == digest:
                os.replace(part, path)
                return path
            part.unlink()  # complete but wrong: none of it can be kept
            problem = "it sent the wrong file (the checksum differs)"
            break
        problems.append(f"{url}: {problem}")
    raise DataError(
        f"cannot download {path.name}: {'; '.join(problems)}. Try again later (it resumes where it stopped), or fetch "
        f"the file another way and put it at {path}"
    )


def _fetch(url: str, part: Path, progress: Progress | None, timeout: float) -> None:
    """Resume the download into `part`."""
    there = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416 and there:  # complete, or longer than the file: the digest decides
            error.close()
            return
        error.close()
        raise
    with response:
        resumed = response.status == 206
        length = response.headers.get("Content-Length")
        there = there if resumed else 0
        total = there + int(length) if length and length.isdigit() else None
        with open(part, "ab" if resumed else "wb") as file:
            while block := response.read1(_BLOCK):
                file.write(block)
                there += len(block)
                if progress is not None:
                    progress(there, total)
        if total is not None and there < total:
            raise http.client.IncompleteRead(b"", total - there)


def _digest(path: Path, like: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5" if len(like) == 32 else "sha256").hexdigest()


def _explain(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ended before the file did"
    return f"no connection ({reason})" if str(reason) else "no connection"
