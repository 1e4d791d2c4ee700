from __future__ import annotations

import collections
import io
import pickle
import pickletools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentwalk.generators._reading._restricted_pickle import (
    Global,
    PickleMachine,
    Record,
    RefusedError,
    Stub,
    make_dict,
    make_set,
)

NAMES = {
    ("collections", "OrderedDict"): make_dict,
    ("builtins", "set"): make_set,
    ("__builtin__", "set"): make_set,
    ("package", "named"): None,
}


def read(content, strict=True, **options):
    return PickleMachine(NAMES, strict=strict, **options).load(io.BytesIO(content))


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
plain = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(), inner)
        | st.sets(st.integers())
    ),
)


@given(plain, st.sampled_from([2, 3, 4, 5]))
def test_plain_values_come_back(value, protocol):
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [0, 1])
def test_the_text_opcodes_of_old_protocols(protocol):
    value = [1, 2**70, -1.5, "aä", (), (1, 2, 3, 4), {"a": [None, True, False]}]
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_ordered_dicts_and_shared_values(protocol):
    shared = ["x"]
    value = collections.OrderedDict(a=shared, b=shared)
    found = read(pickle.dumps(value, protocol))
    assert found == {"a": ["x"], "b": ["x"]}
    assert found["a"] is found["b"]


def test_bytes_and_frozensets():
    value = [b"a" * 300, bytearray(b"b"), frozenset({1, 2})]
    assert read(pickle.dumps(value, 5)) == value


def test_every_opcode_is_handled_or_refused_by_name():
    """A new opcode of Python is refused until somebody thinks about it."""
    from latentwalk.generators._reading import _restricted_pickle as module

    handled = (
        module.LITERALS
        | module.PUTS
        | module.GETS
        | module.IGNORED
        | set(module.CONSTANTS)
        | set(module.EMPTY)
        | set(module.TUPLES)
        | set(module.OPCODES)
    )
    refused = {"PERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}
    known = {opcode.name for opcode in pickletools.opcodes}
    assert known - handled == refused
    assert handled <= known


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Pname\n.", "PERSID"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02\x83\x01\x00.", "EXT2"),
        (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x02K\x01Q.", "persistent id"),
        (b"\x80\x02K\x01K\x02.", "one value"),
        (b"\x80\x02(K\x01.", "one value"),
        (b"\x80\x02h\x05.", "corrupt"),
        (b"\x80\x020.", "corrupt"),
        (b"\x80\x02R.", "corrupt"),
        (b"\x80\x02K\x01", "truncated"),
        (b"\xff", "corrupt"),
        (b"", "truncated"),
        (b"\x80\x02K\x01)R.", "calls a int"),
        (b"\x80\x02cpackage\nnamed\n)R.", "calls package.named"),
        (b"\x80\x02ccollections\nOrderedDict\nK\x01R.", "calls collections.OrderedDict"),
        (b"\x80\x02ccollections\nOrderedDict\nK\x01K\x02K\x03\x87R.", "unexpected arguments"),
        (b"\x80\x02cpackage\nnamed\n}b.", "sets the state of package.named"),
        (b"\x80\x02ccollections\nOrderedDict\n}b.", "sets the state of collections.OrderedDict"),
        (b"\x80\x02]K\x01b.", "sets the state of a list"),
        (b"\x80\x02)K\x01a.", "appends to a tuple"),
        (b"\x80\x02]K\x01K\x02s.", "sets items of a list"),
        (b"\x80\x04](K\x01\x90.", "adds items to a list"),
        (b"\x80\x02}]K\x02s.", "a list as a key"),
        (b"\x80\x04\x8f(]\x90.", "a list as a key"),
        (b"\x80\x04K\x01K\x02\x93.", "name is not text"),
        (b"\x80\x02c os system\nx\n.", "os system"),
    ],
)
def test_what_is_refused(content, message):
    with pytest.raises(RefusedError, match=message):
        read(content)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("__builtin__", "getattr"),
        ("collections", "OrderedDict.fromkeys"),
        ("collections", "abc.sys"),
        ("", "collections.OrderedDict"),
        ("collections.OrderedDict", ""),
    ],
)
def test_names_match_whole_or_not_at_all(module, name):
    content = b"\x80\x04"
    for part in (module, name):
        content += b"\x8c" + bytes([len(part)]) + part.encode()
    with pytest.raises(RefusedError, match="not part of a generator's weights"):
        read(content + b"\x93.")


def test_a_global_is_a_name_and_not_an_object():
    assert read(b"\x80\x02cpackage\nnamed\n.") == Global("package", "named")


def test_unknown_classes_become_stubs_that_swallow_everything():
    content = b"\x80\x04cfoo\nBar\n)\x81}b]K\x01aa(K\x01e(K\x01\x90K\x01K\x02s(K\x01K\x02u."
    found = read(content, strict=False)
    assert isinstance(found, Stub)
    assert found.name == "foo.Bar"
    assert not hasattr(found, "__dict__")


@pytest.mark.parametrize(
    "content",
    [
        b"(S'x'\nifoo\nBar\n.",
        b"(cfoo\nBar\nS'x'\no.",
        b"\x80\x02cfoo\nBar\n)}\x92.",
        b"\x80\x02cfoo\nBar\n)R)R.",
    ],
)
def test_every_way_to_make_an_object_makes_a_stub(content):
    assert isinstance(read(content, strict=False), Stub)
    with pytest.raises(RefusedError, match=r"foo\.Bar"):
        read(content)


def test_a_record_takes_state_only_if_it_says_so():
    class Plain(Record):
        __slots__ = ()

    machine = PickleMachine({("a", "b"): Plain})
    with pytest.raises(RefusedError, match="state of a Plain"):
        machine.load(io.BytesIO(b"\x80\x02ca\nb\n)R}b."))


def test_a_key_nested_a_million_deep_does_not_exhaust_the_stack():
    with pytest.raises(RefusedError, match=r"as a key|nested more than"):
        read(b"\x80\x02})" + b"\x85" * 1_000_000 + b"K\x01s.")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b"abc",
        b"\x80\x04\x8e" + b"\xff" * 8 + b"abc",
        b"\x80\x04\x8d" + (2**62).to_bytes(8, "little") + b"abc",
        b"\x80\x05\x96" + (2**62).to_bytes(8, "little") + b"abc",
        b"\x80\x02\x8b\xff\xff\xff\x7fabc",
        b"\x80\x02B\xff\xff\xff\x7fabc",
    ],
)
def test_declared_sizes_take_no_memory(content):
    with pytest.raises(RefusedError, match="truncated"):
        read(content)


def test_a_huge_memo_index_takes_no_memory():
    assert read(b"\x80\x02K\x07r\xff\xff\xff\x7f0j\xff\xff\xff\x7f.") == 7
