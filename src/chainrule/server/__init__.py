"""The web page and its JSON API: networks served, looked into, walked backwards and trained."""

from chainrule.server.app import create_app
from chainrule.server.run import serve

__all__ = ["create_app", "serve"]
