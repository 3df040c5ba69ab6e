"""Files from the network: mirrors, resumed where they broke off, checked, and whole or not there at all."""

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
"""Called with the bytes that are there and the bytes in all, where the server tells."""

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
    """The file with this digest at `path`, from the first mirror that has it.

    What came before a connection broke is kept beside it (.part), and the next attempt or the next call goes on from
    there. A file that is there already and right is not fetched again. Of several processes that ask for it at once
    one fetches it, and the others wait.

    Args:
        urls: where the file lies, the best place first.
        path: where it is put, when it is whole and right.
        digest: its MD5 (32 hexadecimal digits) or SHA-256 (64).
        progress: follows the bytes.
        timeout: seconds without a byte after which an attempt ends.
        attempts: how often each mirror is tried.

    Raises:
        DataError: no mirror gave it; what each said is in the message.
        FileError: the folder cannot be made.
    """
    path = Path(path)
    if path.is_file() and _digest(path, digest) == digest:
        return path
    make_folder(path.parent)
    with taking_turns(path):
        if path.is_file() and _digest(path, digest) == digest:  # another one's, by now
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
                    break  # the same again would be the same answer
                time.sleep(min(0.1 * 2**attempt, 2.0))
                continue
            except OSError as error:
                raise DataError(f"cannot write {part}: {explain(error)}") from error
            if _digest(part, digest) == digest:
                os.replace(part, path)
                return path
            part.unlink()  # whole, but another file: nothing of it can be kept
            problem = "it sent another file than the right one (the checksum differs)"
            break
        problems.append(f"{url}: {problem}")
    raise DataError(
        f"cannot download {path.name}: {'; '.join(problems)}. Try again later (it goes on where it stopped), or fetch "
        f"the file another way and put it at {path}"
    )


def _fetch(url: str, part: Path, progress: Progress | None, timeout: float) -> None:
    """Write what is missing of the file behind `part`."""
    there = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416 and there:  # nothing is missing, or more is there than the file has: the digest will tell
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
