import { Either, ParseResult, Schema } from "effect"
import { sameBytes } from "./ByteReader.ts"
import { HostId } from "./HostId.ts"
import { Volid } from "./ProxmoxId.ts"
import { Sha256Hex } from "./Sha256.ts"
import { parseStrictJson } from "./StrictJson.ts"
import { EpochMillis } from "./Time.ts"

/** What an operator's signature over a golden image is made for: no signature over an op or over a list of signers counts for one. */
export const goldenNamespace = "golden.v1@felhom.eu"

export const goldenType = "felhom/golden/v1"

/** The longest manifest, in bytes. */
export const longestGolden = 64 * 1024

/** The longest configuration in an archive that a manifest holds, in characters. */
export const longestGoldenConfig = 16 * 1024

/** What a golden image is called, in the host's policy and where a guest is wished for: `debian-13`. */
export const GoldenName = Schema.String.pipe(
  Schema.pattern(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, {
    message: () => "a golden image's name has 1 to 32 lower-case letters, digits and inner dashes, such as debian-13"
  }),
  Schema.brand("GoldenName")
)
export type GoldenName = typeof GoldenName.Type

/** Counts up with each image of the same name. */
export const GoldenVersion = Schema.Int.pipe(
  Schema.between(1, 1_000_000, { message: () => "a golden image's version is 1 to 1000000" })
)
export type GoldenVersion = typeof GoldenVersion.Type

/** The container's template that an image was made from, as Proxmox names it. */
export const TemplateVolid = Schema.String.pipe(
  Schema.maxLength(255),
  Schema.pattern(/^[a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]:vztmpl\/[a-zA-Z0-9][a-zA-Z0-9._+-]*$/, {
    message: () => "a template reads STORAGE:vztmpl/FILE"
  })
)

/** An archive on a storage. No part of it can climb out of its folder. */
const ArchiveVolid = Volid.pipe(
  Schema.maxLength(512),
  Schema.filter((volid) =>
    /^[^:]+:backup\/[a-zA-Z0-9][a-zA-Z0-9._+:-]*(?:\/[a-zA-Z0-9][a-zA-Z0-9._+:-]*)*$/.test(volid)
      ? undefined
      : "an archive reads STORAGE:backup/FILE"
  )
)

/** The hash of the archive's bytes, or why nobody could read them. */
export const GoldenBytes = Schema.Union(
  Schema.Struct({ sha256: Sha256Hex }),
  Schema.Struct({ unread: Schema.NonEmptyString.pipe(Schema.maxLength(300)) })
)
export type GoldenBytes = typeof GoldenBytes.Type

/**
 * What operators sign of a golden image: which archive it is, all that can be seen of it, and where it comes from. Closed. It is for
 * no host alone: a storage may be shared, and each host looks at the archive for itself.
 */
export const GoldenManifest = Schema.Struct({
  typ: Schema.Literal(goldenType),
  name: GoldenName,
  version: GoldenVersion,
  volid: ArchiveVolid,
  /** Bytes of the archive, as its storage lists it. */
  size: Schema.Int.pipe(Schema.positive()),
  bytes: GoldenBytes,
  /** The configuration in the archive, exactly as Proxmox gives it. */
  config: Schema.NonEmptyString.pipe(
    Schema.maxLength(longestGoldenConfig),
    Schema.filter((text) => (text.includes("\0") ? "a configuration holds no NUL" : undefined))
  ),
  template: TemplateVolid,
  /** Where it was built. */
  host: HostId,
  builtAt: EpochMillis
})
export type GoldenManifest = typeof GoldenManifest.Type

/** Bytes that are no manifest that this version knows. Nothing is restored by them. */
export class GoldenManifestError extends Schema.TaggedError<GoldenManifestError>()("GoldenManifestError", {
  reason: Schema.Literal("json", "schema", "form"),
  detail: Schema.String
}) {
  override get message(): string {
    return `it is no ${goldenType}: ${this.detail}; take the manifest as felhom-agent golden draft prints it, and sign that`
  }
}

const decode = Schema.decodeUnknownEither(GoldenManifest, { onExcessProperty: "error" })

/** The one text of a manifest, in UTF-8: its keys in the schema's order, one line. */
export const encodeGolden = (manifest: GoldenManifest): Uint8Array => {
  const { builtAt, bytes, config, host, name, size, template, typ, version, volid } = manifest
  const text = JSON.stringify({ typ, name, version, volid, size, bytes, config, template, host, builtAt })
  return new TextEncoder().encode(`${text}\n`)
}

/** Takes the bytes of a manifest; refuses whatever is not its one text, so that one hash names one manifest. */
export const decodeGolden = (bytes: Uint8Array): Either.Either<GoldenManifest, GoldenManifestError> =>
  Either.gen(function*() {
    const json = yield* Either.mapLeft(
      parseStrictJson(bytes, longestGolden),
      ({ message }) => new GoldenManifestError({ reason: "json", detail: message })
    )
    const manifest = yield* Either.mapLeft(decode(json), (error) =>
      new GoldenManifestError({
        reason: "schema",
        detail: ParseResult.ArrayFormatter.formatErrorSync(error).slice(0, 3).map(({ message, path }) =>
          (path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`).slice(0, 300)
        ).join("; ")
      }))
    return sameBytes(encodeGolden(manifest), bytes)
      ? manifest
      : yield* Either.left(
        new GoldenManifestError({ reason: "form", detail: "it was written anew by another program, or edited" })
      )
  })
