import type { Watch } from "../Stage.ts"
import * as Calls from "./Calls.ts"
import * as I05 from "./I05DesiredVersion.ts"
import * as I06 from "./I06Absence.ts"
import * as I10 from "./I10RootVerbs.ts"
import * as I11 from "./I11GuestWords.ts"
import * as I12 from "./I12Secrets.ts"
import * as I13 from "./I13Ends.ts"
import * as I14 from "./I14Alive.ts"
import * as I15 from "./I15NoFalseSuccess.ts"
import * as I16 from "./I16Hold.ts"
import * as I17 from "./I17Floors.ts"
import * as I18 from "./I18Signed.ts"
import * as Trust from "./Trust.ts"

/** All that is looked at in one schedule. */
export const makeWatches = (): ReadonlyArray<Watch> => [
  // Before the calls, which are judged by it.
  Trust.watch(),
  Calls.watch,
  I05.watch(),
  I06.watch,
  I10.watch,
  I11.watch,
  I12.watch,
  I13.watch,
  I14.watch(),
  I15.watch,
  I16.watch,
  I17.watch,
  I18.watch()
]
