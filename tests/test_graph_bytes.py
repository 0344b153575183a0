"""A graph as bytes: what was dumped is loaded, and nothing else is taken for a graph."""

import base64
import gc
import hashlib
import struct
import tracemalloc
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

import pytest
from builder import ALICE, Room
from hypothesis import given
from hypothesis import strategies as st

from roomver import RoomGraph, RoomverError, WrongRoom, graph_bytes
from roomver.errors import NotAGraph
from roomver.graph import Dag
from roomver.graph_bytes import dump_dag, load_dag

HEADER = "<8sHBBIIIQ"


def id_of(number: int) -> str:
    digest = hashlib.sha256(str(number).encode()).digest()
    return "$" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    """Draw a graph whose keys are hashes, or short texts of any kind."""
    size = draw(st.integers(0, 12))
    hashes = draw(st.booleans())
    texts = st.text(st.characters(exclude_categories=()), max_size=6)
    keys = [id_of(n) for n in range(size)] if hashes else draw(st.lists(texts, unique=True, max_size=size))
    dag = Dag()
    for number, key in enumerate(keys):
        count = draw(st.integers(0, 4)) if number else 0
        parents = [keys[draw(st.integers(0, number - 1))] for _ in range(count)]
        dag.add(key, parents, leaf=draw(st.booleans()))
    return dag


def contents(dag: Dag) -> tuple[object, ...]:
    """Return all that a graph holds, except the order in which children were linked."""
    children = []
    for node in range(len(dag)):
        found = []
        edge = dag._first[node]
        while edge:
            found.append(dag._child[edge])
            edge = dag._next[edge]
        children.append(sorted(found))
    return dag.keys, dag._index, dag._offsets, dag._parents, children, dag._leaves, len(dag._child)


@given(dags(), st.binary(max_size=5))
def test_what_was_dumped_is_loaded(dag: Dag, label: bytes) -> None:
    data = dump_dag(dag, label)
    loaded, found = load_dag(data)
    assert found == label
    assert contents(loaded) == contents(dag)
    assert dump_dag(loaded, label) == data
    for kind in (bytearray, memoryview):
        assert contents(load_dag(kind(data))[0]) == contents(dag)
    # It grows like the original.
    for one in (dag, loaded):
        one.add("new", one.keys[-3:])
    assert contents(loaded) == contents(dag)


def test_a_node_may_have_more_parents_than_a_byte_counts() -> None:
    dag = Dag()
    names = [dag.keys[dag.add(str(n), [])] for n in range(300)]
    dag.add("all", names)
    data = dump_dag(dag, b"")
    assert contents(load_dag(data)[0]) == contents(dag)
    assert len(data) == 32 + (4 * 301 + len("".join(dag.keys))) + 4 * 301 + 4 * 300 + 38 + 32


def _of_hashes() -> Dag:
    dag = Dag()
    dag.add(id_of(0), [])
    dag.add(id_of(1), [id_of(0)])
    dag.add(id_of(2), [id_of(0), id_of(1)], leaf=True)
    return dag


def _of_texts() -> Dag:
    dag = Dag()
    dag.add("$a:x", [])
    dag.add("$é:x", ["$a:x"])
    dag.add("", ["$é:x"], leaf=True)
    return dag


def test_the_bytes_are_those_of_the_description() -> None:
    # Written by hand, so that they do not change with the code or the machine.
    body = b"".join(
        [
            b"\x89RVGRAPH",
            b"\x01\x00\x01\x01",
            b"\x03\x00\x00\x00",
            b"\x03\x00\x00\x00",
            b"\x02\x00\x00\x00",
            b"\x60\x00\x00\x00\x00\x00\x00\x00",
            b"hi",
            *(hashlib.sha256(b"%d" % number).digest() for number in range(3)),
            b"\x00\x01\x02",
            b"\x00\x00\x00\x00" + b"\x00\x00\x00\x00" + b"\x01\x00\x00\x00",
            b"\x04",
        ]
    )
    assert dump_dag(_of_hashes(), b"hi") == body + hashlib.sha256(body).digest()
    body = b"".join(
        [
            b"\x89RVGRAPH",
            b"\x01\x00\x00\x01",
            b"\x03\x00\x00\x00",
            b"\x02\x00\x00\x00",
            b"\x00\x00\x00\x00",
            b"\x15\x00\x00\x00\x00\x00\x00\x00",
            b"\x04\x00\x00\x00" + b"\x05\x00\x00\x00" + b"\x00\x00\x00\x00" + b"$a:x$\xc3\xa9:x",
            b"\x00\x01\x01",
            b"\x00\x00\x00\x00" + b"\x01\x00\x00\x00",
            b"\x04",
        ]
    )
    assert dump_dag(_of_texts(), b"") == body + hashlib.sha256(body).digest()


