"""A script's own pickles are read back as by Python; pickles that ask for more, or forge an array, are refused."""

import _pickle
import collections
import io
import pickle
import subprocess
import sys
from multiprocessing.reduction import ForkingPickler
from types import ModuleType

import joblib
import numpy as np
import pytest

from chainrule.errors import DataError
from chainrule.scratch.pickles import reading_arrays_only
from scratch.fuzz_pickles import fuzz

RNG = np.random.default_rng(0)
THINGS = {
    **{kind: RNG.integers(0, 2, (2, 3)).astype(kind) for kind in ("?", "u1", "<i8", ">i4", "f2", "<f4", ">f8", "c16")},
    **{kind: np.array([["1", "23"]]).astype(kind) for kind in ("S3", "<U4", ">U2")},
    "fortran": np.asfortranarray(RNG.standard_normal((3, 4))),
    "strided": RNG.standard_normal((6, 4))[::2, 1:3],
    "empty": np.zeros((0, 3)),
    "no axis": np.array(3.5),
    "objects": np.array([np.ones(2), "x", None], dtype=object),
    "numbers": [np.float32(1.5), np.int64(3), np.bool_(True), np.str_("x"), 1, 2.5, 1j, 10**40, True, None],
    "containers": {"a": [1, (2, {3}), frozenset([4])], "b": b"bytes", "c": bytearray(b"more"), 5: "text \u4f60"},
    "ordered": collections.OrderedDict(W1=np.ones((2, 2)), b1=np.zeros(2)),
    "collections": [collections.Counter("aab"), collections.defaultdict(list, a=[1]), collections.deque([1, 2], 3)],
}


def same(one, two) -> bool:
    if isinstance(one, np.ndarray):
        return (
            type(two) is type(one)
            and one.dtype == two.dtype
            and one.shape == two.shape
            and all(same(a, b) for a, b in zip(one.ravel().tolist(), two.ravel().tolist(), strict=True))
        )
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    return type(one) is type(two) and (one == two or str(one) == str(two))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", THINGS)
def test_round_trip(name, protocol):
    thing = THINGS[name]
    expected = pickle.loads(pickle.dumps(thing, protocol))  # Python's own; NumPy changes the byte order
    with reading_arrays_only():
        again = pickle.loads(pickle.dumps([thing, thing], protocol))
        file = io.BytesIO()
        pickle.dump(thing, file, protocol)
        pickle.Pickler(file, protocol).dump("next")
        file.seek(0)
        first, second = pickle.load(file), pickle.load(file)
    assert same(again[0], expected)
    assert again[1] is again[0] or not isinstance(thing, np.ndarray)
    assert same(first, expected)
    assert second == "next"
    assert np.dtype("f8").isnative  # no state has changed NumPy's own dtypes


def test_pickles_from_elsewhere():
    """Pickles written without chainrule; and by Python 2, with the encoding that readers must specify."""
    content = pickle.dumps({"W1": np.arange(3.0)})
    python2 = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01K\x02\x85cnumpy\ndtype\n"
        b"(U\x02u1I0\nI1\ntR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x02\x01\xfftb."
    )
    with reading_arrays_only():
        assert pickle.loads(content)["W1"].tolist() == [0, 1, 2]
        assert pickle.loads(python2, encoding="latin1").tolist() == [1, 255]
        assert pickle.loads(python2, encoding="bytes").tolist() == [1, 255]


def dtype(code: str, state: str = "") -> str:
    return f"cnumpy\ndtype\n(V{code}\nI0\nI1\ntR" + (f"({state}tb" if state else "")


def array(shape: str, kind: str, content: str, head: str = "(I0\ntVb\n") -> str:
    """Return an array's pickle as NumPy writes it, with the given parts substituted."""
    return f"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n{head}tR(I1\n({shape}t{kind}I00\n{content}tb."


