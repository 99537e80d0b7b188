"""Runs Bouncy Castle in a Java machine inside this process: an order as JSON on standard input, the answer on standard output."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

import jpype
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_private_key

from services.trust_services.authority import Identity
from services.trust_services.time_stamps import Question, TimeStamper

_OPTIONS = ("-Djava.awt.headless=true", "-Xmx256m", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED")


def main() -> None:
    """Judge the order's records or make those that it asks for."""
    order = json.load(sys.stdin)
    jpype.startJVM(order["jvm"], *_OPTIONS, classpath=order["jars"])
    castle = jpype.JPackage("org").bouncycastle
    json.dump([_judged(castle, case) for case in order["judge"]] if "judge" in order else _made(castle, **order["make"]), sys.stdout)


def _judged(castle: Any, case: dict[str, Any]) -> str:
    digests = castle.operator.bc.BcDigestCalculatorProvider()
    at = jpype.java.util.Date(jpype.JLong(case["at"]))
    try:
        record = castle.tsp.ers.ERSEvidenceRecord(_bytes(case["record"]), digests)
        record.validatePresent(_data(castle, case["documents"]), at)
        certificate = record.getSigningCertificate()
        if certificate is None:
            return "no certificate"
        kind = str(certificate.getSubjectPublicKeyInfo().getAlgorithm().getAlgorithm().getId())
        finder = castle.operator.DefaultDigestAlgorithmIdentifierFinder()
        builders = castle.cms.bc
        builder = builders.BcRSASignerInfoVerifierBuilder if kind == "1.2.840.113549.1.1.1" else builders.BcECSignerInfoVerifierBuilder
        names = castle.cms.DefaultCMSSignatureAlgorithmNameGenerator(), castle.operator.DefaultSignatureAlgorithmIdentifierFinder(), finder
        record.validate(builder(*names, digests).build(certificate))
    except jpype.JException as error:
        return str(error) or "refused"
    return ""


def _made(castle: Any, groups: list[list[str]], steps: list[dict[str, Any]]) -> list[str]:
    digests = castle.operator.bc.BcDigestCalculatorProvider()
    asking = castle.tsp.TimeStampRequestGenerator()
    asking.setCertReq(True)
    ers = castle.tsp.ers
    record: Any = None
    made = []
    for step in steps:
        if step["kind"] == "first":
            generator = ers.ERSArchiveTimeStampGenerator(_calculator(castle, digests, "SHA-256"))
            datas = [_data(castle, group) for group in groups]
            for data in datas:
                generator.addData(data)
            stamps = generator.generateArchiveTimeStamps(_answer(castle, generator.generateTimeStampRequest(asking), step))
            at = jpype.java.util.Date(jpype.JLong(step["at"]))
            records = ers.ERSEvidenceRecordGenerator(digests).generate(stamps)
            record = next(one for one in records if one.isContaining(datas[-1], at))
        elif step["kind"] == "stamp":
            record = record.renewTimeStamp(_answer(castle, record.generateTimeStampRenewalRequest(asking), step))
        else:
            calculator, data = _calculator(castle, digests, step["kind"]), _data(castle, groups[-1])
            record = record.renewHash(calculator, data, _answer(castle, record.generateHashRenewalRequest(calculator, data, asking), step))
        made.append(bytes(record.getEncoded()).hex())
    return made


def _answer(castle: Any, request: Any, step: dict[str, Any]) -> Any:
    key: Any = load_der_private_key(bytes.fromhex(step["key"]), None)
    stamper = TimeStamper(Identity(key, x509.load_der_x509_certificate(bytes.fromhex(step["certificate"]))), digest=step["digest"])
    at = datetime.fromtimestamp(step["at"] / 1000, UTC)
    response = castle.tsp.TimeStampResponse(_bytes(stamper.answer(Question.of(bytes(request.getEncoded())), at).hex()))
    response.validate(request)
    return response


def _data(castle: Any, documents: list[str]) -> Any:
    ers = castle.tsp.ers
    parts = [ers.ERSByteData(_bytes(document)) for document in documents]
    return parts[0] if len(parts) == 1 else ers.ERSDataGroup(jpype.java.util.ArrayList(parts))


def _calculator(castle: Any, digests: Any, name: str) -> Any:
    return digests.get(castle.operator.DefaultDigestAlgorithmIdentifierFinder().find(name))


def _bytes(text: str) -> Any:
    return jpype.JArray(jpype.JByte)(bytes.fromhex(text))


if __name__ == "__main__":
    main()
