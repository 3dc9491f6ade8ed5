/** Steps of a tenant that leaves, up to the erasure of its data. */
import { type Db, inTransaction, type Trx } from '../../db/database.ts'
import { eraseLooks, eraseWords, releaseDomains } from '../../db/lifecycle/erased-words.ts'
import {
  eraseCompany,
  erasePersons,
  recordErasureEvidence,
  recordKeptDocuments,
  shredKeys,
} from '../../db/lifecycle/erasures.ts'
import { recordNextExport, removeExport } from '../../db/lifecycle/exports.ts'
import {
  countOffboardings,
  getOffboarding,
  markConfirmed,
  markLegalHold,
  markOffboardingStage,
  type OffboardingRow,
  recordFreeze,
  recordOffboardingEvent,
  recordThaw,
} from '../../db/lifecycle/offboardings.ts'
import { releaseTerritories } from '../../db/territories.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import { type OffboardingStage, reopenedFrom } from '../../domain/lifecycle.ts'
import type { ActivityDeps } from '../deps.ts'

interface OffboardingStep {
  offboardingId: string
}

/** A step of one offboarding, as one transaction. */
async function withOffboarding<T>(
  db: Db,
  { offboardingId }: OffboardingStep,
  work: (trx: Trx, offboarding: OffboardingRow) => Promise<T>,
): Promise<T> {
  return inTransaction(db, async (trx) => work(trx, await getOffboarding(trx, offboardingId)))
}

/** A step of an erasure that has begun; of one that is over nothing is left to do. */
async function erasing(
  db: Db,
  input: OffboardingStep,
  work: (trx: Trx, offboarding: OffboardingRow) => Promise<void>,
): Promise<void> {
  await withOffboarding(db, input, async (trx, offboarding) => {
    if (offboarding.stage === 'erased') return
    if (offboarding.stage !== 'erasing') {
      throw new DomainError('not_ready', 'the erasure has not begun')
    }
    await work(trx, offboarding)
  })
}

export function offboardingActivities({ db }: ActivityDeps) {
  return {
    /** @returns whether an earlier process has begun the erasure, which is then only finished. */
    async freezeTenant(input: OffboardingStep): Promise<{ isErasing: boolean }> {
      return await withOffboarding(db, input, async (trx, offboarding) => {
        const isErasing = offboarding.stage === 'erasing'
        if (isErasing) return { isErasing }
        await recordFreeze(trx, offboarding)
        await markOffboardingStage(trx, offboarding.id, { stage: 'freezing' })
        return { isErasing }
      })
    },

    /** Writes file after file, each in a transaction of its own. @returns how many. */
    async exportTenant(input: OffboardingStep): Promise<number> {
      await withOffboarding(db, input, (trx, { id }) =>
        markOffboardingStage(trx, id, { stage: 'exporting' }),
      )
      let files = 0
      while (await withOffboarding(db, input, recordNextExport)) files++
      return files
    },

    async enterOffboardingStage({
      offboardingId,
      stage,
      dueAt,
    }: OffboardingStep & { stage: OffboardingStage; dueAt: string | null }): Promise<void> {
      const due = dueAt === null ? null : new Date(dueAt)
      await inTransaction(db, (trx) =>
        markOffboardingStage(trx, offboardingId, { stage, dueAt: due }),
      )
    },

    /** @throws DomainError `second_person_required`, `legal_hold` */
    async recordConfirmation(input: OffboardingStep & { memberId: string }): Promise<void> {
      const { memberId } = input
      await withOffboarding(db, input, async (trx, { id, stage }) => {
        await markConfirmed(trx, id, memberId)
        const what = 'the erasure is confirmed by a second person'
        const actor = outwardId('member', memberId)
        await recordOffboardingEvent(trx, { id, stage, key: 'confirmed', what, actor })
      })
    },

    async recordCancellation(input: OffboardingStep & { memberId: string }): Promise<void> {
      const actor = outwardId('member', input.memberId)
      await withOffboarding(db, input, (trx, { id, stage }) =>
        recordOffboardingEvent(trx, {
          ...{ id, stage, key: 'cancellation', actor },
          what: 'a person decided that the tenant stays',
        }),
      )
    },

    async recordLegalHold(
      input: OffboardingStep & { memberId: string; on: boolean; entry: string },
    ): Promise<void> {
      const { on, entry: key } = input
      const actor = outwardId('member', input.memberId)
      await withOffboarding(db, input, async (trx, { id, stage }) => {
        await markLegalHold(trx, id, on)
        const what = on ? 'a legal hold keeps the data' : 'the legal hold is lifted'
        await recordOffboardingEvent(trx, { id, stage, key, what, actor })
      })
    },

    /** @returns the try under which its subscription is opened again; null where it is not. */
    async takeOffboardingBack(input: OffboardingStep): Promise<{ attempt: number | null }> {
      const taken = await withOffboarding(db, input, async (trx, offboarding) => {
        await removeExport(trx, offboarding.id)
        const thawed = await recordThaw(trx, offboarding)
        const reopens = thawed || (offboarding.stage === 'cancelled' && !offboarding.terminationId)
        await markOffboardingStage(trx, offboarding.id, { stage: 'cancelled' })
        const count = await countOffboardings(trx, offboarding.tenantId)
        return { attempt: reopens ? reopenedFrom + count : null }
      })
      return taken
    },

    /** Seals signed agreements for the platform, which has to keep them. */
    async keepAgreements(input: OffboardingStep): Promise<void> {
      await erasing(db, input, async (trx, { partnerId }) => {
        await recordKeptDocuments(trx, partnerId)
      })
    },

    /**
     * Empties all personal fields and free words, lets its domains and looks go, and gives the
     * company's name for its id.
     */
    async erasePersonalData(input: OffboardingStep): Promise<void> {
      await erasing(db, input, async (trx, offboarding) => {
        const { id, partnerId, requestedBy, confirmedBy } = offboarding
        if (confirmedBy === null) throw new DomainError('not_ready', 'nobody has confirmed this')
        await releaseTerritories(trx, partnerId, 'terminated')
        const files = await removeExport(trx, id)
        const counts = {
          ...(await erasePersons(trx, partnerId)),
          export_files: files,
          words: await eraseWords(trx, partnerId),
          tenant_domains: await releaseDomains(trx, partnerId),
          tenant_images: await eraseLooks(trx, partnerId),
        }
        await eraseCompany(trx, partnerId, `erased partner ${outwardId('partner', partnerId)}`)
        const said = { offboardingId: id, partnerId, requestedBy, confirmedBy }
        await recordErasureEvidence(trx, { ...said, counts })
      })
    },

    /** The end of whatever was sealed for the partner, here and in later backups. */
    async shredKeys(input: OffboardingStep): Promise<void> {
      await erasing(db, input, async (trx, { partnerId }) => {
        await shredKeys(trx, partnerId)
      })
    },

    async recordErasure(input: OffboardingStep): Promise<void> {
      await erasing(db, input, (trx, { id }) => markOffboardingStage(trx, id, { stage: 'erased' }))
    },
  }
}
