"""Detached signatures over manifests: CMS (RFC 5652), CAdES or plain, judged by pyHanko; paths by the archive's trust store."""

import asyncio
from dataclasses import dataclass

from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pyhanko.sign.general import CMSExtractionError, extract_certificate_info
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import async_validate_detached_cms
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.errors import ValidationError

from services.archive.adapters.trust_store import TrustDirectory
from services.register.application.ports import Certified


@dataclass(frozen=True)
class DetachedCms:
    """Fulfils the port Signatures."""

    trust: TrustDirectory

    async def signer(self, manifest: bytes, signature: bytes) -> Certified | None:
        """Whose signature it is; None when it is no signature over these bytes, or not the only one."""
        found = await verified(manifest, signature)
        if found is None:
            return None
        own, offered = found
        chain = await asyncio.to_thread(lambda: self.trust().chain(own, offered))
        digest = own.fingerprint(hashes.SHA256())
        return Certified(digest, None, None) if chain is None else Certified(digest, chain.in_force, chain.revoked_at)


async def verified(manifest: bytes, signature: bytes) -> tuple[x509.Certificate, list[x509.Certificate]] | None:
    """(the signer's certificate, those that came with it); None unless exactly one signature is over exactly these bytes."""
    try:
        content = cms.ContentInfo.load(signature, strict=True)
        if content["content_type"].native != "signed_data" or content["content"]["encap_content_info"]["content"].native is not None:
            return None
        signed = content["content"]
        if len(signed["signer_infos"]) != 1:
            return None
        # Integrity alone is asked here, so the signer's own certificate is trusted; whether it is, is asked of anchors, of approvals, and as of now.
        own = extract_certificate_info(signed).signer_cert
        status = await async_validate_detached_cms(manifest, signed, ValidationContext(trust_roots=[own], allow_fetching=False))
        if not (status.intact and status.valid):
            return None
        offered = [x509.load_der_x509_certificate(one.chosen.dump()) for one in signed["certificates"]]
        return x509.load_der_x509_certificate(own.dump()), offered
    except (ValueError, TypeError, KeyError, CMSExtractionError, SignatureValidationError, ValidationError):
        return None
