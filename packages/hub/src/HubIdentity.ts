import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Clock, Context, Effect, Layer, Schema } from "effect"
import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { DataFolder, makeFolder } from "./DataFolder.ts"

/** The server's key or certificate could not be read or kept. */
export class HubIdentityError extends Schema.TaggedError<HubIdentityError>()("HubIdentityError", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `the hub's TLS key and certificate in ${this.path} cannot be used: ${this.detail}; ` +
      "restore them from a backup, or move them away to get new ones (every agent's pin then needs the new fingerprint)"
  }
}

/** The server's key and self-signed certificate: made at the first start, the same ever after. */
export class HubIdentity extends Context.Tag("felhom/hub/HubIdentity")<HubIdentity, TlsIdentity.TlsIdentity>() {}

const days = 3650
/** Before the certificate runs out it is made again for the same key, so that pins on the public key stay good. */
const renewBefore = 30 * 86_400_000

const readIfThere = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined
    throw error
  }
}

/** Whole or not at all, and readable by its owner only. */
const writeWhole = (path: string, content: string): void => {
  writeFileSync(`${path}.new`, content, { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
}

/** @param listenHost the address that the hub listens on; the certificate names it beside localhost and the machine. */
export const layer = (listenHost: string): Layer.Layer<HubIdentity, HubIdentityError, DataFolder> =>
  Layer.effect(
    HubIdentity,
    Effect.gen(function*() {
      const { path } = yield* DataFolder
      const now = yield* Clock.currentTimeMillis
      const keyPath = join(path, "tls-key.pem")
      const certificatePath = join(path, "tls-certificate.pem")
      const attempt = <A>(evaluate: () => A): Effect.Effect<A, HubIdentityError> =>
        Effect.try({
          try: evaluate,
          catch: (cause) =>
            new HubIdentityError({ path, detail: cause instanceof Error ? cause.message : String(cause) })
        })

      yield* attempt(() => makeFolder(path))
      const key = yield* attempt(() => readIfThere(keyPath))
      const certificate = yield* attempt(() => readIfThere(certificatePath))
      if (key !== undefined && certificate !== undefined) {
        const kept = yield* attempt(() => TlsIdentity.fromPem(certificate, key))
        if (kept.notAfter - now > renewBefore) return kept
        yield* Effect.logWarning(
          "the certificate runs out soon and is made again for the same key: its fingerprint changes"
        )
      }
      const made = yield* TlsIdentity.make({
        commonName: "felhom hub",
        altNames: Array.from(new Set(["localhost", "127.0.0.1", "::1", listenHost, hostname()])),
        days,
        ...(key === undefined ? {} : { privateKeyPem: key })
      })
      yield* attempt(() => {
        writeWhole(keyPath, made.privateKeyPem)
        writeWhole(certificatePath, made.certificatePem)
      })
      return made
    })
  ).pipe(Layer.ensureRequirementsType<DataFolder>())
