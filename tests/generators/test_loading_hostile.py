"""Files made to run code, to crash or to take all memory: refused, and nothing happens."""

from __future__ import annotations

import collections
import copyreg
import io
import pickle
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
from latentwalk import load_generator
from official_format import (
    Persistent,
    dumps,
    make_state,
    official_pickle,
    official_tree,
    published_modules,
    rosinality_state,
)


class Call:
    """Pickles to a call of a function."""

    def __init__(self, function, *args, state=None):
        self.call = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.call


def touch(marker):
    """Code whose running leaves a file."""
    return f"open({str(marker)!r}, 'w').close()"


def system(marker, protocol=4):
    import os

    return dumps({"G_ema": Call(os.system, f"touch {marker}")}, protocol)


def evaluate(marker, protocol=4):
    return dumps({"G_ema": official_tree(make_state()), "D": Call(eval, touch(marker))}, protocol)


def popen(marker):
    return dumps({"augment_pipe": Call(subprocess.check_call, ["touch", str(marker)])})


def text_opcodes(marker):
    return b"c__builtin__\neval\n(V" + touch(marker).encode() + b"\ntR."


def inst(marker):
    return b'(S"touch ' + str(marker).encode() + b'"\nios\nsystem\n.'


def obj(marker):
    return b'(cos\nsystem\nS"touch ' + str(marker).encode() + b'"\no.'


def dotted(marker):
    """A path through what an innocent module imported."""
    start = b"\x80\x04\x8c\x13torch.serialization\x8c\x09os.system\x93"
    command = b"touch " + str(marker).encode()
    return start + b"\x8c" + bytes([len(command)]) + command + b"\x85R."


def new_object(marker):
    args = ["touch", str(marker)]
    inner = pickle.dumps((args,), 2)[2:-1]
    return b"\x80\x02csubprocess\nPopen\n" + inner + b"\x81."


def in_storage(payload):
    """A network one of whose storages is `payload` instead of a torch stream."""

    def build(marker):
        state = make_state()
        call = Call(torch.storage._load_from_bytes, payload(marker))
        tensor = Call(torch._utils._rebuild_tensor_v2, call, 0, (7,), (1,), False, None)
        tree = official_tree(state)
        tree.state["_modules"]["mapping"].state["_buffers"]["w_avg"] = tensor
        return dumps({"G_ema": tree})

    build.__name__ = f"in_storage_{payload.__name__}"
    return build


def plain_pickle(marker):
    return pickle.dumps(Call(eval, touch(marker)))


