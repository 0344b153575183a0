"""A `Dag` as bytes, so that a program need not build it again after a restart.

This module knows nothing of Matrix but the form of the keys: most are ``$`` and 32 bytes in base64.

The bytes, version 1. All integers are unsigned and little-endian.

======  ======================  ========================================================================
offset  size                    what
======  ======================  ========================================================================
0       8                       ``89 52 56 47 52 41 50 48``, that is ``\\x89RVGRAPH``
8       2                       1, the version of this form
10      1                       the form of the keys: 0 for text, 1 for hashes
11      1                       the size of a count of parents: 1 or 4
12      4                       *n*, the number of nodes
16      4                       *e*, the number of edges
20      4                       *l*, the size of the label
24      8                       *k*, the size of the keys
32      *l*                     the label, which belongs to the caller
...     *k*                     the keys, in the order of the nodes. Hashes: 32 bytes each, for the key that
                                is ``$`` and their unpadded URL-safe base64. Text: first the size of each in
                                4 bytes, then all of them, in UTF-8
...     *n*, or 4 · *n*         how many parents each node has
...     4 · *e*                 the parents of each node, by number, nodes in order. Each is less than the
                                node's own number
...     (*n* + 7) // 8          the leaves: bit *i* % 8 of byte *i* // 8 stands for node *i*. No leaf is a
                                parent. The bits after the last node are 0
...     32                      SHA-256 of all bytes before
======  ======================  ========================================================================

A node with three parents takes 45 bytes if its key is a hash. Hashes cannot be compressed, and the rest can:
zlib takes the bytes to three quarters.

What we tried, on 1,000,000 nodes with 3,000,000 edges (CPython 3.11):

* *The index of children is not in the bytes* but is made on loading, which takes a third of the time to load.
  It would take 28 bytes more per node, and crafted links could lead a walk in a circle.
"""

from array import array
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import accumulate, chain, compress, pairwise, repeat
from operator import lt
from struct import Struct
from typing import Final

from .errors import NotAGraph
from .graph import Dag

MAGIC: Final = b"\x89RVGRAPH"
VERSION: Final = 1

_HEADER: Final = Struct("<8sHBBIIIQ")
_CHECKSUM_SIZE: Final = 32
_TEXT: Final = 0
_HASHES: Final = 1
_HASH_SIZE: Final = 32
# "$" and 43 characters.
_KEY_LENGTH: Final = 44
_URL_SAFE: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_SWAPPED: Final = array("H", [1]).tobytes() != b"\x01\x00"
"""Whether this machine is big-endian."""


