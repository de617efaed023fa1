import type { Act } from "./Act.ts"
import { copies } from "./acts/Copies.ts"
import { desiredStates, freeze } from "./acts/DesiredStates.ts"
import { foreignMarkers } from "./acts/ForeignMarkers.ts"
import { movedClock } from "./acts/MovedClock.ts"
import { reusedNumber } from "./acts/ReusedNumber.ts"
import { signersChain } from "./acts/SignersChain.ts"
import { stolenToken } from "./acts/StolenToken.ts"
import { attack as adoptedSigners } from "./attacks/AdoptedSigners.ts"
import { attack as armorWithMore } from "./attacks/ArmorWithMore.ts"
import { attack as changedAfterSigning } from "./attacks/ChangedAfterSigning.ts"
import { attack as clockFarAhead } from "./attacks/ClockFarAhead.ts"
import { attack as crossNamespace } from "./attacks/CrossNamespace.ts"
import { attack as deleteBackups } from "./attacks/DeleteBackups.ts"
import { attack as envelopeForAnother } from "./attacks/EnvelopeForAnother.ts"
import { attack as expired } from "./attacks/Expired.ts"
import { attack as expiredSigner } from "./attacks/ExpiredSigner.ts"
import { attack as fillStorage } from "./attacks/FillStorage.ts"
import { attack as flood } from "./attacks/Flood.ts"
import { attack as future } from "./attacks/Future.ts"
import { attack as held } from "./attacks/Held.ts"
import { attack as hugeEnvelope } from "./attacks/HugeEnvelope.ts"
import { attack as keyTwice } from "./attacks/KeyTwice.ts"
import { attacks as loosenedPolicy } from "./attacks/LoosenedPolicy.ts"
import { attack as lyingAboutVmid } from "./attacks/LyingAboutVmid.ts"
import { attack as manySignatures } from "./attacks/ManySignatures.ts"
import { attack as newSnapshot } from "./attacks/NewSnapshot.ts"
import { attack as noEnvelope } from "./attacks/NoEnvelope.ts"
import { attack as notBase64 } from "./attacks/NotBase64.ts"
import { attack as oneKeyTwice } from "./attacks/OneKeyTwice.ts"
import { attack as onePersonTwice } from "./attacks/OnePersonTwice.ts"
import { attack as otherEpoch } from "./attacks/OtherEpoch.ts"
import { attack as otherHost } from "./attacks/OtherHost.ts"
import { attack as oversized } from "./attacks/Oversized.ts"
import { attack as pruneBackups } from "./attacks/PruneBackups.ts"
import { attack as replay } from "./attacks/Replay.ts"
import { attack as replayWithMore } from "./attacks/ReplayWithMore.ts"
import { attack as reusedVmid } from "./attacks/ReusedVmid.ts"
import { attack as revokedSigner } from "./attacks/RevokedSigner.ts"
import { attack as sameNonce } from "./attacks/SameNonce.ts"
import { attack as signerForOtherThings } from "./attacks/SignerForOtherThings.ts"
import { attack as slow } from "./attacks/Slow.ts"
import { attack as storeBehind } from "./attacks/StoreBehind.ts"
import { attack as stranger } from "./attacks/Stranger.ts"
import { attack as swappedConfig } from "./attacks/SwappedConfig.ts"
import { attack as tooFew } from "./attacks/TooFew.ts"
import { attack as tooLong } from "./attacks/TooLong.ts"
import { attack as unknownKey } from "./attacks/UnknownKey.ts"
import { attack as unsigned } from "./attacks/Unsigned.ts"
import { inOneWorld } from "./InOneWorld.ts"
import { plain } from "./Plain.ts"

/** All attacks: those of one list share a host. What makes the hub look broken comes last, since the agent then waits. */
export const acts: ReadonlyArray<Act> = [
  plain([slow]),
  copies,
  movedClock,
  stolenToken,
  ...desiredStates,
  inOneWorld("trust", [signersChain, freeze, reusedNumber]),
  plain([
    unsigned,
    stranger,
    revokedSigner,
    expiredSigner,
    signerForOtherThings,
    crossNamespace,
    changedAfterSigning,
    oneKeyTwice,
    onePersonTwice,
    tooFew,
    expired,
    future,
    tooLong,
    noEnvelope
  ], [foreignMarkers]),
  plain([
    otherHost,
    otherEpoch,
    storeBehind,
    replay,
    replayWithMore,
    sameNonce,
    lyingAboutVmid,
    swappedConfig,
    newSnapshot,
    reusedVmid,
    unknownKey,
    keyTwice,
    clockFarAhead,
    hugeEnvelope
  ]),
  plain([
    oversized,
    manySignatures,
    notBase64,
    armorWithMore,
    deleteBackups,
    pruneBackups,
    fillStorage,
    ...loosenedPolicy,
    adoptedSigners,
    held,
    flood,
    envelopeForAnother
  ])
]
