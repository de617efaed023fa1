import { formatFingerprint } from "@felhom/domain/PeerPin"
import type { TlsIdentity } from "@felhom/node/TlsIdentity"
import { X509Certificate } from "node:crypto"
import type { CertificateInfo } from "./CertificateInfo.ts"

// `CN=a\nO=b` becomes `/CN=a/O=b`.
const nameOf = (lines: string): string => `/${lines.split("\n").join("/")}`

// Proxmox writes all of an IPv6 address, Node leaves the zeros of each part out.
const altNameOf = (entry: string): string => {
  const [, kind = "", value = entry] = /^(IP Address|DNS):(.*)$/.exec(entry) ?? []
  return kind === "IP Address" && value.includes(":")
    ? value.split(":").map((part) => part.toLowerCase().padStart(4, "0")).join(":")
    : value
}

/** The leaf that a TLS port serves, as `GET /nodes/{node}/certificates/info` tells it. */
export const leafInfo = (identity: TlsIdentity): CertificateInfo => {
  const certificate = new X509Certificate(identity.certificatePem)
  const { asymmetricKeyDetails, asymmetricKeyType } = certificate.publicKey
  return {
    filename: "pve-ssl.pem",
    fingerprint: formatFingerprint(identity.leafSha256),
    subject: nameOf(certificate.subject),
    issuer: nameOf(certificate.issuer),
    notbefore: Math.floor(Date.parse(certificate.validFrom) / 1000),
    notafter: Math.floor(Date.parse(certificate.validTo) / 1000),
    san: (certificate.subjectAltName ?? "").split(", ").filter((entry) => entry !== "").map(altNameOf),
    pem: identity.certificatePem,
    "public-key-type": asymmetricKeyType === "ec" ? "id-ecPublicKey" : "rsaEncryption",
    "public-key-bits": asymmetricKeyDetails?.modulusLength ?? 256
  }
}
