import { readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { nothingRevoked } from "@felhom/authz/RevocationList"
import { usualDemands, verifySignature } from "@felhom/authz/VerifySignature"
import { signedData, writeArmor } from "@felhom/domain/Sshsig"
import { concatBytes, sshString, uint32 } from "@felhom/domain/SshWire"
import { EpochMillis } from "@felhom/domain/Time"
import { layer as signatureCrypto } from "@felhom/node/NodeSignatureCrypto"
import { Effect, Encoding, Layer } from "effect"
import { spawnSync } from "node:child_process"
import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Figure } from "./Figure.ts"
import { median, ratio } from "./Statistics.ts"

const rounds = 15
const verifications = 200
const namespace = "op.v1@felhom.eu"
const program = "ssh-keygen"

const message = new TextEncoder().encode(JSON.stringify({ typ: "felhom/op/v1", reason: "x".repeat(1_500) }))

/** Microseconds that one of so many takes. */
const each = (count: number, work: () => void): number => {
  const began = performance.now()
  for (let index = 0; index < count; index += 1) work()
  return (performance.now() - began) * 1_000 / count
}

const prepared = () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519")
  const point = new Uint8Array(Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url"))
  const key = concatBytes([sshString("ssh-ed25519"), sshString(point)])
  const data = signedData(namespace, "sha512", new Uint8Array(createHash("sha512").update(message).digest()))
  const signature = new Uint8Array(sign(null, data, privateKey))
  const blob = concatBytes([
    new TextEncoder().encode("SSHSIG"),
    uint32(1),
    sshString(key),
    ...[namespace, "", "sha512"].map(sshString),
    sshString(concatBytes([sshString("ssh-ed25519"), sshString(signature)]))
  ])
  const signers = `anna ssh-ed25519 ${Encoding.encodeBase64(key)}\n`
  return {
    armored: writeArmor(blob),
    data,
    publicKey: createPublicKey(publicKey.export({ format: "pem", type: "spki" })),
    signature,
    signers
  }
}

/** What a signature costs: beside the bare curve on a key that is read already, and beside OpenSSH's own program. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const { armored, data, publicKey, signature, signers } = prepared()
  const judgement = {
    message,
    namespace,
    at: EpochMillis.make(Date.now()),
    signers: Effect.runSync(readAllowedSigners(new TextEncoder().encode(signers))),
    revoked: nothingRevoked,
    demands: usualDemands
  }
  const folder = mkdtempSync(join(tmpdir(), "felhom-bench-signatures-"))
  const figures: { readonly ours: Array<number>; readonly raw: Array<number>; readonly theirs: Array<number> } = {
    ours: [],
    raw: [],
    theirs: []
  }
  const asked = ["-Y", "verify", "-f", "signers", "-I", "anna", "-n", namespace, "-s", "signature"]
  const there = spawnSync(program, ["-?"]).error === undefined
  try {
    writeFileSync(join(folder, "signers"), signers)
    writeFileSync(join(folder, "signature"), armored)
    // Built once, as in a daemon.
    const crypto = Effect.runSync(Effect.scoped(Layer.build(signatureCrypto)))
    const verified = Effect.gen(function*() {
      // One after the other in one fiber, as a daemon's are.
      for (let index = 0; index < verifications; index += 1) yield* verifySignature(armored, judgement, "anna")
    }).pipe(Effect.provide(crypto))
    for (let round = 0; round < rounds; round += 1) {
      figures.ours.push(each(1, () => Effect.runSync(verified)) / verifications)
      figures.raw.push(each(verifications, () => {
        if (!verify(null, data, publicKey, signature)) throw new Error("the curve does not verify its own signature")
      }))
      if (!there) continue
      figures.theirs.push(each(5, () => {
        const { status } = spawnSync(program, asked, { cwd: folder, input: message })
        if (status !== 0) throw new Error(`${program} does not verify what it should`)
      }))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const { ours, raw, theirs } = figures
  const micro = (values: ReadonlyArray<number>): string => `${median(values).toFixed(0)} us`
  return [
    {
      id: "C1",
      name: "a signature verified / the bare crypto.verify of the same",
      value: ratio(ours, raw),
      unit: "x",
      gate: 2.5,
      goal: 1.6,
      detail: `${micro(ours)} against ${micro(raw)}, ed25519, ${rounds} rounds of ${verifications}`
    },
    ...(there
      ? [{
        id: "C2",
        name: "a signature verified / ssh-keygen -Y verify, started from Node",
        value: ratio(ours, theirs),
        unit: "x",
        gate: 1 / 15,
        goal: 1 / 40,
        detail: `${micro(ours)} against ${micro(theirs)}`
      }]
      : [])
  ]
}
