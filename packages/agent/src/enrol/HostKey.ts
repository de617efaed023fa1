import { type HostPublicKey, hostPublicKey } from "@felhom/domain/HostKey"
import { DurableFile, type DurableFileError } from "@felhom/domain/port/DurableFile"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import { signSshsig } from "@felhom/domain/Sshsig"
import { Context, Effect, Encoding, Layer, Option, Redacted, Schema } from "effect"

/** The host's key is there and can't be read as one. It is never overwritten: what was pinned would be lost. */
export class HostKeyCorrupt extends Schema.TaggedError<HostKeyCorrupt>()("HostKeyCorrupt", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.path} is not this host's key: ${this.detail}. Restore it from a copy; without one, move the whole state ` +
      "folder away and enrol again: the host is then a new one to its hub"
  }
}

/**
 * This host's ed25519 key: made here at the first start, kept in the state folder for the agent's user only, and never sent
 * anywhere (protocol 1).
 */
export class HostKey extends Context.Tag("felhom/agent/HostKey")<HostKey, {
  readonly publicKey: HostPublicKey
  /** The SSHSIG blob over the bytes, in base64. */
  readonly sign: (namespace: string, message: Uint8Array) => Effect.Effect<string>
}>() {}

const text = { decode: new TextDecoder(), encode: new TextEncoder() }

/** Reads `host-key.pem` in the folder, or makes it for a host that starts for the first time. */
export const make = (
  directory: string,
  files: Context.Tag.Service<DurableFile>,
  curve: Context.Tag.Service<Ed25519>
): Effect.Effect<Context.Tag.Service<HostKey>, HostKeyCorrupt | DurableFileError> =>
  Effect.gen(function*() {
    const path = `${directory.replace(/\/+$/, "")}/host-key.pem`
    const found = yield* files.read(path)
    const key = Option.isSome(found)
      ? yield* Effect.mapError(
        curve.read(Redacted.make(text.decode.decode(found.value))),
        ({ message }) => new HostKeyCorrupt({ path, detail: message })
      )
      : yield* Effect.tap(curve.generate, ({ privateKeyPem }) =>
        files.replace(path, text.encode.encode(Redacted.value(privateKeyPem))))
    return HostKey.of({
      publicKey: hostPublicKey(key.publicKey),
      sign: (namespace, message) =>
        signSshsig(key, namespace, message).pipe(
          Effect.map(Encoding.encodeBase64),
          Effect.provideService(Ed25519, curve)
        )
    })
  })

/** The key that `make` reads or makes. */
export const layer = (
  directory: string
): Layer.Layer<HostKey, HostKeyCorrupt | DurableFileError, DurableFile | Ed25519> =>
  Layer.effect(
    HostKey,
    Effect.flatMap(Effect.all([DurableFile, Ed25519]), ([files, curve]) => make(directory, files, curve))
  ).pipe(
    Layer.ensureRequirementsType<DurableFile | Ed25519>()
  )