def dump_dag(dag: Dag, label: bytes) -> bytes:
    """Return a graph as bytes, with a label of the caller.

    Cost: linear in the edges.
    """
    keys, offsets, parents, leaves = dag.parts()
    counts = array("I", map(int.__sub__, offsets[1:], offsets))
    form, packed_keys = _pack_keys(keys)
    wide = max(counts, default=0) > 255
    bits = bytearray((len(keys) + 7) // 8)
    for leaf in leaves:
        bits[leaf >> 3] |= 1 << (leaf & 7)
    header = _HEADER.pack(
        MAGIC, VERSION, form, 4 if wide else 1, len(keys), len(parents), len(label), len(packed_keys)
    )
    parts = (
        header,
        label,
        packed_keys,
        _little_endian(counts) if wide else bytes(counts.tolist()),
        _little_endian(parents),
        bits,
    )
    checksum = sha256()
    for part in parts:
        checksum.update(part)
    return b"".join((*parts, checksum.digest()))


def load_dag(data: bytes | bytearray | memoryview) -> tuple[Dag, bytes]:
    """Return the graph that `dump_dag` made bytes of, and the label.

    Everything is checked: a graph that this returns is one that `Dag.add` could have built.

    Raises:
        NotAGraph: if the bytes are not such a graph.

    Cost: linear in the bytes, in time and memory.
    """
    view = memoryview(data).cast("B")
    if bytes(view[: len(MAGIC)]) != MAGIC:
        raise NotAGraph("they do not begin like one")
    if len(view) < _HEADER.size + _CHECKSUM_SIZE:
        raise NotAGraph("they are cut off in the header")
    _, version, form, width, nodes, edges, label_size, keys_size = _HEADER.unpack_from(view)
    if version != VERSION:
        raise NotAGraph(f"they are in version {version} of the form, and this release reads {VERSION}")
    if form not in (_TEXT, _HASHES) or width not in (1, 4):
        raise NotAGraph("the header has values that version 1 does not define")
    # The header is not used for anything before it is known to describe these bytes. So no number in it
    # makes the program reserve more than a multiple of what was passed in.
    sizes = (label_size, keys_size, nodes * width, 4 * edges, (nodes + 7) // 8, _CHECKSUM_SIZE)
    ends = list(accumulate(sizes, initial=_HEADER.size))
    if ends[-1] != len(view):
        raise NotAGraph(f"they are {len(view):,} bytes long, but {ends[-1]:,} by their header")
    if sha256(view[: ends[-2]]).digest() != view[ends[-2] :]:
        raise NotAGraph("the checksum does not match, so some of them have changed")
    label, packed_keys, packed_counts, packed_parents, bits, _ = (
        view[start:end] for start, end in pairwise(ends)
    )
    keys = _unpack_keys(packed_keys, nodes, form)
    counts: Sequence[int] = bytes(packed_counts) if width == 1 else _integers(packed_counts)
    if sum(counts) != edges:
        raise NotAGraph("the counts of parents do not add up to the edges")
    return _made(keys, counts, _integers(packed_parents), _flags(bits, nodes)), bytes(label)


def _made(keys: list[str], counts: Sequence[int], parents: "array[int]", is_leaf: list[bool]) -> Dag:
    """Return a graph of its parts."""
    nodes = range(len(keys))
    dag = Dag()
    dag.keys = keys
    dag._index = dict(zip(keys, nodes, strict=True))
    if len(dag._index) < len(keys):
        raise NotAGraph("two nodes have the same key")
    dag._offsets = array("I", accumulate(counts, initial=0))
    dag._parents = parents
    children = array("I", chain.from_iterable(map(repeat, nodes, counts)))
    # So there are no cycles, and every parent exists.
    if not all(map(lt, parents, children)):
        raise NotAGraph("a parent does not come before its child")
    dag._leaves = set(compress(nodes, is_leaf))
    linked: Iterable[int] = parents
    if dag._leaves:
        if not dag._leaves.isdisjoint(parents):
            raise NotAGraph("a leaf is a parent")
        kept = bytes(chain.from_iterable(map(repeat, [not leaf for leaf in is_leaf], counts)))
        linked = compress(parents, kept)
        children = array("I", compress(children, kept))
    dag._child.extend(children)
    first = dag._first = array("I", bytes(4 * len(keys)))
    following = dag._next
    for edge, parent in enumerate(linked, 1):
        following.append(first[parent])
        first[parent] = edge
    return dag


def _pack_keys(keys: list[str]) -> tuple[int, bytes]:
    """Return the form of the keys, and the keys as bytes."""
    hashes = _pack_hashes(keys)
    if hashes is not None:
        return _HASHES, hashes
    # Any string can be a key, even one with a lone surrogate.
    texts = [key.encode("utf-8", "surrogatepass") for key in keys]
    return _TEXT, b"".join([_little_endian(array("I", map(len, texts))), *texts])


def _pack_hashes(keys: list[str]) -> bytes | None:
    """Return the hashes of keys; None if a key is not ``$`` and 32 bytes in URL-safe base64."""
    if any(len(key) != _KEY_LENGTH for key in keys):
        return None
    text = "".join(keys)
    if not text.isascii() or text[::_KEY_LENGTH].strip("$"):
        return None
    # Shift by one: then each hash is followed by the sigil of the next, which becomes padding. 43 characters
    # and an "A" are the base64 of 32 bytes and a zero byte.
    characters = bytearray(text, "ascii")
    del characters[:1]
    characters.extend(b"A" * bool(keys))
    characters[_KEY_LENGTH - 1 :: _KEY_LENGTH] = b"A" * len(keys)
    if characters.translate(None, _URL_SAFE):
        return None
    hashes = bytearray(a2b_base64(characters.translate(_TO_STANDARD)))
    if hashes[_HASH_SIZE :: _HASH_SIZE + 1].strip(b"\0"):
        return None  # bits that are not in the 32 bytes
    del hashes[_HASH_SIZE :: _HASH_SIZE + 1]
    return bytes(hashes)


def _unpack_keys(packed: memoryview, count: int, form: int) -> list[str]:
    if form == _HASHES:
        if len(packed) != count * _HASH_SIZE:
            raise NotAGraph("the hashes are not 32 bytes each")
        hashes = [packed[start : start + _HASH_SIZE] for start in range(0, len(packed), _HASH_SIZE)]
        texts = [b2a_base64(one, newline=False).translate(_TO_URL_SAFE, b"=") for one in hashes]
        return ["$" + text.decode("ascii") for text in texts]
    if len(packed) < 4 * count:
        raise NotAGraph("the sizes of the keys are cut off")
    lengths = _integers(packed[: 4 * count])
    if sum(lengths) != len(packed) - 4 * count:
        raise NotAGraph("the sizes of the keys do not add up")
    keys = []
    end = 4 * count
    try:
        for length in lengths:
            start, end = end, end + length
            keys.append(str(packed[start:end], "utf-8", "surrogatepass"))
    except UnicodeDecodeError:
        raise NotAGraph("a key is not UTF-8") from None
    return keys


def _flags(bits: memoryview, count: int) -> list[bool]:
    """Return a bool for each of some bits."""
    number = int.from_bytes(bits, "little")
    if number >> count:
        raise NotAGraph("there are leaves after the last node")
    digits = f"{number:0{count}b}" if count else ""
    return [digit == "1" for digit in reversed(digits)]


def _integers(packed: memoryview) -> "array[int]":
    result = array("I")
    result.frombytes(packed)
    if _SWAPPED:
        result.byteswap()
    return result


def _little_endian(integers: "array[int]") -> bytes:
    if _SWAPPED:
        integers = integers[:]
        integers.byteswap()
    return integers.tobytes()
