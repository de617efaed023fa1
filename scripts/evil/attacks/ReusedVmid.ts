import type { Attack } from "../Attack.ts"
import { carrying, opOn, seenOf, target } from "../Payload.ts"

export const attack: Attack = {
  name: "a number that another guest has by now",
  invariant: "what was shown holds at the time of the call",
  answer: (stage) =>
    carrying(
      opOn(stage, {
        expect: {
          ...seenOf(stage.guest(target)),
          identity: { hwaddrs: ["BC:24:11:00:00:99"], volumes: [], smbiosUuid: null, key: null },
          volumes: []
        }
      }),
      stage.hands.anna
    ),
  seen: { kind: /^op\.(?:refused|failed)$/, message: /another guest/ }
}
