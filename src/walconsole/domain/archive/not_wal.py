"""What an object holds that is named like a WAL segment and does not begin like one.

Magic numbers from each format's own specification (gzip RFC 1952, zstd RFC 8878, the LZ4 frame
format, bzip2, xz, snappy's framing, lzop), from age's and OpenPGP's (RFC 9580), and OpenSSL's `enc`.
"""

import re

_MAGICS = (
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\x04\x22\x4d\x18", "compressed with lz4"),
    (b"\x02\x21\x4c\x18", "compressed with lz4 (legacy format)"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\x00", "compressed with xz"),
    (b"\x5d\x00\x00", "compressed with lzma"),
    (b"\xff\x06\x00\x00sNaPpY", "compressed with snappy"),
    (b"\x89LZO\x00\r\n\x1a\n", "compressed with lzop"),
    (b"PK\x03\x04", "a zip file"),
    (b"age-encryption.org/", "encrypted with age"),
    (b"-----BEGIN AGE ENCRYPTED FILE", "encrypted with age"),
    (b"-----BEGIN PGP MESSAGE", "encrypted with GPG"),
    (b"Salted__", "encrypted with a password by OpenSSL (pgBackRest does it too)"),
)
_ZSTD_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_OPENPGP = re.compile(
    rb"\x84.[\x03\x06]|\x85..[\x03\x06]|\xc1(?:[\x00-\xbf]|[\xc0-\xdf].)[\x03\x06]"  # for a public key
    rb"|\x8c.[\x04-\x06]|\xc3[\x00-\xbf][\x04-\x06]",  # by a passphrase
    re.DOTALL,
)
_AWS_CHUNKED = re.compile(rb"[0-9A-Fa-f]{1,8}(?:;chunk-signature=[0-9a-f]*)?\r\n|[0-9A-Fa-f]{1,8};chunk-sig")
_MARKUP = re.compile(rb"\s*<(?:\?xml|!doctype|html|error)", re.IGNORECASE)


def what_else(head: bytes) -> str:
    """What these first bytes are, in a few words; empty where nothing is recognised.

    Only the constants of this module are returned, never what the bytes say.
    """
    if not head:
        return "empty"
    if not head.strip(b"\x00"):
        return "nothing but zeroes"
    for magic, what in _MAGICS:
        if head.startswith(magic):
            return what
    if _ZSTD_SKIPPABLE.match(head):
        return "compressed with zstd (a skippable frame comes first)"
    if _OPENPGP.match(head):
        return "encrypted with GPG"
    if _AWS_CHUNKED.match(head):
        return "stored in aws-chunked encoding, as a newer SDK sends it: the store kept the chunks' headers"
    if _MARKUP.match(head):
        return "an XML or HTML document"
    return ""
