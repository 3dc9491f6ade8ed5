/** Forms by which partners say who they are for tax. */
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { TaxClassification, TaxFormKind, TaxFormState, TinKind } from '../../domain/tax.ts'
import { type Db, lockName, type Trx } from '../database.ts'
import { openedFields, sealedFields } from '../personal-fields.ts'

export interface TaxFormRow {
  id: string
  partnerId: string
  kind: TaxFormKind | null
  state: TaxFormState
  legalName: string | null
  tinKind: TinKind | null
  tinLastFour: string | null
  classification: TaxClassification | null
  subjectToWithholding: boolean
  country: string | null
  /** Days, like 2026-10-31. */
  signedOn: string | null
  expiresOn: string | null
  reason: string | null
  requestedAt: Date | null
  receivedAt: Date | null
  decidedAt: Date | null
  endedAt: Date | null
}

function formQuery(db: Db) {
  return db
    .selectFrom('taxForms')
    .select(['id', 'partnerId', 'kind', 'state', 'tinKind', 'classification'])
    .select(['subjectToWithholding', 'country', 'reason'])
    .select(['requestedAt', 'receivedAt', 'decidedAt', 'endedAt'])
    .select(['signedOn', 'expiresOn'])
    .select(openedFields('taxForms'))
}

/** Forms of a partner, the newest first. */
export async function listTaxForms(db: Db, partnerId: string): Promise<TaxFormRow[]> {
  return formQuery(db).where('partnerId', '=', partnerId).orderBy('id', 'desc').limit(100).execute()
}

export async function findTaxForm(db: Db, id: string): Promise<TaxFormRow | undefined> {
  return formQuery(db).where('id', '=', id).executeTakeFirst()
}

async function lockForms(trx: Trx, partnerId: string): Promise<void> {
  await lockName(trx, `tax_forms:${partnerId}`)
}

async function findOpenForm(trx: Trx, partnerId: string) {
  return trx
    .selectFrom('taxForms')
    .select(['id', 'state'])
    .where('partnerId', '=', partnerId)
    .where('state', 'in', ['requested', 'received'])
    .executeTakeFirst()
}

/** Asks a partner for a form. @returns the id of the one that is asked for or looked at already. */
export async function recordTaxFormRequest(
  trx: Trx,
  { id, partnerId }: { id: string; partnerId: string },
): Promise<string> {
  await lockForms(trx, partnerId)
  const open = await findOpenForm(trx, partnerId)
  if (open) return open.id
  const state = 'requested' as const
  await trx
    .insertInto('taxForms')
    .values({ id, partnerId, state, requestedAt: sql<Date>`clock_timestamp()` })
    .execute()
  return id
}

export interface Declaration {
  /** Of the form, where none was asked for. */
  id: string
  partnerId: string
  kind: TaxFormKind
  legalName: string
  tinKind: TinKind
  tinLastFour: string
  classification: TaxClassification | null
  subjectToWithholding: boolean
  country: string
  signedOn: string
  expiresOn: string | null
  /** Who found it right; null of what a partner declares, which is looked at first. */
  decidedBy: string | null
}

/**
 * Takes a form in, in the place of one that was asked for.
 * @returns its id. @throws DomainError `conflict` while another one is looked at.
 */
export async function recordTaxForm(trx: Trx, declaration: Declaration): Promise<string> {
  const { id: newId, partnerId, legalName, tinLastFour, decidedBy, ...facts } = declaration
  await lockForms(trx, partnerId)
  const open = await findOpenForm(trx, partnerId)
  if (open?.state === 'received') {
    if (open.id === newId) return newId
    throw new DomainError('conflict', 'a form is looked at already: wait until it is decided')
  }
  const id = open?.id ?? newId
  const organisation = partnerId
  const now = sql<Date>`clock_timestamp()`
  const values = {
    ...facts,
    ...sealedFields('taxForms', { id, organisation }, { legalName, tinLastFour }),
    state: decidedBy ? ('valid' as const) : ('received' as const),
    receivedAt: now,
    ...(decidedBy ? { decidedBy, decidedAt: now } : {}),
  }
  if (decidedBy) await markReplaced(trx, partnerId)
  await (open
    ? trx.updateTable('taxForms').set(values).where('id', '=', id).execute()
    : trx
        .insertInto('taxForms')
        .values({ ...values, id, partnerId })
        .execute())
  return id
}

async function markReplaced(trx: Trx, partnerId: string): Promise<void> {
  await trx
    .updateTable('taxForms')
    .set({ state: 'replaced', endedAt: sql<Date>`clock_timestamp()` })
    .where('partnerId', '=', partnerId)
    .where('state', '=', 'valid')
    .execute()
}

/**
 * Finds a form right, in the place of the one before, or not.
 * @throws DomainError `not_found`, `already_decided`
 */
export async function recordTaxFormDecision(
  trx: Trx,
  decision: { id: string; memberId: string; accept: boolean; reason: string | null },
): Promise<void> {
  const { id, memberId, accept, reason } = decision
  const form = await trx
    .selectFrom('taxForms')
    .select(['partnerId', 'state'])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
  if (!form) throw new DomainError('not_found', 'there is no such tax form')
  if (form.state !== 'received') {
    throw new DomainError('already_decided', `this tax form is ${form.state}; nothing is decided`)
  }
  if (accept) await markReplaced(trx, form.partnerId)
  await trx
    .updateTable('taxForms')
    .set({
      state: accept ? 'valid' : 'rejected',
      reason: accept ? null : reason,
      decidedBy: memberId,
      decidedAt: sql<Date>`clock_timestamp()`,
    })
    .where('id', '=', id)
    .execute()
}

/** Forms whose last day is over. @returns how many. */
export async function markExpiredTaxForms(db: Db): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('taxForms')
    .set({ state: 'expired', endedAt: sql<Date>`clock_timestamp()` })
    .where('state', '=', 'valid')
    .where(sql<boolean>`expires_on < to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD')`)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}
