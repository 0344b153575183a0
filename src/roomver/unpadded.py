"""Unpadded base64, in both directions: the encoding of hashes, keys and signatures.

Source: https://spec.matrix.org/latest/appendices/#unpadded-base64
"""

import re
from binascii import a2b_base64

from unpaddedbase64 import encode_base64

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")


def encode_unpadded(data: bytes, *, urlsafe: bool = False) -> str:
    """Encode bytes as base64 without padding.

    Args:
        data: the bytes.
        urlsafe: use ``-`` and ``_`` in place of ``+`` and ``/``.

    >>> encode_unpadded(b"\\xfb\\xff"), encode_unpadded(b"\\xfb\\xff", urlsafe=True)
    ('+/8', '-_8')
    """
    return encode_base64(data, urlsafe)


def decode_unpadded(text: str) -> bytes | None:
    """Decode base64 in the standard or the URL-safe alphabet, with or without padding.

    Returns None for anything else: a character outside the alphabets, or a length that no bytes
    encode to. Unused bits at the end are ignored: ``YR`` and ``YQ`` decode to the same byte.

    >>> decode_unpadded("YQ"), decode_unpadded("YR=="), decode_unpadded("Y$Q")
    (b'a', b'a', None)
    """
    # Python's decoder skips characters outside the alphabet, so the pattern is checked first. The
    # decoder is called directly, with as much padding as it could need: unpaddedbase64's
    # decode_base64 takes three times as long, and this runs for every signature.
    bare = text.rstrip("=")
    if not _BASE64.fullmatch(text) or len(bare) % 4 == 1:
        return None
    return a2b_base64(bare.replace("-", "+").replace("_", "/") + "==")
