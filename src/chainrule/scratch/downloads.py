"""Serve chainrule's MNIST files to a learner's own `dataset` when their download fails."""

import gzip
import io
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from urllib.response import addinfourl

from chainrule.data.mnist import DIGESTS, mnist_file

__all__ = ["mnist_at_hand"]

_SECONDS = 20.0


@contextmanager
def mnist_at_hand() -> Iterator[None]:
    """Within the block, urllib's urlopen always succeeds for the four files; a message on stderr tells of fallbacks."""
    urlopen = urllib.request.urlopen

    def opened(url: Any, *arguments: Any, **options: Any) -> Any:
        address = url if isinstance(url, str) else url.full_url
        file = PurePosixPath(urlsplit(address).path).name
        name = file.removesuffix(".gz")
        if name not in DIGESTS:
            return urlopen(url, *arguments, **options)
        try:
            return urlopen(url, *arguments, **({"timeout": _SECONDS} if len(arguments) < 2 else {}) | options)
        except OSError as error:
            print(f"{address}: {getattr(error, 'reason', error)}; using chainrule's own {file}", file=sys.stderr)
            content = mnist_file(name)
            return _answer(address, content if name == file else gzip.compress(content, 1))

    urllib.request.urlopen = opened
    try:
        yield
    finally:
        urllib.request.urlopen = urlopen


def _answer(address: str, content: bytes) -> addinfourl:
    headers = Message()
    headers["Content-Length"] = str(len(content))
    return addinfourl(io.BytesIO(content), headers, address, 200)