def torch_stream(marker):
    stream = io.BytesIO()
    torch.save(Call(eval, touch(marker)), stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def torch_archive(marker):
    stream = io.BytesIO()
    torch.save(Call(eval, touch(marker)), stream)
    return stream.getvalue()


def system_facts(marker):
    """A torch stream whose third pickle is not facts but a call."""
    parts = [0x1950A86A20F9469CFC6C, 1001, Call(eval, touch(marker))]
    return b"".join(pickle.dumps(part, 2) for part in parts)


def checkpoint_archive(marker):
    stream = io.BytesIO()
    torch.save({"g_ema": rosinality_state(make_state()), "args": Call(eval, touch(marker))}, stream)
    return stream.getvalue()


HOSTILE = {
    system: r"\w+\.system",
    evaluate: r"builtins\.eval",
    popen: r"subprocess\.check_call",
    text_opcodes: r"__builtin__\.eval",
    inst: r"os\.system",
    obj: r"os\.system",
    dotted: r"torch\.serialization\.os\.system",
    new_object: r"subprocess\.Popen",
    in_storage(plain_pickle): r"builtins\.eval",
    in_storage(torch_stream): r"(builtins|__builtin__)\.eval",
    in_storage(torch_archive): "corrupt",
    in_storage(system_facts): r"(builtins|__builtin__)\.eval",
    torch_stream: r"(builtins|__builtin__)\.eval",
    torch_archive: r"(builtins|__builtin__)\.eval",
    checkpoint_archive: r"(builtins|__builtin__)\.eval",
}
EXECUTED_BY_PICKLE = [system, evaluate, popen, text_opcodes, inst, obj, dotted]


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
@pytest.mark.parametrize("build", HOSTILE, ids=lambda build: build.__name__)
def test_code_in_a_file_does_not_run(build, strict, tmp_path):
    marker = tmp_path / "executed"
    path = tmp_path / "network.pkl"
    path.write_bytes(build(marker))
    if strict:
        with pytest.raises(ValueError, match=HOSTILE[build]) as caught:
            load_generator(path)
        assert "network.pkl was not opened" in str(caught.value)
    elif build in (evaluate, checkpoint_archive):
        assert load_generator(path, strict=False).image_shape == (1, 8, 8)
    else:
        with pytest.raises(ValueError, match=r"network\.pkl was not opened"):
            load_generator(path, strict=False)
    assert not marker.exists()


@pytest.mark.parametrize("build", EXECUTED_BY_PICKLE)
def test_the_same_code_runs_in_pickle(build, tmp_path, monkeypatch):
    """The payloads are live: a reader that let one through would be seen to."""
    marker = tmp_path / "executed"
    content = build(marker)
    with published_modules():
        monkeypatch.setattr(
            sys.modules["torch_utils.persistence"], "_reconstruct_persistent_obj", lambda meta: meta
        )
        pickle.loads(content)
    assert marker.exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_is_refused_alike(protocol, tmp_path):
    marker, path = tmp_path / "executed", tmp_path / "network.pkl"
    for build in (system, evaluate):
        path.write_bytes(build(marker, protocol))
        with pytest.raises(ValueError, match=r"\.(system|eval)"):
            load_generator(path)
    assert not marker.exists()


def test_the_embedded_source_is_not_executed(tmp_path):
    marker, path = tmp_path / "executed", tmp_path / "network.pkl"
    path.write_bytes(official_pickle(make_state(), source=touch(marker)))
    generator = load_generator(path)
    generator.sample(1, random_state=0)
    assert not marker.exists()
    assert "torch_utils" not in sys.modules
    assert "dnnlib" not in sys.modules


@pytest.mark.parametrize(
    "name",
    [
        (torch._utils, "_rebuild_tensor_v2"),
        (torch.storage, "_load_from_bytes"),
        (collections, "OrderedDict"),
        (np, "dtype"),
    ],
)
def test_build_cannot_change_what_the_names_stand_for(name, tmp_path):
    module, attribute = name
    before = {k: id(v) for k, v in vars(getattr(module, attribute)).items()}
    content = f"c{module.__name__}\n{attribute}\n".encode()
    content += b"N}(S'planted'\nK\x01u\x86b."  # a state with slots, set as attributes
    path = tmp_path / "network.pkl"
    path.write_bytes(b"\x80\x02" + content)
    for strict in (True, False):
        with pytest.raises(ValueError, match="sets the state of"):
            load_generator(path, strict=strict)
    assert not hasattr(getattr(module, attribute), "planted")
    assert {k: id(v) for k, v in vars(getattr(module, attribute)).items()} == before


def test_the_extension_registry_is_not_consulted(tmp_path):
    path = tmp_path / "network.pkl"
    copyreg.add_extension("os", "system", 0x77)
    try:
        path.write_bytes(b"\x80\x02\x82\x77(X\x02\x00\x00\x00idtR.")
        with pytest.raises(ValueError, match="EXT1"):
            load_generator(path)
    finally:
        copyreg.remove_extension("os", "system", 0x77)


def rebuilt(storage, offset, size, stride):
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, None)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ((0, (8,), (1,)), "reaches outside its storage"),
        ((1, (7,), (1,)), "reaches outside its storage"),
        ((7, (1,), (1,)), "reaches outside its storage"),
        ((0, (2,), (2**62,)), "reaches outside its storage"),
        ((0, (2**40,), (0,)), "reaches outside its storage"),
        ((-1, (7,), (1,)), "shape or strides are not counts"),
        ((6, (7,), (-1,)), "shape or strides are not counts"),
        ((0, (-7,), (1,)), "shape or strides are not counts"),
        ((0, (7.0,), (1,)), "shape or strides are not counts"),
        ((0, (7,), (1, 1)), "without a storage"),
        ((0, 7, 1), "unexpected arguments"),
        ((2**70, (1,), (1,)), "reaches outside its storage"),
    ],
)
def test_tensors_stay_inside_their_storage(view, message, tmp_path):
    tree = official_tree(make_state())
    storage = Call(torch.storage._load_from_bytes, storage_stream(7, bytes(28)))
    tree.state["_modules"]["mapping"].state["_buffers"]["w_avg"] = rebuilt(storage, *view)
    path = tmp_path / "network.pkl"
    path.write_bytes(dumps({"G_ema": tree}))
    with pytest.raises(ValueError, match=message):
        load_generator(path)


