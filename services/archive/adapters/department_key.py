"""A department's key in a PKCS#12 file, with which it signs what it submits."""

from dataclasses import dataclass
from pathlib import Path

from pyhanko.sign.signers import SimpleSigner

from services.chassis.errors import Malformed


@dataclass(frozen=True)
class FileDepartmentKey:
    """Fulfils the port DepartmentKey."""

    signer: SimpleSigner

    @classmethod
    def read(cls, file: Path, password_file: Path) -> "FileDepartmentKey":
        """The key in a file; Malformed when it can't be opened."""
        signer = SimpleSigner.load_pkcs12(str(file), passphrase=password_file.read_bytes().strip())  # type: ignore[no-untyped-call]
        if signer is None:
            raise Malformed(f"{file} can't be opened with the password in {password_file}", code="department_key")
        return cls(signer)

    async def sign(self, manifest: bytes) -> bytes:
        """A detached CAdES signature (ETSI EN 319 122-1) with SHA-256."""
        content = await self.signer.async_sign_general_data(manifest, "sha256", detached=True, use_cades=True)
        signature: bytes = content.dump()
        return signature
