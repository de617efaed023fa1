import type { Watch } from "../Stage.ts"

// eslint-disable-next-line no-control-regex
const control = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

/** I11: what a guest says of itself stays its own words: it makes no line and no cursor jump in what people are told; held against each event. */
export const watch: Watch = {
  calm: ({ ledger }) => {
    for (const { kind, message } of ledger.told.values()) {
      if (control.test(message)) ledger.violated("I11", `${kind} has control characters: ${JSON.stringify(message)}`)
    }
  }
}
