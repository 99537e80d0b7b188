"""Runs EU DSS in a Java machine inside this process: an order as JSON on standard input, the findings as JSON on standard output."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import jpype

_OPTIONS = ("-Djava.awt.headless=true", "-Xmx768m", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED")
_NUMBER = re.compile(r" \d+ \d+ R")
_VALUE = re.compile(r" /V \d+ \d+ R$")
_BOX = re.compile(r" /AP /N \d+ \d+ R /(BBox|Filter|Matrix)$")
_NO_REVOCATION = "No revocation data found for the certificate!"


def main() -> None:
    """Judge every file of the order; a file that breaks the library is a finding too."""
    order = json.load(sys.stdin)
    jpype.startJVM(order["jvm"], *_OPTIONS, classpath=order["jars"])
    dss = jpype.JPackage("eu").europa.esig.dss
    trusted = dss.spi.x509.CommonTrustedCertificateSource()
    for anchor in order["anchors"]:
        trusted.addCertificate(dss.spi.DSSUtils.loadCertificate(jpype.java.io.File(anchor)))
    # Comparing pictures of the pages of every revision would take most of the time; what differs in them is named anyway.
    finder = dss.pdf.modifications.DefaultPdfDifferencesFinder()
    finder.setMaximalPagesAmountForVisualComparison(0)
    factory = dss.pdf.ServiceLoaderPdfObjFactory()
    factory.setPdfDifferencesFinder(finder)
    answers = []
    for file in order["files"]:
        # Without sources for certificates and revocation it asks nobody: what isn't in the document is unknown.
        verifier = dss.spi.validation.CommonCertificateVerifier()
        verifier.setTrustedCertSources(trusted)
        try:
            validator = dss.validation.SignedDocumentValidator.fromDocument(dss.model.FileDocument(file))
            validator.setCertificateVerifier(verifier)
            validator.setPdfObjFactory(factory)
            answers.append(_findings(validator.validateDocument()))
        except jpype.JException as error:
            answers.append({"unreadable": str(error)})
    json.dump(answers, sys.stdout)


def _findings(reports: Any) -> dict[str, Any]:
    simple, facts = reports.getSimpleReport(), reports.getDiagnosticData()
    signatures = [_signature(simple, facts.getSignatureById(name)) for name in simple.getSignatureIdList()]
    stamps = list(facts.getTimestampList())
    scopes = [scope for signature in facts.getSignatures() for scope in signature.getSignatureScopes()]
    scopes += [scope for stamp in stamps for scope in stamp.getTimestampScopes()]
    return {
        "signatures": signatures,
        "covered": any(str(scope.getScope()) == "FULL" for scope in scopes),
        "broken_timestamps": [str(s.getType()) for s in stamps if not (s.isSignatureIntact() and s.isSignatureValid() and s.isMessageImprintDataIntact())],
    }


def _signature(simple: Any, signature: Any) -> dict[str, Any]:
    name = signature.getId()
    errors = [str(message.getValue()) for message in simple.getAdESValidationErrors(name)]
    verdict = str(simple.getIndication(name)) + (f" ({simple.getSubIndication(name)})" if simple.getSubIndication(name) else "")
    filled = _signed_later(signature)
    unknown = [change for change in signature.getPdfUndefinedChanges() if _BOX.sub("", str(change.getValue())) not in filled]
    changes = [_told(change) for change in (*unknown, *signature.getPdfAnnotationChanges())]
    changes += [f"looks different on page {page}" for page in signature.getPdfVisualDifferenceConcernedPages()]
    locked = signature.getFieldMDP()
    return {
        "overlapping": [int(str(page)) for page in signature.getPdfAnnotationsOverlapConcernedPages()],
        "field": str(signature.getFirstFieldName()),
        "signer": str(simple.getSignedBy(name)),
        "format": str(signature.getSignatureFormat()),
        "intact": bool(signature.isSignatureIntact()),
        "valid": bool(signature.isSignatureValid()),
        "trusted": bool(signature.isTrustedChain()),
        "dictionary_consistent": bool(signature.isPdfSignatureDictionaryConsistent()),
        "byte_range_valid": bool(signature.isSignatureByteRangeValid()),
        "permissions": f"{signature.getDocMDPPermissions()} on the document, {locked and locked.getAction()} fields locked",
        "conclusion": f"{verdict}: {_NO_REVOCATION}" if _NO_REVOCATION in errors else verdict,
        "changes": changes,
    }


def _signed_later(signature: Any) -> set[str]:
    """Where the fields stand that a later revision signs.

    DSS counts their new appearance as form filling, but not its size and encoding. Those alone are let pass, and only
    where the field is signed as well.
    """
    created = [str(change.getValue()) for change in signature.getPdfSignatureOrFormFillChanges() if str(change.getAction()) == "CREATION"]
    return {_VALUE.sub("", path) for path in created if _VALUE.search(path)}


def _told(change: Any) -> str:
    return f"{change.getAction()} of {_NUMBER.sub('', str(change.getValue()))}"


if __name__ == "__main__":
    main()
