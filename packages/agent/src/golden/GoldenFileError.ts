import { Schema } from "effect"

/** The file can't be written, or is none that `felhom golden sign` wrote. */
export class GoldenFileError extends Schema.TaggedError<GoldenFileError>()("GoldenFileError", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.detail}; a signed manifest holds {"payload": BASE64, "signatures": [ARMORED, ...]}, as felhom golden sign writes it`
  }
}
