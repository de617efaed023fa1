import { Schema } from "effect"

const nextStep = {
  form: "take the file as felhom golden sign wrote it",
  manifest: "take the manifest as felhom-agent golden draft prints it, and sign that",
  signers: "see felhom-agent doctor; root's list of signers and policy have to be readable",
  signature: "let operators sign it whom this host lists for golden.v1@felhom.eu: felhom golden sign",
  version: "felhom-agent golden list shows what was accepted here",
  "not-accepted": "felhom golden sign, then felhom-agent golden accept FILE on this host",
  archive: "restore nothing from it; build the image anew (felhom-agent golden build), or put the signed archive back",
  unread: "let the agent's user read it, or allow it in the policy's desired.golden.unread",
  overtaken: "it is planned anew",
  build: "felhom-agent golden list shows how it stands",
  store: "see the agent's log"
} as const

/**
 * A golden image, or its manifest, is not what it has to be. Nothing is made from it.
 *
 * - `form`, `manifest`: what was given can't be read. `signers`: nobody's signature counts now. `signature`: too few have signed.
 * - `version`: a newer one, or another one of that number, was accepted. `not-accepted`: no manifest of it was.
 * - `archive`: it is not what was signed. `unread`: its bytes can't be compared, and the policy has no leave for that.
 *   `overtaken`: what allowed it has changed while it was read.
 * - `build`: what was asked of a build can't be done now. `store`: the host's own record can't be read or written.
 */
export class GoldenRefused extends Schema.TaggedError<GoldenRefused>()("GoldenRefused", {
  reason: Schema.Literal(
    "form",
    "manifest",
    "signers",
    "signature",
    "version",
    "not-accepted",
    "archive",
    "unread",
    "overtaken",
    "build",
    "store"
  ),
  /** `golden image debian-13`, an archive or a file. */
  what: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.what}: ${this.detail}; ${nextStep[this.reason]}`
  }
}
