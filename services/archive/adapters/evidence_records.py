"""Evidence records as DER (RFC 4998 appendix A), by asn1crypto."""

from collections.abc import Sequence
from typing import Any, ClassVar

from asn1crypto import algos, cms, core

from services.archive.domain.evidence import ArchiveTimeStamp, Chain, EvidenceRecord, Lists, chains_encoded, der_sequence

MOST_BYTES = 1 << 20
_VERSION = core.Integer(1).dump()


class _PartialHashtree(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.OctetString


class _ReducedHashtree(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _PartialHashtree


class _ArchiveTimeStamp(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar = [
        ("digest_algorithm", algos.DigestAlgorithm, {"implicit": 0, "optional": True}),
        ("attributes", cms.CMSAttributes, {"implicit": 1, "optional": True}),
        ("reduced_hashtree", _ReducedHashtree, {"implicit": 2, "optional": True}),
        ("time_stamp", cms.ContentInfo),
    ]


class _Chain(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _ArchiveTimeStamp


class _Sequence(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _Chain


class _DigestAlgorithms(core.SequenceOf):  # type: ignore[misc]
    _child_spec = algos.DigestAlgorithm


class _CryptoInfos(core.SequenceOf):  # type: ignore[misc]
    _child_spec = cms.CMSAttribute


class _EncryptionInfo(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar = [("encryption_info_type", core.ObjectIdentifier), ("encryption_info_value", core.Any)]


class _EvidenceRecord(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar = [
        ("version", core.Integer),
        ("digest_algorithms", _DigestAlgorithms),
        ("crypto_infos", _CryptoInfos, {"implicit": 0, "optional": True}),
        ("encryption_info", _EncryptionInfo, {"implicit": 1, "optional": True}),
        ("archive_time_stamp_sequence", _Sequence),
    ]


def archive_time_stamp(algorithm: str, lists: Lists, token: bytes) -> ArchiveTimeStamp:
    """A time stamp with a leaf's way to what it is over, encoded."""
    fields: dict[str, Any] = {"digest_algorithm": {"algorithm": algorithm}, "time_stamp": cms.ContentInfo.load(token, strict=True)}
    if lists:
        fields["reduced_hashtree"] = [list(values) for values in lists]
    return ArchiveTimeStamp(algorithm, lists, token, _ArchiveTimeStamp(fields).dump())


def encode(chains: Sequence[Chain]) -> bytes:
    """The record of these chains."""
    names = dict.fromkeys(chain[0].algorithm for chain in chains)
    return der_sequence((_VERSION, _DigestAlgorithms([{"algorithm": name} for name in names]).dump(), chains_encoded(chains)))


def decode(data: bytes) -> EvidenceRecord:
    """The record in these bytes; ValueError when they are anything but one record in DER."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"a record has at most {MOST_BYTES} bytes, not {len(data)}")
    try:
        record = _EvidenceRecord.load(data, strict=True)
        chains = tuple(tuple(_time_stamp(one) for one in chain) for chain in record["archive_time_stamp_sequence"])
        algorithms = tuple(digest_name(one) for one in record["digest_algorithms"])
        optional = [record[name].dump() for name in ("crypto_infos", "encryption_info") if record[name].native is not None]
        version = record["version"].dump()
        head = record["digest_algorithms"].dump()
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"it is no evidence record ({type(error).__name__} {error})") from error
    if version != _VERSION or not all(chains):
        raise ValueError("it is no evidence record of version 1 with a time stamp in each chain")
    if der_sequence((_VERSION, head, *optional, chains_encoded(chains))) != data:
        raise ValueError("it isn't written in DER")
    return EvidenceRecord(algorithms, chains)


def _time_stamp(one: Any) -> ArchiveTimeStamp:
    encoded = one.dump()
    algorithm = digest_name(one["digest_algorithm"].untag()) if one["digest_algorithm"].native is not None else ""
    tree = one["reduced_hashtree"]
    lists = () if tree.native is None else tuple(tuple(value.native for value in values) for values in tree)
    if not all(lists) or (tree.native is not None and not lists):
        raise ValueError("a list of its hash tree is empty")
    token = one["time_stamp"].dump()
    # Every byte of it is one of these parts in the one way that DER has to write them.
    if lists and _ReducedHashtree([list(values) for values in lists]).retag({"implicit": 2}).dump() != tree.dump():
        raise ValueError("its hash tree isn't written in DER")
    parts = [one[name].dump() for name in ("digest_algorithm", "attributes", "reduced_hashtree") if one[name].native is not None]
    if der_sequence((*parts, token)) != encoded:
        raise ValueError("its time stamp isn't written in DER")
    return ArchiveTimeStamp(algorithm, lists, token, encoded)


def digest_name(algorithm: Any) -> str:
    """Its name; ValueError when it has parameters, since no digest has any."""
    name: str = algorithm["algorithm"].native
    identifier = algorithm["algorithm"].dump()
    # Some writers put NULL where others leave the parameters out; RFC 5754 section 2 has readers take both.
    if algorithm.dump() not in (der_sequence((identifier,)), der_sequence((identifier, core.Null().dump()))):
        raise ValueError(f"the algorithm {name} has parameters")
    return name