def test_the_tensor_that_the_bad_ones_were_made_from_is_read(tmp_path):
    tree, path = official_tree(make_state()), tmp_path / "network.pkl"
    stream = storage_stream(14, np.arange(14, dtype="<f4").tobytes())
    w_avg = rebuilt(Call(torch.storage._load_from_bytes, stream), 1, (7,), (2,))
    tree.state["_modules"]["mapping"].state["_buffers"]["w_avg"] = w_avg
    path.write_bytes(dumps({"G_ema": tree}))
    np.testing.assert_array_equal(
        load_generator(path).module("cpu").mapping.w_avg, np.arange(1, 14, 2)
    )


def storage_stream(numel, data, *, key="0", keys=None, declared=None, kind="FloatStorage"):
    """A torch stream of one storage, with the sizes that are asked for."""
    names = b"\x80\x02(X\x07\x00\x00\x00storagectorch\n" + kind.encode() + b"\n"
    number = pickle.dumps(numel, 2)[2:-1]
    pid = names + b"X\x01\x00\x00\x00" + key.encode() + b"X\x03\x00\x00\x00cpu" + number + b"NtQ."
    facts = {"protocol_version": 1001, "little_endian": True}
    parts = [pickle.dumps(p, 2) for p in (0x1950A86A20F9469CFC6C, 1001, facts)]
    size = (numel if declared is None else declared).to_bytes(8, "little")
    keys = [key] if keys is None else keys
    return b"".join(parts) + pid + pickle.dumps(keys, 2) + size + data


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (storage_stream(7, bytes(27)), "truncated"),
        (storage_stream(2**60, bytes(28)), "truncated"),
        (storage_stream(7, bytes(28), declared=2**60), "another size than it declares"),
        (storage_stream(7, bytes(28), keys=["1"]), "does not hold the storages"),
        (storage_stream(7, bytes(28), keys=[]), "does not hold the storages"),
        (storage_stream(7, bytes(28), keys=[["0"]]), "does not hold the storages"),
        (storage_stream(7, bytes(28), kind="UntypedStorage"), "torch.UntypedStorage"),
        (storage_stream(7, bytes(56), kind="LongStorage"), "holds int64, not floats"),
        (storage_stream(7, bytes(28))[:40], "truncated"),
        (pickle.dumps(5, 2), "not a torch stream"),
        (b"", "truncated"),
    ],
)
def test_storages_are_what_they_declare(stream, message, tmp_path):
    tree, path = official_tree(make_state()), tmp_path / "network.pkl"
    call = Call(torch.storage._load_from_bytes, stream)
    tree.state["_modules"]["mapping"].state["_buffers"]["w_avg"] = rebuilt(call, 0, (7,), (1,))
    path.write_bytes(dumps({"G_ema": tree}))
    with pytest.raises(ValueError, match=message):
        load_generator(path)


def test_the_storage_that_the_bad_ones_were_made_from_is_read(tmp_path):
    tree, path = official_tree(make_state()), tmp_path / "network.pkl"
    stream = storage_stream(7, np.arange(7, dtype="<f4").tobytes())
    call = Call(torch.storage._load_from_bytes, stream)
    tree.state["_modules"]["mapping"].state["_buffers"]["w_avg"] = rebuilt(call, 0, (7,), (1,))
    path.write_bytes(dumps({"G_ema": tree}))
    np.testing.assert_array_equal(load_generator(path).module("cpu").mapping.w_avg, np.arange(7))


def test_a_text_decoded_over_and_over_does_not_grow(tmp_path):
    text = "a" * 100_000
    content = b"\x80\x02c_codecs\nencode\nq\x00X\xa0\x86\x01\x00" + text.encode() + b"q\x01"
    content += b"X\x06\x00\x00\x00latin1q\x02\x86R" + b"h\x00h\x01h\x02\x86R" * 100 + b"."
    path = tmp_path / "network.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="more than its own size"):
        load_generator(path)


def short(number):
    return b"M" + number.to_bytes(2, "little")


def shape_of(inside):
    """A tensor whose shape is what is given; its storage is a real one."""
    stream = storage_stream(7, bytes(28))
    storage = b"ctorch.storage\n_load_from_bytes\nB" + len(stream).to_bytes(4, "little") + stream
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"\x85RK\x00" + inside + b"2tR."


