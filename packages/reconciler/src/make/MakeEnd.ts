import type { GuestRef } from "@felhom/domain/ProxmoxId"
import type { Upid } from "@felhom/domain/Upid"
import type { OpOutcome } from "@felhom/durable/JournalWords"
import { Data } from "effect"

/**
 * What came of making a guest. `failed`: nothing of it is left, or it stands unproven and `detail` says what can be done; then its
 * key stays on record. `unknown`: somebody has to look, and its key stays on record.
 */
export interface MakeEnd extends OpOutcome {
  /** The task that makes it, where one is known. */
  readonly upid: Upid | null
  /** The guest, where one stands. */
  readonly ref: GuestRef | null
}

/** It is over, wherever that is found out. */
export class Over extends Data.TaggedError("Over")<{ readonly end: MakeEnd }> {}

export const over = (
  end: MakeEnd["end"],
  detail: string,
  { ref = null, upid = null }: { readonly upid?: Upid | null; readonly ref?: GuestRef | null } = {}
): Over => new Over({ end: { end, detail, upid, ref } })