@pytest.mark.parametrize(
    "key",
    [
        "$" + "A" * 42,  # too short
        "#" + "A" * 43,  # another sigil
        "$" + "A" * 42 + "/",  # the standard alphabet, as in room version 3
        "$" + "A" * 42 + "B",  # bits after the 32 bytes
        "$" + "A" * 42 + "=",
        "$" + "A" * 42 + "é",
    ],
)
def test_keys_that_are_not_hashes_are_kept_as_they_are(key: str) -> None:
    dag = _of_hashes()
    dag.add(key, [])
    data = dump_dag(dag, b"")
    assert data[10] == 0
    assert contents(load_dag(data)[0]) == contents(dag)


def test_big_endian_machines_write_and_read_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a big-endian machine an array has its bytes in the other order, and so they are swapped twice here.
    integers = graph_bytes._integers(memoryview(b"\x01\x02\x00\x00"))
    assert integers.tolist() == [0x201]
    monkeypatch.setattr(graph_bytes, "_SWAPPED", not graph_bytes._SWAPPED)
    assert graph_bytes._integers(memoryview(b"\x01\x02\x00\x00")).tolist() == [0x01020000]
    assert graph_bytes._little_endian(integers) == b"\x00\x00\x02\x01"
    assert integers.tolist() == [0x201]
    assert contents(load_dag(dump_dag(_of_texts(), b""))[0]) == contents(_of_texts())


# Damage


@pytest.mark.parametrize("dag", [_of_hashes(), _of_texts(), Dag()])
def test_no_flipped_bit_and_no_cut_is_missed(dag: Dag) -> None:
    data = dump_dag(dag, b"label")
    for place in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            with pytest.raises(NotAGraph):
                load_dag(damaged)
        with pytest.raises(NotAGraph):
            load_dag(data[:place])
        with pytest.raises(NotAGraph):
            load_dag(data[place + 1 :])
    with pytest.raises(NotAGraph, match=f"they are {len(data) + 1} bytes long, but {len(data)} by their"):
        load_dag(data + b"\0")


@given(dags(), st.data())
def test_damage_of_any_kind_is_an_error(dag: Dag, data: st.DataObject) -> None:
    whole = dump_dag(dag, b"")
    damaged = bytearray(whole)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    damaged[start:end] = data.draw(st.binary(max_size=40))
    if damaged == whole:
        return
    with pytest.raises(RoomverError):
        load_dag(damaged)


# Crafted bytes, whose checksum is right


class Crafted(NamedTuple):
    """A graph of three nodes, as its parts."""

    magic: bytes = b"\x89RVGRAPH"
    version: int = 1
    form: int = 0
    width: int = 1
    nodes: int | None = None
    edges: int | None = None
    label_size: int = 0
    keys_size: int | None = None
    lengths: Sequence[int] = (1, 1, 1)
    keys: bytes = b"abc"
    counts: Sequence[int] = (0, 1, 1)
    parents: Sequence[int] = (0, 1)
    leaves: bytes = b"\x04"

    def data(self) -> bytes:
        keys = struct.pack(f"<{len(self.lengths)}I", *self.lengths) + self.keys
        return _signed(
            struct.pack(
                HEADER,
                self.magic,
                self.version,
                self.form,
                self.width,
                len(self.counts) if self.nodes is None else self.nodes,
                len(self.parents) if self.edges is None else self.edges,
                self.label_size,
                len(keys) if self.keys_size is None else self.keys_size,
            )
            + keys
            + struct.pack(f"<{len(self.counts)}{'B' if self.width == 1 else 'I'}", *self.counts)
            + struct.pack(f"<{len(self.parents)}I", *self.parents)
            + self.leaves
        )