# a tuple of two references to a tuple of two references and so on: 2^64 items when written out
SHARED_PAIRS = b")" + b"2\x86" * 64
LONG_TEXT = b"X" + (200_000).to_bytes(4, "little") + b"a" * 200_000
BIG_INTEGER = b"\x8b" + (100_000).to_bytes(4, "little") + b"\x7f" * 100_000
NUMBERS = b"".join(map(short, range(50_000)))
PAIRS = b"".join(short(i) + b"N\x86" for i in range(50_000))
CALLS = b"0(" + b"h\x00h\x01\x85R" * 10_000 + b"t."
KEYS = b"".join(b"(" + b"h\x00" * 6 + short(i) + b"tNs" for i in range(20_000))
FACTS = storage_stream(7, bytes(28), keys=[])
BOMBS = {
    "a dict copied by every call": (
        b"ccollections\nOrderedDict\nq\x000](" + PAIRS + b"eq\x01" + CALLS,
        "more than its own size",
    ),
    "a set copied by every call": (
        b"cbuiltins\nset\nq\x000](" + NUMBERS + b"eq\x01" + CALLS,
        "more than its own size",
    ),
    "the name of a stub copied by every call": (
        b"\x8c\x01a" + LONG_TEXT + b"\x93q\x000(" + b"h\x00)R" * 50_000 + b"t.",
        r"names a\.aaaa|not a dict",
    ),
    "the shape of a tensor": (shape_of(SHARED_PAIRS), "not counts"),
    "axes without number": (shape_of(b"(" + b"K\x01" * 100_000 + b"t"), "not counts"),
    "a size of a million bits": (shape_of(BIG_INTEGER + b"\x85"), "an integer of"),
    "a key of many long parts": (
        LONG_TEXT + b"q\x000}(" + b"h\x00" * 100_000 + b"tNs.",
        "a tuple as a key",
    ),
    "many keys of long parts": (
        LONG_TEXT + b"q\x000}" + KEYS + b".",
        "no network under G_ema, but nothing",
    ),
    "the keys of the storages": (
        FACTS.replace(b"\x80\x02]q\x00.", b"\x80\x02]" + SHARED_PAIRS + b"a."),
        "does not hold the storages",
    ),
}


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
@pytest.mark.parametrize("name", BOMBS)
def test_small_files_that_unpack_to_large_ones(name, strict, tmp_path):
    content, message = BOMBS[name]
    path = tmp_path / "network.pkl"
    path.write_bytes(content if content.startswith(b"\x80") else b"\x80\x04" + content)
    with pytest.raises(ValueError, match=message) as caught:
        load_generator(path, strict=strict)
    assert len(str(caught.value)) < 1000


# in a process of its own, with little memory: what is tested may take the process
READ = """
import resource, sys
from time import process_time
import torch
from latentwalk import load_generator
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
start = process_time()
try:
    load_generator(sys.argv[1])
except ValueError as error:
    print(error)
print("seconds", process_time() - start)
"""


