"""What a network's raw input is, and how to prepare it for the network: saved with it, used by every interface."""

from typing import Any, TypeAlias

from chainrule.data.picture import PicturePreparation
from chainrule.data.table import TablePreparation
from chainrule.data.text import TextPreparation
from chainrule.errors import DataError

__all__ = ["Preparation", "read_preparation"]

Preparation: TypeAlias = PicturePreparation | TablePreparation | TextPreparation

_KINDS: dict[str, type[PicturePreparation] | type[TablePreparation] | type[TextPreparation]] = {
    "picture": PicturePreparation,
    "table": TablePreparation,
    "text": TextPreparation,
}


def read_preparation(description: Any) -> Preparation:
    """The preparation that `describe` wrote; every value is checked.

    Raises:
        DataError: it is not the description of a preparation.
    """
    try:
        values = dict(description)
        return _KINDS[values.pop("kind")].of_description(values)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"its preparation is damaged ({error})") from error
