import { Schema } from "effect"

/** One certificate as `GET /nodes/{node}/certificates/info` tells it (platform-facts 1.1). */
export const CertificateInfo = Schema.Struct({
  /** `pve-root-ca.pem`, `pve-ssl.pem` or `pveproxy-ssl.pem`. */
  filename: Schema.NonEmptyString,
  /** SHA-256, `AA:BB:…`. */
  fingerprint: Schema.NonEmptyString,
  /** `/CN=…/O=…`. */
  subject: Schema.String,
  issuer: Schema.String,
  /** Seconds since the epoch. */
  notbefore: Schema.Int,
  notafter: Schema.Int,
  san: Schema.Array(Schema.String),
  pem: Schema.String,
  "public-key-type": Schema.String,
  "public-key-bits": Schema.Int
})
export type CertificateInfo = typeof CertificateInfo.Type

/** The leaf that pveproxy serves: a custom one before the node's own (platform-facts 3.6). */
export const servedCertificate = (certificates: ReadonlyArray<CertificateInfo>): CertificateInfo | undefined =>
  certificates.find(({ filename }) => filename === "pveproxy-ssl.pem") ??
    certificates.find(({ filename }) => filename === "pve-ssl.pem")