F8, O8, U2 = dtype("f8"), dtype("O8"), dtype("U2")
FROM = "cnumpy._core.numeric\n_frombuffer\n("
SCALAR = "cnumpy._core.multiarray\nscalar\n("
EVIL = {
    "asks for a command": ("cposix\nsystem\n(S'true'\ntR.", "asks for posix.system"),
    "asks for eval": ("cbuiltins\neval\n(S'1'\ntR.", "asks for builtins.eval"),
    "asks for getattr": ("cbuiltins\ngetattr\n.", "asks for builtins.getattr"),
    "asks for a module": ("cchainrule.scratch.layers\nnp\n.", "asks for chainrule.scratch.layers.np"),
    "an array of pointers, called": ("cnumpy\nndarray\n((I1\ntS'O'\nS'AAAAAAAA'\ntR.", "calls numpy.ndarray"),
    "an array of pointers, made": ("cnumpy\nndarray\n((I1\ntS'O'\nS'AAAAAAAA'\nt\x81.", "calls numpy.ndarray"),
    "an array of pointers": (array("I1\n", O8, "VAAAAAAAA\n"), "a forged numpy.ndarray: its content is not a list"),
    "objects that are missing": (array("I3\n", O8, "(l"), "a forged numpy.ndarray: its content is not a list"),
    "less than no objects": (array("I-1\n", O8, "(l"), "a forged numpy.ndarray: its shape"),
    "content that is missing": (array("I5\n", F8, "Vabcdefgh\n"), "does not fill its shape (5,)"),
    "content beyond all numbers": (array("I4294967296\nI4294967296\n", F8, "V\n"), "a forged numpy.ndarray: its shape"),
    "none of content beyond all": (array("I0\nI4294967296\nI4294967296\n", F8, "V\n"), "its shape is (0, 4294967296,"),
    "too many axes": (array("I1\n" * 33, F8, "Vabcdefgh\n"), "a forged numpy.ndarray: its shape"),
    "a length that is none": (array("F1.5\n", F8, "V\n"), "a forged numpy.ndarray: its shape"),
    "a truth value of 2": (array("I1\n", dtype("b1"), "V\x02\n"), "a boolean is neither 0 nor 1"),
    "a character beyond all": (array("I1\n", U2, "Vabcdefgh\n"), "a character is beyond the range of Unicode"),
    "another beginning": (array("I1\n", F8, "Vabcdefgh\n", "(I5\ntVb\n"), "it begins with"),
    "pointers as a beginning": (array("I1\n", F8, "Vabcdefgh\n", "(I0\ntVO\n"), "it begins with"),
    "a state set twice": (array("I1\n", F8, "Vabcdefgh\n")[:-1] + "(I1\n(I1\nt" + O8 + "I00\n(lI1\natb.", "already"),
    "a dtype of objects": (dtype("O8", "I3\nV|\nNNNI8\nI8\nI0\n") + ".", "a forged numpy.dtype('|O')"),
    "a dtype of other size": (dtype("U2", "I3\nV<\nNNNI8000\nI4\nI8\n") + ".", "a forged numpy.dtype('<U2')"),
    "numbers as objects": (dtype("f8", "I3\nV|\nNNNI-1\nI-1\nI63\n") + ".", "a forged numpy.dtype('<f8')"),
    "a dtype of fields": (
        dtype("V8", "I3\nV|\nN(Va\nt(dVa\n(cnumpy\ndtype\n(Vf8\ntRI4\ntsI8\nI1\nI16\n") + ".",
        "dtype 'V8'",
    ),
    "fields of objects": ("cnumpy\ndtype\n((l(Va\nVO\ntaI0\nI1\ntR.", "has an array or number of dtype [('a', 'O')]"),
    "no bytes each": (array("I99999999\n", dtype("S0"), "V\n"), "dtype 'S0'"),
    "a pointer as a number": (SCALAR + O8 + "Vabcdefgh\ntR.", "creates a number of dtype('O')"),
    "a number of few bytes": (SCALAR + F8 + "Vabc\ntR.", "content of 3 bytes"),
    "pointers of protocol 5": (
        FROM + "cbuiltins\nbytearray\n(VAAAAAAAA\ntR" + O8 + "(I1\ntVC\ntR.",
        "its dtype is dtype('O')",
    ),
    "few bytes of protocol 5": (FROM + "cbuiltins\nbytearray\n(VAAAA\ntR" + F8 + "(I1\ntVC\ntR.", "content of 4 bytes"),
    "an array as bytes": (
        FROM + array("I1\n", F8, "Vabcdefgh\n")[:-1] + F8 + "(I1\ntVC\ntR.",
        "creates bytes from ndarray",
    ),
    "evil within a pickle": (
        "c_pickle\nloads\n(cbuiltins\nbytes\n(Vcbuiltins\\u000aeval\\u000a(V1\\u000atR.\ntRtR.",
        "for builtins.eval",
    ),
    "an exception's cause": (
        "cjoblib.externals.loky.process_executor\n_rebuild_exc\n(cnumpy\nndarray\nVx\ntR.",
        "a forged exception",
    ),
    "a changed class": ("cnumpy\nndarray\n(N(dV__new__\ncbuiltins\nset\nstb.", "would modify _Named"),
    "a changed function": ("cnumpy\ndtype\n(N(dV__defaults__\n(I1\ntstb.", "would modify _dtype"),
}
EVIL = {name: (code.encode("latin1"), told) for name, (code, told) in EVIL.items()}


