"""Bytes: their encodings, single bits and bytes of them, digests and checksums. Each distinct argument is seen once."""

import base64
import binascii
import hashlib
import hmac
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from engine import types
from engine.errors import ArraySubscript, InvalidArgument, InvalidEncoding, InvalidText, Untranslatable
from engine.expr.columns import each
from engine.expr.functions import checksums
from engine.expr.registry import Function
from engine.expr.text_forms import hex_bytes

DIGESTS: Final = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"})


def _raw(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _encode(data: bytes, form: str) -> str:
    match form.lower():
        case "hex":
            return data.hex()
        case "base64":
            text = base64.b64encode(data).decode()
            return "\n".join(text[at : at + 76] for at in range(0, len(text), 76))
        case "escape":
            return "".join(
                "\\\\" if byte == 92 else f"\\{byte:03o}" if byte == 0 or byte > 127 else chr(byte) for byte in data
            )
        case _:
            raise InvalidArgument(f'unrecognized encoding: "{form}"')


def _decode(text: str, form: str) -> bytes:
    match form.lower():
        case "hex":
            return hex_bytes(text)
        case "base64":
            try:
                return base64.b64decode("".join(text.split()), validate=True)
            except binascii.Error:
                raise InvalidArgument("invalid base64 end sequence") from None
        case "escape":
            return _unescaped(text)
        case _:
            raise InvalidArgument(f'unrecognized encoding: "{form}"')


def _unescaped(text: str) -> bytes:
    out = bytearray()
    at = 0
    while at < len(text):
        if text[at] != "\\":
            out += text[at].encode()
            at += 1
        elif text[at + 1 : at + 2] == "\\":
            out.append(92)
            at += 2
        elif len(text) >= at + 4 and all(digit in "01234567" for digit in text[at + 1 : at + 4]):
            out.append(int(text[at + 1 : at + 4], 8) & 255)
            at += 4
        else:
            raise InvalidText("invalid input syntax for type bytea")
    return bytes(out)


ENCODINGS: Final = {
    "utf8": "utf-8", "unicode": "utf-8", "sqlascii": "utf-8", "latin1": "latin-1", "iso88591": "latin-1",
    "latin2": "iso8859_2", "latin3": "iso8859_3", "latin4": "iso8859_4", "latin5": "iso8859_9", "latin6": "iso8859_10",
    "latin7": "iso8859_13", "latin8": "iso8859_14", "latin9": "iso8859_15", "latin10": "iso8859_16",
    **{f"iso8859{part}": f"iso8859_{part}" for part in (5, 6, 7, 8)},
    **{f"win{page}": f"cp{page}" for page in (866, 874, *range(1250, 1259))},
    "koi8r": "koi8_r", "koi8": "koi8_r", "koi8u": "koi8_u", "eucjp": "euc_jp", "eucjis2004": "euc_jis_2004",
    "euckr": "euc_kr", "euccn": "gb2312", "sjis": "shift_jis", "shiftjis": "shift_jis", "big5": "big5", "gbk": "gbk",
    "gb18030": "gb18030", "uhc": "cp949", "johab": "johab",
}  # fmt: skip
"""PostgreSQL's names of encodings, their signs left out, and the codecs that they are."""


def _codec(name: str, side: str) -> str:
    found = ENCODINGS.get("".join(letter for letter in name.lower() if letter.isalnum()))
    if found is None:
        raise InvalidArgument(f'invalid {side} encoding name "{name}"')
    return found


def _convert_from(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(_codec(encoding, "source"))
    except UnicodeDecodeError:
        raise InvalidEncoding(f'invalid byte sequence for encoding "{_encoding_name(encoding)}"') from None
    if "\x00" in text:
        raise InvalidEncoding(f'invalid byte sequence for encoding "{_encoding_name(encoding)}": 0x00')
    return text


def _convert_to(text: str, encoding: str) -> bytes:
    try:
        return text.encode(_codec(encoding, "destination"))
    except UnicodeEncodeError as error:
        shown = " ".join(f"0x{byte:02x}" for byte in text[error.start].encode())
        raise Untranslatable(
            f'character with byte sequence {shown} in encoding "UTF8" has no equivalent in encoding '
            f'"{_encoding_name(encoding)}"'
        ) from None


def _encoding_name(name: str) -> str:
    shown = name.upper().replace("-", "")
    return "UTF8" if shown == "UNICODE" else shown


def _digest_name(name: str) -> str:
    if name.lower() not in DIGESTS:
        raise InvalidArgument(f'invalid hash algorithm "{name}"')
    return name.lower()


def _digest(data: str | bytes, name: str) -> bytes:
    return hashlib.new(_digest_name(name), _raw(data), usedforsecurity=False).digest()


def _hmac(data: str | bytes, key: str | bytes, name: str) -> bytes:
    return hmac.new(_raw(key), _raw(data), _digest_name(name)).digest()


def _md5(data: str | bytes) -> str:
    return hashlib.md5(_raw(data), usedforsecurity=False).hexdigest()


def _sha(name: str) -> Callable[[bytes], bytes]:
    return lambda data: hashlib.new(name, data).digest()


def _at(data: bytes, index: int, width: int) -> None:
    """Refuses an index outside of data that has `width` elements a byte."""
    if not 0 <= index < len(data) * width:
        raise ArraySubscript(f"index {index} out of valid range, 0..{len(data) * width - 1}")


def _get_byte(data: bytes, index: int) -> int:
    _at(data, index, 1)
    return data[index]


def _set_byte(data: bytes, index: int, value: int) -> bytes:
    _at(data, index, 1)
    return data[:index] + bytes((value & 255,)) + data[index + 1 :]


def _get_bit(data: bytes, index: int) -> int:
    _at(data, index, 8)
    return data[index >> 3] >> (index & 7) & 1


def _set_bit(data: bytes, index: int, value: int) -> bytes:
    _at(data, index, 8)
    if value not in (0, 1):
        raise InvalidArgument("new bit must be 0 or 1")
    bit = 1 << (index & 7)
    old = data[index >> 3]
    return _set_byte(data, index >> 3, old | bit if value else old & ~bit)


def _bit_count(data: bytes) -> int:
    return int.from_bytes(data, "big").bit_count()


def _constant_time_eq(a: str | bytes, b: str | bytes) -> bool:
    return hmac.compare_digest(_raw(a), _raw(b))


def _length_in(data: bytes, encoding: str) -> int:
    return len(_convert_from(data, encoding))


def _uuid_v5(namespace: bytes, name: str) -> bytes:
    return uuid.uuid5(uuid.UUID(bytes=namespace), name).bytes


def _rows() -> Iterator[Function]:
    text, number, big, data = types.TEXT, types.INTEGER, types.BIGINT, types.BYTEA
    yield each("length", (data, text), number, _length_in, "how many characters, in that encoding", can_fail=True)
    yield each("bit_count", (data,), big, _bit_count, "how many bits are set")
    yield each("get_byte", (data, number), number, _get_byte, "the byte at an index from 0", can_fail=True)
    yield each("set_byte", (data, number, number), data, _set_byte, "with the byte at index y being z", can_fail=True)
    for kind in (number, big):
        doc = "the bit at an index from 0, the lowest of each byte first"
        yield each("get_bit", (data, kind), number, _get_bit, doc, can_fail=True)
        yield each("set_bit", (data, kind, number), data, _set_bit, "with the bit at index y being z", can_fail=True)
    yield each("reverse", (data,), data, lambda value: value[::-1], "backwards")
    yield each("encode", (data, text), text, _encode, "bytes as text: hex, base64 or escape", can_fail=True)
    yield each("decode", (text, text), data, _decode, "the bytes of a text: hex, base64 or escape", can_fail=True)
    yield each("convert_from", (data, text), text, _convert_from, "bytes read as text", can_fail=True)
    yield each("convert_to", (text, text), data, _convert_to, "the bytes of a text", can_fail=True)
    for kind in (text, data):
        yield each("md5", (kind,), text, _md5, "MD5 in hexadecimal digits")
        yield each("digest", (kind, text), data, _digest, "the digest by md5, sha1, sha224 ... sha512", can_fail=True)
        yield each("hmac", (kind, kind, text), data, _hmac, "HMAC under a key", can_fail=True)
        yield each("crc32", (kind,), big, lambda value: zlib.crc32(_raw(value)), "CRC-32")
        yield each("crc32c", (kind,), big, lambda value: checksums.crc32c(_raw(value)), "CRC-32C, Castagnoli's")
        doc = "Murmur2 with the seed of Kafka's partitioner"
        yield each("kafka_murmur2", (kind,), number, lambda value: checksums.murmur2(_raw(value)), doc)
        doc = "equality, in a time that tells nothing of where x and y differ"
        yield each("constant_time_eq", (kind, kind), types.BOOLEAN, _constant_time_eq, doc)
    for name in ("sha224", "sha256", "sha384", "sha512"):
        yield each(name, (data,), data, _sha(name), "the digest")
    doc = "the UUID, version 5, of a name in a namespace"
    yield each("uuid_generate_v5", (types.UUID, text), types.UUID, _uuid_v5, doc)


FUNCTIONS: Final = tuple(_rows())
