import { readLine, writeLine } from "@felhom/agent/root/Connection"
import type { RootVerb } from "@felhom/domain/port/RootSocket"
import { mountExchange, pctCreateExchange, smartExchange } from "@felhom/privileged/RootExchange"
import { answerTo } from "@felhom/privileged/RootHelper"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { badRequests } from "../../packages/privileged/test/BadRequests.ts"

const untouched = () => Effect.dieMessage("something was done for a bad request")

const helpers = {
  smart: answerTo(smartExchange, untouched),
  mount: answerTo(mountExchange, untouched),
  "pct-create": answerTo(pctCreateExchange, untouched)
}

const folder = mkdtempSync(join(tmpdir(), "felhom-sockets-"))
const pathOf = (verb: RootVerb): string => join(folder, `${verb}.sock`)
const limitMillis = 20_000

/** A helper at its socket as `RunHelper` runs it: one line in, one out, and the connection ends. */
const served = (["smart", "mount", "pct-create"] as const).map((verb) => ({
  verb,
  server: createServer((socket) => {
    const answered = helpers[verb](readLine(socket, limitMillis)).pipe(
      Effect.flatMap((line) => writeLine(socket, line)),
      Effect.ensuring(Effect.sync(() => socket.end()))
    )
    void Effect.runPromise(answered)
  })
}))

/** What a socket answers to some bytes. */
const ask = (verb: RootVerb, line: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(pathOf(verb))
    let text = ""
    socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk)).on("error", () => undefined)
    socket.on("close", () => resolve(text)).on("connect", () => socket.write(`${line}\n`))
  })

beforeAll(() =>
  Promise.all(
    served.map(({ server, verb }) => new Promise<void>((resolve) => void server.listen(pathOf(verb), () => resolve())))
  )
)

afterAll(() => {
  for (const { server } of served) server.close()
  rmSync(folder, { recursive: true, force: true })
})

describe("the root helpers' sockets", () => {
  it("refuse 200 bad requests made by hand, and answer the next one", async () => {
    expect(badRequests.length).toBeGreaterThanOrEqual(200)
    for (const { line, verb } of badRequests) {
      const answer = await ask(verb, line)
      expect(answer.endsWith("\n"), `${verb} ${line}`).toBe(true)
      const reply: unknown = JSON.parse(answer)
      expect(reply, `${verb} ${line}`).toMatchObject({ ok: false, error: { reason: "invalid" } })
    }
    for (const { verb } of served) expect(await ask(verb, "{}")).toContain(`"reason":"invalid"`)
  })
})
