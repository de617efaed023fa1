/**
 * Bugs that a campaign must not overlook, each with the invariant that it breaks. A line stands without its indentation, and exactly
 * once in its file.
 */
export const bugs = [
  {
    name: "deletes the guest where its snapshot should go",
    invariant: "I1",
    changes: [{
      file: "packages/proxmox/src/SnapshotApi.ts",
      line: `{ method: "DELETE", path: [...path(ref), name] },`,
      instead: `{ method: "DELETE", path: path(ref).slice(0, -1) },`
    }]
  },
  {
    name: "takes a spent nonce again",
    invariant: "I2",
    changes: [{
      file: "packages/durable/src/NonceStore.ts",
      line: "if (!state.table.add(...key, until)) return yield* new NonceSpent({ nonce })",
      instead: "state.table.add(...key, until)"
    }, {
      file: "packages/durable/src/NonceStore.ts",
      line: "isSpent: (nonce) => Effect.map(keyOf(nonce), (key) => state.table.has(key)),",
      instead: "isSpent: () => Effect.succeed(false),"
    }]
  },
  {
    name: "spends a nonce after what it is spent for",
    invariant: "I3",
    changes: [{
      file: "packages/authz/src/Authz.ts",
      line: "yield* Effect.catchTags(nonces.spend(op.nonce, op.exp), {",
      instead: `yield* Effect.catchTags(Effect.forkDaemon(Effect.delay(nonces.spend(op.nonce, op.exp), "1 minute")), {`
    }]
  },
  {
    name: "does an op that has expired",
    invariant: "I4",
    changes: [{ file: "packages/authz/src/Authz.ts", line: "if (now >= op.exp) {", instead: "if (now < 0) {" }]
  },
  {
    name: "takes an older desired state",
    invariant: "I5",
    changes: [{
      file: "packages/reconciler/src/desired/DesiredIntake.ts",
      line:
        "if (version < before) return [\"version-behind\", `it is version ${version}, and this host has version ${before}`]",
      instead: ""
    }]
  },
  {
    name: "takes two documents for one version",
    invariant: "I5",
    changes: [{
      file: "packages/reconciler/src/desired/DesiredIntake.ts",
      line: "if (version === before && held?.sha256 !== sha256) {",
      instead: "if (version < 0) {"
    }]
  },
  {
    name: "takes another guest for one that is gone",
    invariant: "I6",
    changes: [{
      file: "packages/reconciler/src/plan/Matching.ts",
      line: "const all = index.guests.get(textOf(key)) ?? nobody",
      instead: "const all = index.guests.get(textOf(key)) ?? [...index.guests.values()][0] ?? nobody"
    }]
  },
  {
    name: "asks for one signer whatever root wants",
    invariant: "I7",
    changes: [{
      file: "packages/authz/src/PolicyDocument.ts",
      line: "signatures.thresholds[op] ?? signatures.threshold",
      instead: "signatures.thresholds[op] ?? 1"
    }]
  },
  {
    name: "counts one signer twice",
    invariant: "I7",
    changes: [{
      file: "packages/authz/src/Threshold.ts",
      line:
        "if (kept.every(({ fingerprint, principal }) => fingerprint !== one.fingerprint && principal !== one.principal)) {",
      instead: "if (kept.length >= 0) {"
    }]
  },
  {
    name: "lets a revoked key count",
    invariant: "I8",
    changes: [{
      file: "packages/authz/src/VerifySignature.ts",
      line: `if (isOut) return refused("revoked", "its key is on the revocation list")`,
      instead: ""
    }]
  },
  {
    name: "reads the list of signers once",
    invariant: "I8",
    changes: [{
      file: "packages/authz/src/Signers.ts",
      line: "const sha256 = yield* crypto.sha256(found.value)",
      instead: "const sha256 = Option.isSome(good) ? good.value.sha256 : yield* crypto.sha256(found.value)"
    }]
  },
  {
    name: "does not look whether the target is what was shown",
    invariant: "I9",
    changes: [{
      file: "packages/reconciler/src/op/Executor.ts",
      line: "if (unmet !== undefined) {",
      instead: "if (unmet === null) {"
    }]
  },
  {
    name: "asks root in two lines",
    invariant: "I10",
    changes: [{
      file: "packages/privileged/src/PrivilegedSocket.ts",
      line: "sockets.exchange(socket, line),",
      instead: "sockets.exchange(socket, `${line}\\n{\"verb\":\"mount\"}`),"
    }]
  },
  {
    name: "lets a guest's name move the cursor",
    invariant: "I11",
    changes: [{
      file: "packages/domain/src/DisplayText.ts",
      line:
        "const named: { readonly [character: string]: string } = { \"\\n\": \"\\\\n\", \"\\r\": \"\\\\r\", \"\\t\": \"\\\\t\" }",
      instead: "const named: { readonly [character: string]: string } = { \"\\u001b\": \"\\u001b\" }"
    }]
  },
  {
    name: "tells the secret for Proxmox when Proxmox is away",
    invariant: "I12",
    changes: [{
      file: "packages/proxmox/src/Transport.ts",
      line: `return failure(call, "unreachable", wordsOf(error))`,
      instead: `return failure(call, "unreachable", JSON.stringify(common.headers))`
    }]
  },
  {
    name: "forgets what it was at when it was killed",
    invariant: "I13",
    changes: [{
      file: "packages/reconciler/src/op/Executor.ts",
      line: "recover: Effect.flatMap(journal.open, (ops) => Effect.forEach(ops, submit, { discard: true })),",
      instead: "recover: Effect.asVoid(journal.open),"
    }]
  },
  {
    name: "ends when the hub is away",
    invariant: "I14",
    changes: [{
      file: "packages/agent/src/Cycle.ts",
      line: "onFailure: (error) => afterFailure(memory, error),",
      instead: "onFailure: () => Effect.interrupt,"
    }]
  },
  {
    name: "looks whether it is its turn, and stands in line a moment later",
    invariant: "I14",
    changes: [{
      file: "packages/durable/src/Turns.ts",
      line: "waiting.push(turn)",
      instead: ""
    }, {
      file: "packages/durable/src/Turns.ts",
      line: "return Deferred.await(turn)",
      instead: `return Effect.flatMap(Effect.as(Effect.yieldNow(), turn), (mine) => {
        waiting.push(mine)
        return Deferred.await(mine)
      })`
    }]
  },
  {
    name: "takes the end of a task for its success",
    invariant: "I15",
    changes: [{
      file: "packages/reconciler/src/op/Executor.ts",
      line: "return Effect.succeed(failed(`${outcome.exitStatus}${logText(outcome.logTail)}`, outcome.upid))",
      instead: "return Effect.succeed(finished(`${outcome.exitStatus}${logText(outcome.logTail)}`, outcome.upid))"
    }]
  },
  {
    name: "begins an op under a hold",
    invariant: "I16",
    changes: [{
      file: "packages/authz/src/Authz.ts",
      line: `if (Option.isSome(held) && op.op !== "hold.release") {`,
      instead: "if (Option.isSome(held) && op.exp < 0) {"
    }]
  },
  {
    name: "keeps no room free",
    invariant: "I17",
    changes: [{
      file: "packages/reconciler/src/plan/Floors.ts",
      line: "if (available - promised - bytes < (total * floor.free) / 100) {",
      instead: "if (available < 0) {"
    }]
  },
  {
    name: "signs something else than it reports",
    invariant: "I18",
    changes: [{
      file: "packages/hub-client/src/HubClient.ts",
      line: "const signature = sign === undefined ? {} : { [signatureHeader]: yield* sign(body) }",
      instead: "const signature = sign === undefined ? {} : { [signatureHeader]: yield* sign(body.slice(1)) }"
    }]
  },
  {
    name: "starts a guest that does not stay up as soon as it can, for ever",
    invariant: "I14",
    changes: [{
      file: "packages/reconciler/src/pursuit/Attempts.ts",
      line: "const pauseAfter = (times: number): number => Math.min(longest, first * 2 ** (Math.min(times, 20) - 1))",
      instead: "const pauseAfter = (times: number): number => Math.min(longest, times)"
    }]
  },
  {
    name: "does nothing twice, however often it is undone",
    invariant: "converges",
    changes: [{
      file: "packages/reconciler/src/pursuit/Attempts.ts",
      line: "return ended !== null && now >= ended && now - ended < listAge",
      instead: "return ended !== null"
    }]
  },
  {
    name: "never lets go of a guest that it worked on",
    invariant: "converges",
    changes: [{
      file: "packages/reconciler/src/pursuit/Pursuit.ts",
      line: "underWay.delete(whom)",
      instead: ""
    }]
  },
  {
    name: "does not look again at what no list shows",
    invariant: "converges",
    changes: [{
      file: "packages/reconciler/src/GuestReadings.ts",
      line: ".slice(0, Math.ceil(rows.length / sweepCycles))",
      instead: ".slice(0, 0)"
    }]
  },
  {
    name: "makes a guest of an archive with a hook script in it",
    invariant: "I10",
    changes: [{
      file: "packages/reconciler/src/make/ArchiveInspection.ts",
      line: "if (key === \"hookscript\") return \"it has a hook script, which would run as root on this host\"",
      instead: "if (key === \"hookscript\") return undefined"
    }]
  },
  {
    name: "goes by the operators' policy after root edited its own",
    invariant: "I7",
    changes: [{
      file: "packages/authz/src/HostPolicy.ts",
      line: "Option.isSome(widened) && widened.value.anchor === reading.root",
      instead: "Option.isSome(widened)"
    }]
  },
  {
    name: "takes a policy that fewer signed than it takes",
    invariant: "I7",
    changes: [{
      file: "packages/authz/src/PolicyDocument.ts",
      line: "signatures.thresholds[op] ?? signatures.threshold",
      instead: "signatures.thresholds[op] ?? (op === \"policy.widen\" ? 1 : signatures.threshold)"
    }]
  },
  {
    name: "goes by the operators' list of signers after root edited its own",
    invariant: "I8",
    changes: [{
      file: "packages/authz/src/Signers.ts",
      line: "if (held.value.anchor === listed.sha256) {",
      instead: "if (held.value.anchor.length > 0) {"
    }]
  },
  {
    name: "waits for somebody to start it anew after its disk has failed",
    invariant: "converges",
    changes: [{
      file: "packages/agent/src/ops/DeskRenewal.ts",
      line: "if (since < pause || Option.isSome(yield* state.failure)) return",
      instead: "if (since < Infinity) return"
    }]
  }
]
