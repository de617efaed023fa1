/** An exchange that its client gave up, because the whole answer was not there in time. The request may have been carried out. */
export class AnswerLate extends Error {
  override readonly name = "AnswerLate"
  constructor(limitMillis: number) {
    super(`no answer within ${limitMillis / 1000} s`)
  }
}

// A timer of the client's own costs a request next to nothing; two fibers that race cost it more than anything else.
const limits = new WeakMap<object, number>()

/**
 * Notes that this client sends no trace, and by itself ends each exchange that takes longer than `limitMillis`, the answer's
 * body included, with an `AnswerLate` as the cause of its error.
 */
export const endsByItself = <Client extends object>(client: Client, limitMillis: number): Client => {
  limits.set(client, limitMillis)
  return client
}

/** Whether that was noted of this client, so that its caller need not see to it: at this limit or a shorter one. */
export const isKnownToEnd = (client: object, limitMillis: number): boolean =>
  (limits.get(client) ?? Infinity) <= limitMillis
