"""What a script wrote itself is read back as Python would; what asks for more, or forges an array, is refused."""

import collections
import io
import pickle
import sys
from types import ModuleType

import numpy as np
import pytest

from chainrule.errors import DataError
from chainrule.scratch.pickles import reading_arrays_only

RNG = np.random.default_rng(0)
ALIGNED = np.dtype([("a", "i1"), ("b", "f8")], align=True)
THINGS = {
    **{kind: RNG.integers(0, 2, (2, 3)).astype(kind) for kind in ("?", "u1", "<i8", ">i4", "f2", "<f4", ">f8", "c16")},
    **{kind: np.array([["1", "23"]]).astype(kind) for kind in ("S3", "<U4", ">U2")},
    "fortran": np.asfortranarray(RNG.standard_normal((3, 4))),
    "strided": RNG.standard_normal((6, 4))[::2, 1:3],
    "empty": np.zeros((0, 3)),
    "no axis": np.array(3.5),
    "dates": np.array(["2026-01-31", "NaT"], "M8[D]"),
    "lapses": np.array([1, 2], "m8[ms]"),
    "fields": np.array([(1, 2.0)], [("a", "<i4"), ("b", ">f8")]),
    "aligned": np.array([(1, 2.0)], ALIGNED),
    "field of an array": np.zeros(2, [("a", "f4", (2, 2))]),
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
    expected = pickle.loads(pickle.dumps(thing, protocol))  # Python's own; NumPy changes the order of bytes
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
    assert np.dtype("f8").isnative  # no state has changed NumPy's own


def test_pickles_from_elsewhere():
    """Written without us; and as Python 2 wrote them, with the encoding that its readers are told to give."""
    content = pickle.dumps({"W1": np.arange(3.0)})
    python2 = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01K\x02\x85cnumpy\ndtype\n"
        b"(U\x02u1I0\nI1\ntR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x02\x01\xfftb."
    )
    with reading_arrays_only():
        assert pickle.loads(content)["W1"].tolist() == [0, 1, 2]
        assert pickle.loads(python2, encoding="latin1").tolist() == [1, 255]
        assert pickle.loads(python2, encoding="bytes").tolist() == [1, 255]


HEAD = "cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR"
EVIL = {
    "asks for posix.system": "cposix\nsystem\n(S'true'\ntR.",
    "asks for builtins.eval": "cbuiltins\neval\n(S'1'\ntR.",
    "asks for builtins.getattr": "cbuiltins\ngetattr\n.",
    "asks for chainrule.scratch.layers.np": "cchainrule.scratch.layers\nnp\n.",
    "calls numpy.ndarray": "cnumpy\nndarray\n((I1\ntS'O'\nS'AAAAAAAA'\ntR.",
    "forges numpy.dtype('|O')": "cnumpy\ndtype\n(VO8\nI0\nI1\ntR(I3\nV|\nNNNI8\nI8\nI0\ntb.",
    "forges numpy.dtype('|V8')": "cnumpy\ndtype\n(VV8\ntR(I3\nV|\nN(Va\nt(dVa\n(cnumpy\ndtype\n(Vf8\ntRI4\nts"
    "I8\nI1\nI16\ntb.",
    "forges numpy.dtype('<U2')": "cnumpy\ndtype\n(VU2\ntR(I3\nV<\nNNNI8000\nI4\nI8\ntb.",
    "forges a numpy.ndarray": HEAD + "(I1\n(I5\ntcnumpy\ndtype\n(Vf8\ntRI00\nVabcdefgh\ntb.",
    "a numpy.ndarray: its content": HEAD + "(I1\n(I-1\ntcnumpy\ndtype\n(VO8\ntRI00\n(ltb.",
    "makes a number of object": "cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(VO8\ntRVabcdefgh\ntR.",
    "changes _Named": "cnumpy\nndarray\n(N(dV__new__\ncbuiltins\nset\nstb.",
    "changes _dtype": "cnumpy\ndtype\n(N(dV__defaults__\n(I1\ntstb.",
}


@pytest.mark.parametrize("told", EVIL)
def test_evil_ones_are_refused_by_name(told):
    with reading_arrays_only(), pytest.raises(DataError) as refused:
        pickle.loads(EVIL[told].encode())
    assert told in str(refused.value)


def test_a_damaged_one_says_so():
    content = pickle.dumps({"W1": np.arange(3.0)})
    with reading_arrays_only():
        for damaged in (b"", content[:-20], b"\x80\x04h\x07."):
            with pytest.raises((EOFError, pickle.UnpicklingError)):
                pickle.loads(damaged)


def test_own_objects_are_read_in_the_run_that_wrote_them(tmp_path, monkeypatch):
    """A class of the learner's file; not in the next run, whose script may be another's; never an installed one."""
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