def read_apart(path, seconds=30.0):
    """Return the message of the error, once it came in time and as a ValueError."""
    command = [sys.executable, "-c", READ, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    message, _, took = done.stdout.strip().rpartition("\n")
    assert float(took.split()[1]) < seconds
    assert len(message) < 1500
    return message


def archive_of(data, path, **entries):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", data)
        for name, content in entries.items():
            archive.writestr(f"a/{name}", content)


def test_a_storage_type_nested_two_million_deep_does_not_take_the_process(tmp_path):
    """Hashing it would exhaust the stack, which nothing catches."""
    deep = b")" + b"\x85" * 2_000_000
    pid = b"(X\x07\x00\x00\x00storage(X\x05\x00\x00\x00torch" + deep
    pid += b"tX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ."
    archive_of(b"\x80\x02" + pid, tmp_path / "deep.pt")
    assert "nested more than 100 deep" in read_apart(tmp_path / "deep.pt")


@pytest.mark.parametrize("depth", [40, 90])
def test_a_storage_type_of_shared_pairs_is_not_hashed(depth, tmp_path):
    """Within the depth that is allowed, a hash would take 2^depth steps."""
    pairs = b")" + b"2\x86" * depth
    pid = b"(X\x07\x00\x00\x00storage(X\x05\x00\x00\x00torch" + pairs
    pid += b"tX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ."
    archive_of(b"\x80\x02" + pid, tmp_path / "pairs.pt")
    assert "storage of an unknown type" in read_apart(tmp_path / "pairs.pt")


def test_a_dtype_code_of_shared_pairs_is_not_printed(tmp_path):
    pairs = b")" + b"2\x86" * 60
    dtype = b"cnumpy\ndtype\n" + pairs + b"\x85R"
    content = b"\x80\x02cnumpy._core.multiarray\nscalar\n" + dtype + b"C\x08" + bytes(8)
    (tmp_path / "code.pkl").write_bytes(content + b"\x86R.")
    assert "a numpy scalar that is not a number" in read_apart(tmp_path / "code.pkl")


def test_one_module_under_thousands_of_names_is_not_read_for_each(tmp_path):
    tree, tensor = official_tree(make_state()), torch.zeros(1)
    parameters = {f"p{i}": tensor for i in range(20_000)}
    shared = Persistent("Layer", {"_parameters": parameters})
    tree.state["_modules"] |= {f"m{i}": shared for i in range(9_980)}
    (tmp_path / "many.pkl").write_bytes(dumps({"G_ema": tree}))
    assert (tmp_path / "many.pkl").stat().st_size < 2_000_000
    assert "more than its own size" in read_apart(tmp_path / "many.pkl")


def test_empty_children_are_not_walked_for_each_of_thousands(tmp_path):
    tree = official_tree(make_state())
    empty = {f"e{i}": None for i in range(100_000)}
    shared = Persistent("Layer", {"_modules": empty})
    tree.state["_modules"] |= {f"m{i}": shared for i in range(9_980)}
    (tmp_path / "empty.pkl").write_bytes(dumps({"G_ema": tree}))
    assert "more than its own size" in read_apart(tmp_path / "empty.pkl")


def test_a_storage_is_read_once_for_all_its_tensors(tmp_path):
    """A million numbers in one storage, and a thousand tensors of one number each in it."""
    numbers = torch.zeros(2_000_000)
    state = rosinality_state(make_state())
    state |= {f"extra{i}": numbers[i : i + 1] for i in range(3000)}
    torch.save({"g_ema": state}, tmp_path / "shared.pt")
    assert "extra" in read_apart(tmp_path / "shared.pt", seconds=10)


def test_entries_of_an_archive_that_overlap_are_bounded(tmp_path):
    path = tmp_path / "overlap.pt"
    torch.save({"g_ema": rosinality_state(make_state()) | {"x": torch.zeros(500_000)}}, path)
    with zipfile.ZipFile(path) as archive:
        (large,) = [i for i in archive.infolist() if i.file_size == 2_000_000]
    content = bytearray(path.read_bytes())
    # the directory sends every other storage to the large one
    entry, start = b"PK\x01\x02", 0
    while (start := content.find(entry, start)) >= 0:
        length = int.from_bytes(content[start + 28 : start + 30], "little")
        if b"/data/" in content[start + 46 : start + 46 + length]:
            content[start + 20 : start + 28] = (2_000_000).to_bytes(4, "little") * 2
            content[start + 42 : start + 46] = large.header_offset.to_bytes(4, "little")
        start += 4
    path.write_bytes(content)
    assert "was not opened" in read_apart(path)


@pytest.mark.parametrize(
    "view",
    [
        (0, (1,), (2**70,)),
        (0, (1, 7), (2**1000, 1)),
        (0, (0, 2**62), (1, 1)),
        (0, (0, 2**19, 2**19, 2**19, 2**19), (1,) * 5),
        (2**900, (0,), (1,)),
    ],
)
def test_huge_strides_and_sizes_raise_no_raw_error(view, tmp_path):
    tree = official_tree(make_state())
    storage = Call(torch.storage._load_from_bytes, storage_stream(7, bytes(28)))
    tree.state["_modules"]["mapping"].state["_buffers"]["w_avg"] = rebuilt(storage, *view)
    (tmp_path / "network.pkl").write_bytes(dumps({"G_ema": tree}))
    with pytest.raises(ValueError, match=r"network\.pkl was not opened"):
        load_generator(tmp_path / "network.pkl")


def test_one_tensor_does_not_stand_for_many(tmp_path):
    """In the tree of an official file, and in the table of the other layout."""
    path, big = tmp_path / "network.pkl", torch.zeros(1000, 1000)
    tree = official_tree(make_state())
    children = tree.state["_modules"]
    children |= {f"m{i}": Persistent("Layer", {"_buffers": {"x": big}}) for i in range(500)}
    path.write_bytes(dumps({"G_ema": tree}))
    assert path.stat().st_size < 5_000_000
    with pytest.raises(ValueError, match="more numbers than the file has bytes"):
        load_generator(path)
    state = rosinality_state(make_state())
    torch.save({"g_ema": state | {f"extra{i}": big for i in range(500)}}, path)
    with pytest.raises(ValueError, match="more numbers than the file has bytes"):
        load_generator(path)


def test_names_of_parts_are_short(tmp_path):
    path, tree = tmp_path / "network.pkl", official_tree(make_state())
    tree.state["_modules"] |= {"a" * 200: Persistent("Layer", {})}
    path.write_bytes(dumps({"G_ema": tree}))
    with pytest.raises(ValueError, match="without a valid name"):
        load_generator(path)


def test_a_network_that_contains_itself_ends(tmp_path):
    path = tmp_path / "network.pkl"
    # children are put in after the module was made: the dict is shared with the record
    modules = b"}q\x01"
    meta = b"X\x0a\x00\x00\x00class_nameX\x01\x00\x00\x00GX\x05\x00\x00\x00state"
    state = b"}(X\x08\x00\x00\x00_modules" + modules + b"u"
    name = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n"
    module = name + b"}(" + meta + state + b"u\x85Rq\x02"
    content = b"\x80\x02}(X\x05\x00\x00\x00G_ema" + module + b"u"
    content += b"h\x01X\x04\x00\x00\x00looph\x02s0."
    path.write_bytes(content)
    with pytest.raises(ValueError, match="nested without end"):
        load_generator(path)


def test_truncated_files_are_refused(tmp_path):
    content, path = official_pickle(make_state()), tmp_path / "network.pkl"
    for cut in range(1, len(content) - 1, len(content) // 60):
        path.write_bytes(content[:cut])
        with pytest.raises(ValueError, match=r"network\.pkl was not opened"):
            load_generator(path)


def test_damaged_files_raise_no_other_error(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "network.pkl"
    stream = io.BytesIO()
    torch.save({"g_ema": rosinality_state(make_state())}, stream)
    for content in (official_pickle(make_state()), stream.getvalue()):
        for _ in range(150):
            damaged = bytearray(content)
            for position in rng.integers(0, min(len(content), 4000), 4):
                damaged[position] = rng.integers(256)
            path.write_bytes(damaged)
            try:
                load_generator(path)
            except ValueError as error:
                assert "network.pkl" in str(error)


def test_foreign_classes_beside_g_ema_need_strict_false(tmp_path):
    module = types.ModuleType("foreign")
    module.Feature = type("Feature", (), {"__module__": "foreign"})
    sys.modules["foreign"] = module
    try:
        feature = module.Feature()
        feature.scale, feature.parts = 2.0, [module.Feature()]
        discriminator = Persistent(
            "Discriminator", {"feature": feature, "_modules": {"f": feature}}
        )
        top = {"D": discriminator, "G_ema": official_tree(make_state())}
        (tmp_path / "network.pkl").write_bytes(dumps(top))
        top["G_ema"].state["_modules"]["mapping"].state["_buffers"]["w_avg"] = feature
        (tmp_path / "inside.pkl").write_bytes(dumps(top))
        (tmp_path / "whole.pkl").write_bytes(dumps({"G_ema": feature}))
    finally:
        del sys.modules["foreign"]
    with pytest.raises(ValueError, match=r"names foreign\.Feature"):
        load_generator(tmp_path / "network.pkl")
    generator = load_generator(tmp_path / "network.pkl", strict=False)
    assert generator.image_shape == (1, 8, 8)
    assert pickle.loads(pickle.dumps(generator)).sample(1)[0].shape == (1, 1, 8, 8)
    assert generator.relocate(tmp_path / "network.pkl") == generator
    with pytest.raises(ValueError, match=r"G_ema holds foreign\.Feature"):
        load_generator(tmp_path / "inside.pkl", strict=False)
    with pytest.raises(ValueError, match=r"G_ema is a foreign\.Feature"):
        load_generator(tmp_path / "whole.pkl", strict=False)
