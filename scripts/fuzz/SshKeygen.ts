import { readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { nothingRevoked, readRevocationList } from "@felhom/authz/RevocationList"
import { readSignerTime } from "@felhom/authz/SignerTime"
import { usualDemands, verifySignature } from "@felhom/authz/VerifySignature"
import { layer as signatureCrypto } from "@felhom/node/NodeSignatureCrypto"
import { Effect, Either, FastCheck as fc, Option } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setImmediate } from "node:timers/promises"
import { asked, type SignatureCase, signatureCases } from "./SignatureCase.ts"
import { everyKey } from "./SoftwareKey.ts"

const program = "ssh-keygen"

/** The machine's own verifier by its version, or undefined when there is none. */
export const sshKeygen = (): string | undefined => {
  if (spawnSync(program, ["-?"]).error !== undefined) return undefined
  const said = spawnSync("ssh", ["-V"], { encoding: "utf8" })
  return said.error === undefined ? said.stderr.trim() : program
}

const at = Option.getOrThrow(readSignerTime(asked.time))

/** What is said here. A file that does not read refuses everybody. */
const acceptedHere = ({ revoked, signature, signers }: SignatureCase): Promise<boolean> =>
  Effect.gen(function*() {
    const judgement = {
      message: asked.message,
      namespace: asked.namespace,
      at,
      signers: yield* readAllowedSigners(signers),
      revoked: revoked === undefined ? nothingRevoked : yield* readRevocationList(revoked),
      demands: usualDemands
    }
    return yield* verifySignature(signature, judgement, asked.principal)
  }).pipe(Effect.either, Effect.map(Either.isRight), Effect.provide(signatureCrypto), Effect.runPromise)

/**
 * Asks about every numbered folder below this one, and writes the numbers of those it accepts. One shell for all of them: it
 * starts a program in a fraction of the time that Node takes.
 */
const script = `for case in */; do
  if [ -f "$case/revoked" ]; then set -- -r "$case/revoked"; else set --; fi
  ssh-keygen -Y verify -f "$case/signers" -I "$PRINCIPAL" -n "$NAMESPACE" -s "$case/signature" \\
    -O "verify-time=$TIME" "$@" <message >/dev/null 2>&1 && echo "\${case%/}"
done
true`

/** The numbers of the cases that ssh-keygen accepts. */
const acceptedThere = (folder: string, cases: ReadonlyArray<SignatureCase>): Promise<ReadonlySet<number>> => {
  writeFileSync(join(folder, "message"), asked.message)
  for (const [index, { revoked, signature, signers }] of cases.entries()) {
    const own = join(folder, String(index))
    mkdirSync(own)
    writeFileSync(join(own, "signature"), signature)
    writeFileSync(join(own, "signers"), signers)
    if (revoked !== undefined) writeFileSync(join(own, "revoked"), revoked)
  }
  return new Promise((resolve, reject) => {
    const shell = spawn("sh", ["-c", script], {
      cwd: folder,
      env: {
        ...process.env,
        TZ: "UTC",
        LC_ALL: "C",
        PRINCIPAL: asked.principal,
        NAMESPACE: asked.namespace,
        TIME: asked.time
      },
      stdio: ["ignore", "pipe", "inherit"]
    })
    let written = ""
    shell.stdout.setEncoding("utf8").on("data", (text: string) => (written += text))
    shell.on("error", reject)
    shell.on("close", (code) =>
      code === 0
        ? resolve(new Set(written.split("\n").filter((line) => line !== "").map(Number)))
        : reject(new Error(`the shell that asks ssh-keygen ended with ${code}`)))
  })
}

/** How often the two verdicts were what. */
export interface Agreement {
  readonly both: number
  readonly neither: number
  /** Accepted by ssh-keygen, refused here. */
  readonly stricter: number
  /** Accepted here, refused by ssh-keygen: there may be none. In full, to try again. */
  readonly laxer: ReadonlyArray<string>
  /** Kinds of case of which some were accepted by both. */
  readonly kinds: ReadonlySet<string>
}

const inFull = (one: SignatureCase): string =>
  JSON.stringify({
    kind: one.kind,
    signature: Buffer.from(one.signature).toString("base64"),
    signers: Buffer.from(one.signers).toString("base64"),
    revoked: one.revoked === undefined ? null : Buffer.from(one.revoked).toString("base64")
  })

/** How many cases one shell is given: files of theirs that lie about at a time. */
const batch = 500

/** Asks both verifiers about so many cases. */
export const differential = async (runs: number, seed: number): Promise<Agreement> => {
  const cases = fc.sample(signatureCases(everyKey()), { numRuns: runs, seed })
  const count = { both: 0, neither: 0, stricter: 0 }
  const laxer: Array<string> = []
  const kinds = new Set<string>()
  const compare = async (some: ReadonlyArray<SignatureCase>): Promise<void> => {
    const folder = mkdtempSync(join(tmpdir(), "felhom-differential-"))
    try {
      const theirs = acceptedThere(folder, some)
      for (const [index, one] of some.entries()) {
        // The shell must be read from, and whoever runs this be heard from, in between.
        if (index % 50 === 0) await setImmediate()
        const [here, there] = [await acceptedHere(one), (await theirs).has(index)]
        if (here && !there) laxer.push(inFull(one))
        else if (here) kinds.add(one.kind)
        count.both += here && there ? 1 : 0
        count.neither += here || there ? 0 : 1
        count.stricter += !here && there ? 1 : 0
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  const batches = Array.from(
    { length: Math.ceil(runs / batch) },
    (_, index) => cases.slice(index * batch, (index + 1) * batch)
  )
  // Two at a time, for two cores.
  const worker = async (): Promise<void> => {
    for (let some = batches.pop(); some !== undefined; some = batches.pop()) await compare(some)
  }
  await Promise.all([worker(), worker()])
  return { ...count, laxer, kinds }
}
