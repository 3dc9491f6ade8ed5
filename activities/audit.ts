/** The step that signs the audit trail once a day and publishes what was signed. */
import { listDailyHeads, recordDailyHead } from '../db/audit.ts'
import { inTransaction } from '../db/database.ts'
import { publishedLine } from '../domain/audit.ts'
import type { ActivityDeps } from './deps.ts'

export function auditActivities({ db, audit }: ActivityDeps) {
  return {
    /**
     * Signs the first time that it is called on a day. What was signed and is not in the list yet
     * is published, also what an earlier call signed and could not publish.
     */
    async signAuditHeads(): Promise<{ signed: string | null; published: number }> {
      const head = await inTransaction(db, (trx) => recordDailyHead(trx, audit.signer))
      const waiting = await listDailyHeads(db, await audit.publisher.newestDay())
      if (waiting.length > 0) await audit.publisher.publish(waiting.map(publishedLine))
      return { signed: head?.day ?? null, published: waiting.length }
    },
  }
}
