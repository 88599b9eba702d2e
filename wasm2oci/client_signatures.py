"""The part of `Client` that signs, attests, and explains policies; see `wasm2oci.client`."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from wasm2oci.errors import Remedy, RemedyKind, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wasm2oci.operations.attestations import Attestations
    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.keys import KeyFiles, KeyInfo
    from wasm2oci.operations.policy import Explanation
    from wasm2oci.operations.push import JobIdentity
    from wasm2oci.operations.sbom import Document
    from wasm2oci.operations.sign import Signed
    from wasm2oci.operations.sign_file import SignedFile, VerifiedFile
    from wasm2oci.operations.trust import SignatureFormat, TrustOptions
    from wasm2oci.signing.keys import PrivateKey

__all__ = ["SignatureMethods"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


class SignatureMethods:
    """What `Client` does with signatures.

    A key is a file or `env://NAME`; `ask_password` gives the password of a private key for a question, where the
    variable `COSIGN_PASSWORD` does not.
    """

    environment: Environment

    def sign(
        self,
        reference: str,
        key: str,
        *,
        annotations: Mapping[str, str] = _NOTHING,
        signature_format: SignatureFormat | str = "both",
        ask_password: Callable[[str], str] | None = None,
    ) -> Signed:
        """Sign the manifest that a reference names now.

        Args:
            reference: where the artifact is.
            key: the private key.
            annotations: are signed as well.
            signature_format: how the signature is kept: `bundle`, `legacy` or `both`.
            ask_password: see the class.

        Raises:
            NotFoundError: no artifact has this name, or there is no such key.
            Wasm2OciError: the place failed.
        """
        from wasm2oci.operations.sign import SignRequest, sign
        from wasm2oci.operations.subject import parse_artifact
        from wasm2oci.operations.trust import SignatureFormat

        source, form = parse_artifact(reference), SignatureFormat(signature_format)  # before a password is asked for
        private = self._private_key(key, ask_password)
        return sign(SignRequest(source, private, annotations, form), self.environment)

    def attest(
        self,
        reference: str,
        key: str,
        predicate: bytes | Path,
        *,
        predicate_type: str = "custom",
        signature_format: SignatureFormat | str = "bundle",
        ask_password: Callable[[str], str] | None = None,
    ) -> Signed:
        """Sign a statement about an artifact, and attach it.

        Args:
            reference: where the artifact is.
            key: the private key.
            predicate: what is stated: JSON, or any text for the type `custom`.
            predicate_type: one of cosign's short names, or a URI.
            signature_format: how the statement is kept.
            ask_password: see the class.

        Raises:
            UsageError: the predicate is not JSON, or too large.
            Wasm2OciError: as `sign`.
        """
        from wasm2oci.operations.sign import AttestRequest, attest, parse_predicate, read_document
        from wasm2oci.operations.subject import parse_artifact
        from wasm2oci.operations.trust import SignatureFormat
        from wasm2oci.signing.statement import predicate_type as type_uri

        source = parse_artifact(reference)
        raw = read_document(predicate) if isinstance(predicate, Path) else predicate
        parse_predicate(type_uri(predicate_type), raw, self.environment)  # before a password is asked for
        private = self._private_key(key, ask_password)
        request = AttestRequest(source, private, predicate_type, raw, SignatureFormat(signature_format))
        return attest(request, self.environment)

    def sign_keyless(
        self,
        reference: str,
        *,
        annotations: Mapping[str, str] = _NOTHING,
        predicate: bytes | Path | None = None,
        predicate_type: str = "custom",
        trust_config: Path | None = None,
    ) -> Signed:
        """Sign what a reference names now, or a statement about it, with the identity of this CI job instead of a key.

        The identity and the digest are in Sigstore's public log afterwards.

        Args:
            reference: where the artifact is.
            annotations: are signed as well.
            predicate: what is stated, as for `attest`; None for a plain signature.
            predicate_type: one of cosign's short names, or a URI.
            trust_config: Sigstore's services and root (`ClientTrustConfig`); None for the public instance.

        Raises:
            SigstoreMissingError: the extra `sigstore` is not installed.
            NoIdentityError: nothing vouches for an identity here.
            SigningServiceError: Sigstore's services failed; nothing was attached.
            Wasm2OciError: as `sign`.
        """
        from wasm2oci.operations.sign import read_document
        from wasm2oci.operations.sign_keyless import KeylessRequest, sign_keyless
        from wasm2oci.operations.subject import parse_artifact

        source = parse_artifact(reference)
        raw = read_document(predicate) if isinstance(predicate, Path) else predicate
        config = None if trust_config is None else read_document(trust_config)
        request = KeylessRequest(source, annotations, raw, predicate_type, config)
        return sign_keyless(request, self.environment)

    def sign_file(
        self,
        file: str | Path,
        key: str | None = None,
        *,
        output: str | Path | None = None,
        ask_password: Callable[[str], str] | None = None,
        keyless: bool = False,
        trust_config: Path | None = None,
    ) -> SignedFile:
        """Sign a file that is in no registry; the bundle goes into `output`, else beside the file.

        Args:
            file: what is signed.
            key: the private key; None with `keyless`.
            output: the file for the bundle; by default the file's name with `.sigstore.json` behind it.
            ask_password: see the class.
            keyless: sign with the identity of this CI job instead of a key; see `sign_keyless`.
            trust_config: with `keyless`, Sigstore's services and root; None for the public instance.

        Raises:
            UsageError: neither a key nor an identity signs.
            Wasm2OciError: a file cannot be read or written, or as `sign_keyless`.
        """
        from wasm2oci.operations.sign_file import sign_file

        signer = self._job_identity(key, trust_config) if keyless else self._signing_key(key, ask_password)
        if signer is None:
            raise UsageError("sign with a key or with the identity of this job")
        return sign_file(Path(file), signer, self.environment, None if output is None else Path(output))

    def verify_file(self, file: str | Path, trust: TrustOptions, *, bundle: str | Path | None = None) -> VerifiedFile:
        """Check the signature of a file; the bundle is beside it, as `sign_file` and cosign write it.

        Args:
            file: what was signed.
            trust: the key or the identity that must have signed.
            bundle: the file with the bundle; by default the file's name with `.sigstore.json` behind it.

        Raises:
            UsageError: neither a key nor an identity is asked for.
            SignatureRefusedError: the signature does not hold.
            Wasm2OciError: a file cannot be read.
        """
        from wasm2oci.operations.sign_file import verify_file

        return verify_file(Path(file), trust, self.environment, None if bundle is None else Path(bundle))

    def attestations(self, reference: str, trust: TrustOptions | None = None) -> Attestations:
        """The statements about an artifact: with a key or an identity those that it signed, else all, unchecked.

        Raises:
            NoAttestationError: nothing is by the key or identity that is asked for.
            Wasm2OciError: the place cannot be read.
        """
        from wasm2oci.operations.attestations import attestations
        from wasm2oci.operations.subject import parse_place
        from wasm2oci.operations.trust import TrustOptions

        return attestations(parse_place(reference), trust or TrustOptions(), self.environment)

    def sbom(self, subject: str | Path | bytes, sbom_format: str = "cyclonedx") -> Document:
        """The bill of materials of a module, made from what the module records: `cyclonedx` or `spdx`.

        Raises:
            UsageError: there is no such format.
            Wasm2OciError: the module cannot be read or fetched, or is malformed.
        """
        from wasm2oci.operations.sbom import make_sbom
        from wasm2oci.operations.subject import parse_subject

        return make_sbom(parse_subject(subject), sbom_format, self.environment)

    def provenance(self) -> Document:
        """The provenance (SLSA v1) of the CI job that runs this.

        Raises:
            NoContinuousIntegrationError: the CI is not known, or a variable is missing.
        """
        from wasm2oci.operations.sbom import make_provenance

        return make_provenance(self.environment)

    def explain_policy(self, reference: str, trust: TrustOptions | None = None) -> Explanation:
        """What every policy file decides about an artifact, and why.

        Raises:
            InvalidPolicyError: a file is malformed.
            Wasm2OciError: the place or a file cannot be read.
        """
        from wasm2oci.operations.policy import explain
        from wasm2oci.operations.subject import parse_place
        from wasm2oci.operations.trust import TrustOptions

        return explain(parse_place(reference), trust or TrustOptions(), self.environment)

    def import_policy(self, path: Path) -> str:
        """Kubewarden's verification file as a policy file's text.

        Raises:
            InvalidPolicyError: the file is malformed.
            Wasm2OciError: it cannot be read.
        """
        from wasm2oci.operations.policy import import_policy

        return import_policy(path)

    def generate_key(
        self, prefix: Path, *, ask_password: Callable[[str], str] | None = None, force: bool = False
    ) -> KeyFiles:
        """Make a key: `PREFIX.key`, encrypted, and `PREFIX.pub`; `force` writes over files that are there.

        Raises:
            UsageError: the prefix is a folder.
            KeyExistsError: a file is there.
            LocalIOError: a file cannot be written.
        """
        from wasm2oci.operations.keys import generate_key

        return generate_key(prefix, self.environment, ask_password or _no_password, force=force)

    def import_key(
        self,
        key: str,
        prefix: Path,
        *,
        ask_password: Callable[[str], str] | None = None,
        ask_new_password: Callable[[str], str] | None = None,
        force: bool = False,
    ) -> KeyFiles:
        """Encrypt the key of another tool as `generate_key` does. Raises as that, and InvalidKeyError.

        Args:
            key: a file, or `env://NAME`.
            prefix: of the files that are written.
            ask_password: asks for the password that an encrypted key has.
            ask_new_password: asks for the one that it gets; `ask_password` if None.
            force: write over files that are there.
        """
        from wasm2oci.operations.keys import import_key

        ask = ask_password or _no_password
        return import_key(key, prefix, self.environment, ask, ask_new_password or ask, force=force)

    def public_key(self, key: str, *, ask_password: Callable[[str], str] | None = None) -> KeyInfo:
        """The public key of a key.

        Raises:
            InvalidKeyError: it is not a key.
            Wasm2OciError: it cannot be read.
        """
        from wasm2oci.operations.keys import KeyInfo, load_public_key

        return KeyInfo.of(load_public_key(key, self.environment, ask_password or _no_password))

    def _signing_key(self, name: str | None, ask_password: Callable[[str], str] | None) -> PrivateKey | None:
        return None if name is None else self._private_key(name, ask_password)

    def _job_identity(self, key: str | None, trust_config: Path | None) -> JobIdentity:
        from wasm2oci.operations.push import JobIdentity
        from wasm2oci.operations.sign import read_document

        if key is not None:
            raise UsageError("sign with a key or with the identity of this job, not both")
        return JobIdentity(None if trust_config is None else read_document(trust_config))

    def _private_key(self, name: str, ask_password: Callable[[str], str] | None) -> PrivateKey:
        from wasm2oci.operations.keys import load_private_key

        return load_private_key(name, self.environment, ask_password or _no_password)


def _no_password(question: str) -> str:
    message = f"the key needs a password, and none was given: {question.strip()}"
    raise UsageError(message, remedy=Remedy(RemedyKind.GIVE_PASSWORD))
