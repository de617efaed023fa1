import type { Attack } from "../Attack.ts"
import { attack as armorWithMore } from "./ArmorWithMore.ts"
import { attack as changedAfterSigning } from "./ChangedAfterSigning.ts"
import { attack as clockFarAhead } from "./ClockFarAhead.ts"
import { attack as crossNamespace } from "./CrossNamespace.ts"
import { attack as desiredState } from "./DesiredState.ts"
import { attack as envelopeForAnother } from "./EnvelopeForAnother.ts"
import { attack as expired } from "./Expired.ts"
import { attack as expiredSigner } from "./ExpiredSigner.ts"
import { attack as flood } from "./Flood.ts"
import { attack as future } from "./Future.ts"
import { attack as held } from "./Held.ts"
import { attack as hugeEnvelope } from "./HugeEnvelope.ts"
import { attack as keyTwice } from "./KeyTwice.ts"
import { attack as lyingAboutVmid } from "./LyingAboutVmid.ts"
import { attack as manySignatures } from "./ManySignatures.ts"
import { attack as newSnapshot } from "./NewSnapshot.ts"
import { attack as noEnvelope } from "./NoEnvelope.ts"
import { attack as notBase64 } from "./NotBase64.ts"
import { attack as oneKeyTwice } from "./OneKeyTwice.ts"
import { attack as onePersonTwice } from "./OnePersonTwice.ts"
import { attack as otherEpoch } from "./OtherEpoch.ts"
import { attack as otherHost } from "./OtherHost.ts"
import { attack as oversized } from "./Oversized.ts"
import { attack as replay } from "./Replay.ts"
import { attack as replayWithMore } from "./ReplayWithMore.ts"
import { attack as reusedVmid } from "./ReusedVmid.ts"
import { attack as revokedSigner } from "./RevokedSigner.ts"
import { attack as sameNonce } from "./SameNonce.ts"
import { attack as signerForOtherThings } from "./SignerForOtherThings.ts"
import { attack as slow } from "./Slow.ts"
import { attack as storeBehind } from "./StoreBehind.ts"
import { attack as stranger } from "./Stranger.ts"
import { attack as swappedConfig } from "./SwappedConfig.ts"
import { attack as tooFew } from "./TooFew.ts"
import { attack as tooLong } from "./TooLong.ts"
import { attack as unknownKey } from "./UnknownKey.ts"
import { attack as unsigned } from "./Unsigned.ts"

/** All attacks, in the order in which they are played: those that make the hub look broken come last, since the agent then waits. */
export const attacks: ReadonlyArray<Attack> = [
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
  oversized,
  manySignatures,
  notBase64,
  armorWithMore,
  desiredState,
  clockFarAhead,
  held,
  flood,
  envelopeForAnother,
  noEnvelope,
  hugeEnvelope,
  slow
]
