import { AlarmSeverity } from "@felhom/domain/AlarmApi"
import { Schema } from "effect"

/**
 * One thing about a host that needs a person. `cause` stays the same while the words change (`storage.full nas` at 96 % and at
 * 97 %), and is the same on every host that the same thing happened to.
 */
export const Concern = Schema.Struct({ cause: Schema.String, severity: AlarmSeverity, sentence: Schema.String })
export type Concern = typeof Concern.Type

/** As kept beside a host's inventory: up to version 0.2 as the sentence alone. */
export const KeptConcern = Schema.Union(
  Concern,
  Schema.transform(Schema.String, Concern, {
    strict: true,
    decode: (sentence) => ({ cause: sentence.replace(/\d+/g, "#"), severity: "warning" as const, sentence }),
    encode: ({ sentence }) => sentence
  })
)

export const critical = (cause: string, sentence: string): Concern => ({ cause, severity: "critical", sentence })
export const warning = (cause: string, sentence: string): Concern => ({ cause, severity: "warning", sentence })
