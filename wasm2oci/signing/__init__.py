"""Signatures: bytes in, bytes out. Nothing here opens a file, a connection or a clock.

| module | holds |
|---|---|
| `strict` | the readers for signature documents: JSON without repeated keys, base64 in its one form, bounded |
| `keys`, `cosign_key` | private and public keys; cosign's encrypted PEM |
| `simple_signing` | cosign's legacy signature, a layer of the manifest under the tag `sha256-....sig` |
| `dsse`, `statement`, `bundle` | the in-toto statement, its envelope, and the Sigstore bundle v0.3 around both |
| `certificates`, `rekor`, `trusted_root` | certificate chains, entries of transparency logs, trusted keys for both |
| `keyless` | Sigstore bundles with a certificate; needs the extra `wasm2oci[sigstore]` |
| `notation`, `notation_trust` | Notary Project signatures (JWS), their trust store and trust policy |
| `embedded` | the signature inside a module (wasmsign2) |
| `requirement`, `policy` | what a signature has to fulfil, and the rules that say so by scope |
| `auditable`, `sbom`, `provenance` | what an attestation can say: dependencies and the build |
"""
