import type { Watch } from "../Stage.ts"

/** I5: the desired version never goes down, and one version is one document; held against what each report says of it. */
export const watch = (): Watch => {
  let last: { readonly epoch: string; readonly version: number; readonly sha256: string | null } | undefined
  return {
    report: ({ hub, ledger }) => {
      const held = hub.trust?.desired
      if (held === undefined || held === null) return
      const before = last
      last = held
      if (before === undefined) return
      const signed = [...ledger.ops.values()].some(({ op, spent }) =>
        op.op === "desired.accept_epoch" && op.target.epoch === held.epoch && spent !== undefined
      )
      if (held.epoch !== before.epoch && !signed) {
        ledger.violated("I5", `the hub's epoch is another, and nobody signed that`)
      }
      if (held.epoch !== before.epoch) return
      if (held.version < before.version) ledger.violated("I5", `version ${held.version} after ${before.version}`)
      if (held.version === before.version && held.sha256 !== before.sha256) {
        ledger.violated("I5", `version ${held.version} is another document than before`)
      }
    }
  }
}
