"""The web page and its JSON API: serve networks, inspect them, step through their backward pass, and train them."""

from chainrule.server.app import create_app
from chainrule.server.run import serve
from chainrule.server.sharing import read_training

__all__ = ["create_app", "read_training", "serve"]
