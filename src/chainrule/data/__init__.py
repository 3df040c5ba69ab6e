"""Data: images or rows with labels, and texts, bundled or your own."""

from chainrule.data.archive import read_mapped, read_npz
from chainrule.data.augment import USUAL, Augment, Augmented, mixup
from chainrule.data.books import BOOKS, book
from chainrule.data.byte_pairs import BytePairs, learn_byte_pairs
from chainrule.data.cache import cache_folder
from chainrule.data.dataset import Dataset
from chainrule.data.digit import center_digit, center_ink
from chainrule.data.digits import digits
from chainrule.data.download import download
from chainrule.data.folder import pictures_in, read_pictures
from chainrule.data.idx import read_folder, read_idx, read_pair
from chainrule.data.images import fit_picture, read_colour, read_gray
from chainrule.data.mnist import mnist, mnist_file
from chainrule.data.picture import PicturePreparation, of_pictures, usual_preparation
from chainrule.data.pixel_rows import read_csv
from chainrule.data.points import PointShape, points
from chainrule.data.preparation import Preparation, read_preparation
from chainrule.data.reading import DataWarning, Reading, TokenKind
from chainrule.data.remote import REMOTE, fetch, remote
from chainrule.data.shards import Shards, read_shards
from chainrule.data.sources import BUNDLED, TEST_SHARE, Part, load, load_new
from chainrule.data.table import Column, TablePreparation
from chainrule.data.text import Text, TextPreparation
from chainrule.data.text_file import read_text
from chainrule.data.tokenizers import Bytes, Characters, Tokenizer

__all__ = [
    "BOOKS",
    "BUNDLED",
    "REMOTE",
    "TEST_SHARE",
    "USUAL",
    "Augment",
    "Augmented",
    "BytePairs",
    "Bytes",
    "Characters",
    "Column",
    "DataWarning",
    "Dataset",
    "Part",
    "PicturePreparation",
    "PointShape",
    "Preparation",
    "Reading",
    "Shards",
    "TablePreparation",
    "Text",
    "TextPreparation",
    "TokenKind",
    "Tokenizer",
    "book",
    "cache_folder",
    "center_digit",
    "center_ink",
    "digits",
    "download",
    "fetch",
    "fit_picture",
    "learn_byte_pairs",
    "load",
    "load_new",
    "mixup",
    "mnist",
    "mnist_file",
    "of_pictures",
    "pictures_in",
    "points",
    "read_colour",
    "read_csv",
    "read_folder",
    "read_gray",
    "read_idx",
    "read_mapped",
    "read_npz",
    "read_pair",
    "read_pictures",
    "read_preparation",
    "read_shards",
    "read_text",
    "remote",
    "usual_preparation",
]
