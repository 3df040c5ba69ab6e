"""The web page and its JSON API: networks served, looked into, walked backwards and trained."""

from chainrule.server.app import create_app
from chainrule.server.run import serve
from chainrule.server.sharing import read_training

__all__ = ["create_app", "read_training", "serve"]
