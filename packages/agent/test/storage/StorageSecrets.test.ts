import { describe, it } from "@effect/vitest"
import { storageSecrets } from "@felhom/agent/storage/StorageSecrets"
import { Effect, Redacted } from "effect"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

const folders = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "felhom-secrets-"))
    const credentials = join(folder, "credentials")
    mkdirSync(credentials)
    return { folder, credentials }
  }),
  ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const put = (path: string, text: string, mode: number) => {
  writeFileSync(path, text)
  chmodSync(path, mode)
}

describe("the secret of a network storage", () => {
  it.scoped("is systemd's credential before root's own file, without the line's end", () =>
    Effect.gen(function*() {
      const { credentials, folder } = yield* folders
      put(join(folder, "vault"), "from the file\n", 0o600)
      const secrets = storageSecrets(credentials, folder)
      expect(Redacted.value(yield* secrets("vault"))).toBe("from the file")
      put(join(credentials, "storage_vault"), "from systemd", 0o400)
      expect(Redacted.value(yield* secrets("vault"))).toBe("from systemd")
      expect(Redacted.value(yield* storageSecrets(undefined, folder)("vault"))).toBe("from the file")
    }))

  it.scoped("is none where others may read it, where there is nothing in it, and where it has several lines", () =>
    Effect.gen(function*() {
      const { folder } = yield* folders
      const secrets = storageSecrets(undefined, folder)
      const refusal = (name: string) => Effect.map(Effect.flip(secrets(name)), ({ message }) => message)
      put(join(folder, "open"), "secret", 0o644)
      put(join(folder, "empty"), "\n", 0o600)
      put(join(folder, "two"), "one\ntwo\n", 0o600)
      expect(yield* refusal("open")).toContain("others may read it: chmod 600")
      expect(yield* refusal("empty")).toContain("it is empty, or has more than one line")
      expect(yield* refusal("two")).toContain("it is empty, or has more than one line")
      expect(yield* refusal("missing")).toContain("the host has no secret missing: root writes it to ")
    }))
})