def written(content: bytes, folder):
    path = folder / "evil"
    path.write_bytes(content)
    return path


READERS = {
    "pickle.loads": lambda content, folder: pickle.loads(content),
    "pickle.load": lambda content, folder: pickle.load(io.BytesIO(content)),
    "pickle.Unpickler": lambda content, folder: pickle.Unpickler(io.BytesIO(content)).load(),
    "pickle._loads": lambda content, folder: pickle._loads(content),
    "_pickle.loads": lambda content, folder: _pickle.loads(content),
    "_pickle.Unpickler": lambda content, folder: _pickle.Unpickler(io.BytesIO(content)).load(),
    "multiprocessing": lambda content, folder: ForkingPickler.loads(content),
    "a name imported before": lambda content, folder: loads(content),
    "joblib": lambda content, folder: joblib.load(written(content, folder)),
}
loads = pickle.loads


def test_pickles_inside_a_pickle_are_read_only_so_often():
    class Loads:
        def __init__(self, content, times):
            self.content, self.times = content, times

        def __reduce__(self):
            return (tuple, ([Once(self.content) for _ in range(self.times)],))

    class Once:
        def __init__(self, content):
            self.content = content

        def __reduce__(self):
            return (_pickle.loads, (self.content,))

    small = pickle.dumps(list(range(1000)))
    twice, often = (pickle.dumps(Loads(small, times)) for times in (2, 5000))
    deep = pickle.dumps(Loads(often, 5000))
    with reading_arrays_only():
        assert pickle.loads(twice) == (list(range(1000)),) * 2
        for content in (often, deep):
            with pytest.raises(DataError, match="again and again"):
                pickle.loads(content)


@pytest.mark.parametrize("name", EVIL)
def test_evil_ones_are_refused_by_name(name, tmp_path):
    content, told = EVIL[name]
    with reading_arrays_only():
        for reader, read in READERS.items():
            with pytest.raises(DataError) as refused:
                read(content, tmp_path)
            assert told in str(refused.value), reader
        with pytest.raises(pickle.UnpicklingError):  # NumPy tells nothing more
            np.load(written(content, tmp_path), allow_pickle=True)


def test_afterwards_all_is_as_before():
    names = [(pickle, name) for name in ("load", "loads", "Unpickler", "dump", "dumps", "Pickler", "_Unpickler")]
    names += [(_pickle, "loads"), (_pickle, "Unpickler"), (ForkingPickler, "loads"), (ForkingPickler, "dumps")]
    names += [(pickle._Unpickler, "find_class"), (pickle._Unpickler, "load_build"), (sys.modules[__name__], "loads")]
    before = [getattr(place, name) for place, name in names]
    dispatch = dict(pickle._Unpickler.dispatch)
    with reading_arrays_only():
        assert pickle.loads is not before[1]
        module = ModuleType("imports_within")
        sys.modules[module.__name__] = module
        exec("from pickle import loads", vars(module))
    assert [getattr(place, name) for place, name in names] == before
    assert pickle._Unpickler.dispatch == dispatch
    assert sys.modules.pop("imports_within").loads is pickle.loads
    assert not hasattr(pickle._Pickler, "reducer_override")


@pytest.mark.parametrize("kind", ["M8[D]", "m8[ms]", [("a", "<i4"), ("b", ">f8")], "V3"])
def test_arrays_of_other_kinds_are_refused_by_name(kind):
    content = pickle.dumps(np.zeros(2, kind))
    with reading_arrays_only(), pytest.raises(DataError, match="only numbers and strings are read"):
        pickle.loads(content)