def _signed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def test_the_crafted_graph_is_good_as_it_is() -> None:
    assert load_dag(Crafted().data())[0].keys == ["a", "b", "c"]
    assert load_dag(Crafted(width=4).data())[0].keys == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("crafted", "reason"),
    [
        (Crafted(magic=b"SQLite f"), "they do not begin like one"),
        (Crafted(version=2), "they are in version 2 of the form, and this release reads 1"),
        (Crafted(form=2), "the header has values that version 1 does not define"),
        (Crafted(width=2), "the header has values that version 1 does not define"),
        (Crafted(nodes=2**32 - 1), "they are 91 bytes long, but 4,831,838,294 by their header"),
        (Crafted(edges=2**32 - 1), "they are 91 bytes long, but 17,179,869,263 by their header"),
        (Crafted(label_size=2**32 - 1), "they are 91 bytes long, but 4,294,967,386 by their header"),
        (Crafted(keys_size=2**64 - 1), "they are 91 bytes long, but 18,446,744,073,709,551,691 by their"),
        (Crafted(form=1), "the hashes are not 32 bytes each"),
        (Crafted(lengths=(1, 1), keys=b"a"), "the sizes of the keys are cut off"),
        (Crafted(lengths=(1, 1, 2)), "the sizes of the keys do not add up"),
        (Crafted(lengths=(2**32 - 1, 4, 1)), "the sizes of the keys do not add up"),
        (Crafted(keys=b"a\xffc"), "a key is not UTF-8"),
        (Crafted(keys=b"aba"), "two nodes have the same key"),
        (Crafted(counts=(0, 1, 2)), "the counts of parents do not add up to the edges"),
        (Crafted(width=4, counts=(0, 2**32 - 1, 3)), "the counts of parents do not add up to the edges"),
        (Crafted(parents=(0, 2)), "a parent does not come before its child"),
        (Crafted(parents=(1, 0)), "a parent does not come before its child"),
        (Crafted(counts=(1, 1, 0)), "a parent does not come before its child"),
        (Crafted(parents=(0, 3)), "a parent does not come before its child"),
        (Crafted(parents=(0, 2**32 - 1)), "a parent does not come before its child"),
        (Crafted(leaves=b"\x02"), "a leaf is a parent"),
        (Crafted(leaves=b"\x08"), "there are leaves after the last node"),
        (Crafted(leaves=b"\x80"), "there are leaves after the last node"),
    ],
)
def test_crafted_bytes_are_refused(crafted: Crafted, reason: str) -> None:
    with pytest.raises(NotAGraph) as caught:
        load_dag(crafted.data())
    assert caught.value.reason.startswith(reason)
    assert str(caught.value).endswith("; build the graph again from the events")


@given(dags(), st.data())
def test_crafted_bytes_lead_to_a_sound_graph_or_to_an_error(dag: Dag, data: st.DataObject) -> None:
    body = bytearray(dump_dag(dag, b"")[:-32])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(8, len(body) - 1))
        body[place] = data.draw(st.integers(0, 255))
    try:
        loaded, label = load_dag(_signed(bytes(body)))
    except NotAGraph:
        return
    # What is loaded is a graph that could have been built.
    built = Dag()
    for node, key in enumerate(loaded.keys):
        above = [loaded.keys[parent] for parent in loaded.parents(node)]
        assert built.add(key, above, leaf=node in loaded._leaves) == node
    assert contents(built) == contents(loaded)
    assert contents(load_dag(dump_dag(loaded, label))[0]) == contents(loaded)


def _peak(data: bytes) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        with suppress(NotAGraph):
            load_dag(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _large(nodes: int, keys: Iterable[bytes]) -> bytes:
    texts = list(keys)
    return Crafted(
        lengths=[len(key) for key in texts],
        keys=b"".join(texts),
        counts=[0] * nodes,
        parents=(),
        leaves=bytes((nodes + 7) // 8),
    ).data()


@pytest.mark.parametrize(
    "data",
    [
        _large(20_000, (struct.pack(">I", n).hex().lstrip("0").encode() for n in range(20_000))),
        _large(20_000, (b"" for _ in range(20_000))),
        _large(1, [b"a" * 100_000 + "\U0001f600".encode()]),
        Crafted(counts=[0, *[255] * 100], parents=[0] * 25_500, leaves=bytes(13), keys=b"x" * 101).data(),
        Crafted(nodes=2**32 - 1).data(),
        Crafted(keys_size=2**60).data(),
        dump_dag(_of_hashes(), bytes(100_000)),
    ],
)
def test_memory_is_bounded_by_the_bytes(data: bytes) -> None:
    assert _peak(data) < 60 * len(data) + 20_000


# The graph of a room


def _room() -> Room:
    room = Room("11", signed=False)
    room.join(ALICE)
    room.power({"users": {ALICE: 100}})
    room.add("m.room.message", ALICE, {})
    return room


def test_a_loaded_graph_goes_on_in_its_room() -> None:
    room = _room()
    *earlier, last = room.events.values()
    graph = RoomGraph.load(RoomGraph(earlier).dump())
    assert len(graph) == len(earlier)
    graph.add(last)
    assert graph.dump() == RoomGraph(room.events.values()).dump()
    with pytest.raises(WrongRoom):
        graph.add(next(iter(Room("10", signed=False).events.values())))
    empty = RoomGraph.load(RoomGraph().dump())
    assert len(empty) == 0
    empty.add_all(room.events.values())


@pytest.mark.parametrize(
    "label", [b"[]", b'["!r:x"]', b'["!r:x",11]', b'["!r:x","11",1]', b"{}", b"\xff", b"["]
)
def test_a_room_must_be_named(label: bytes) -> None:
    with pytest.raises(NotAGraph, match="the room is not named by its ID and version"):
        RoomGraph.load(dump_dag(_of_hashes(), label))
