import { decodeSigners } from "@felhom/domain/SignersDocument"
import { Effect, Either, Encoding } from "effect"
import { createHash } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { makeKey, opReport, opWorld, sshKeygen, trust } from "./OpWorld.ts"
import { makePerson } from "./TrustWorld.ts"

export const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex")

/** A line of an allow-list for the key in the file, as root would write it. */
export const listLine = (
  name: string,
  key: string,
  options = "namespaces=\"op.v1@felhom.eu,signers.v1@felhom.eu\""
): string => `${name} ${options} ${readFileSync(`${key}.pub`, "utf8").split(" ").slice(0, 2).join(" ")}\n`

export const fingerprintOf = (key: string): string => sshKeygen(["-l", "-f", `${key}.pub`]).stdout.split(" ")[1] ?? ""

interface Signed {
  readonly payload: string
  readonly signatures: ReadonlyArray<string>
}

/** What the bytes of a version say. */
export const documentIn = ({ payload }: Signed) =>
  Either.getOrThrow(decodeSigners(Either.getOrThrow(Encoding.decodeBase64(payload))))

/** What a host says that took this version of its fleet's signers; without one, the list that root gave it. */
export const trustOf = (list: string, taken?: Signed) => {
  if (taken === undefined) return { ...trust, signers: sha256(list), fleet: null }
  const { allowedSigners, fleet, revoked, version } = documentIn(taken)
  const document = Buffer.from(taken.payload, "base64")
  return {
    ...trust,
    signers: sha256(allowedSigners),
    fleet: { fleet, version, sha256: sha256(document), revoked: sha256(revoked), followed: true }
  }
}

/** A hub, a host whose root listed anna and bert, anna herself with what she needs, and keys of bert and carla. */
export const signersWorld = Effect.gen(function*() {
  const world = yield* opWorld([])
  const { host, hub, key: anna, keys, operator } = world
  const bert = makeKey(keys, "bert", "ecdsa")
  const carla = makeKey(keys, "carla")
  const root = listLine("anna", anna) + listLine("bert", bert)
  const file = (name: string, text: string): string => {
    const path = join(keys, name)
    writeFileSync(path, text)
    return path
  }
  let sequence = 1
  const exchange = (said: object) => {
    sequence += 1
    return host.send(opReport([], { sequence, trust: said, inventoryHash: `${sequence}`.padStart(64, "0") }))
  }
  /** The versions that the host is given when it says this. */
  const given = (said: object) => Effect.map(exchange(said), ({ signers }) => signers)
  yield* given(trustOf(root))
  const colleague = (name: string) =>
    Effect.gen(function*() {
      const person = yield* makePerson(hub, yield* hub.token("operator", name))
      yield* person.felhom(["trust", "attic"], { types: host.code })
      return person
    })
  const begin = (more: ReadonlyArray<string> = []) =>
    operator.felhom([
      "signers",
      "new",
      "--allowed-signers",
      file("root", root),
      "--reason",
      "it begins",
      "--key",
      anna,
      "--yes-i-mean",
      "version 1",
      ...more
    ])
  /** The next list, as anna proposes it. */
  const propose = (list: string, version: number, more: ReadonlyArray<string> = []) =>
    operator.felhom([
      "signers",
      "new",
      "--allowed-signers",
      file("next", list),
      "--reason",
      "a new list",
      "--key",
      anna,
      "--yes-i-mean",
      `version ${version}`,
      ...more
    ])
  return { ...world, anna, bert, carla, root, file, exchange, given, colleague, begin, propose }
})