def test_what_is_read_cannot_be_changed_behind_a_check():
    """A buffer that the pickle keeps, and modifies after the array has been made from it."""
    content = b"\x80\x05" + (FROM + "cbuiltins\nbytearray\n(V\x01\ntR").encode() + b"q\x01"
    content += (dtype("b1") + "(I1\ntVC\ntR").encode() + b"h\x01K\x00K\x02s0."
    with reading_arrays_only():
        array = pickle.loads(content)
    assert array.tolist() == [True]
    assert array.tobytes() == b"\1"


@pytest.mark.parametrize("first", ["joblib", "chainrule.scratch.pickles"])
def test_joblib_is_held_imported_before_or_after(first, tmp_path):
    """Arrays are read; a model and an array of pointers are refused."""
    joblib.dump({"W": np.arange(6.0).reshape(2, 3), "o": np.array([1, "a"], dtype=object)}, tmp_path / "good")
    joblib.dump(np.random.RandomState(0), tmp_path / "model")
    forged = joblib.numpy_pickle.NumpyArrayWrapper(np.ndarray, (1,), "C", np.dtype("O"), allow_mmap=True)
    (tmp_path / "pointers").write_bytes(pickle.dumps(forged, 2)[:-1] + b"AAAAAAAA.")
    code = (
        f"import {first}"
        + """
from chainrule.scratch.pickles import reading_arrays_only
from chainrule.errors import DataError
with reading_arrays_only():
    import joblib
    good = joblib.load("good")
    print(good["W"].tolist(), good["o"].tolist())
    for name, options in (("model", {}), ("pointers", {"mmap_mode": "r"}), ("pointers", {})):
        try:
            joblib.load(name, **options)
        except DataError as error:
            print(error)
"""
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = told.stdout.splitlines()
    assert lines[0] == "[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]] [1, 'a']", told.stderr
    assert "asks for numpy.random" in lines[1]
    assert lines[2:] == ["the pickle contains a forged joblib array: its dtype is dtype('O')"] * 2


POOL = """
from multiprocessing import Pool

class Pair:
    def __init__(self, number):
        self.number = number

def square(number):
    if number == 3:
        raise ValueError("three")
    return Pair(number * number)

if __name__ == "__main__":
    with Pool(2) as pool:
        print([pair.number for pair in pool.map(square, [1, 2])])
        try:
            pool.map(square, [3])
        except ValueError as error:
            print(error)
"""


@pytest.mark.skipif(sys.platform != "linux" or sys.version_info >= (3, 14), reason="processes are forked on Linux")
def test_processes_of_the_run_speak_with_each_other(chainrule, tmp_path):
    (tmp_path / "pool.py").write_text(POOL)
    result = chainrule("run", tmp_path / "pool.py", cwd=tmp_path)
    assert result.stdout == "[1, 4]\nthree\n", result.stderr


SAMPLES = [pickle.dumps([thing, {"a": thing}], protocol) for thing in THINGS.values() for protocol in range(6)]
SAMPLES += [content for content, _ in EVIL.values()]


@pytest.mark.filterwarnings("ignore")
def test_changed_pickles_end_in_an_error_of_pickles_or_in_something_that_can_be_shown():
    counts, wrong = fuzz(SAMPLES, 4000, 1)
    assert wrong == []
    assert counts["read"] > 20
    assert counts["DataError"] > 500


def test_a_damaged_one_says_so():
    content = pickle.dumps({"W1": np.arange(3.0)})
    with reading_arrays_only():
        for damaged in (b"", content[:-20], b"\x80\x04h\x07."):
            with pytest.raises((EOFError, pickle.UnpicklingError)):
                pickle.loads(damaged)


def test_own_objects_are_read_in_the_run_that_wrote_them(tmp_path, monkeypatch):
    """A class in the learner's file is read, but not in the next run, maybe of another script; installed ones never."""
    module = ModuleType("mine")
    module.__file__ = str(tmp_path / "mine.py")
    exec("class Net:\n    def __init__(self):\n        self.params = {'W1': 1.5}\n", vars(module))
    monkeypatch.setitem(sys.modules, "mine", module)
    with reading_arrays_only():
        content = pickle.dumps(module.Net())
        assert pickle.loads(content).params == {"W1": 1.5}
        path = pickle.dumps(tmp_path)
        with pytest.raises(DataError, match="asks for pathlib"):
            pickle.loads(path)
    with reading_arrays_only(), pytest.raises(DataError, match="asks for mine.Net"):
        pickle.loads(content)
