/** Wishes of people to have an agreement sent once more. */
import type { Db, Trx } from '../database.ts'
import { opened, sealed } from '../sealed-fields.ts'
import type { Signer } from './agreements.ts'

export interface NewResend {
  id: string
  applicationId: string
  memberId: string
  /** Who signs from now on; null for whom it was sent to before. */
  signer: Partial<Signer>
}

const place = (column: string, { id, applicationId }: NewResend) => ({
  organisation: applicationId,
  table: 'agreement_resends',
  column,
  row: id,
})

const field = (column: string) =>
  opened({ table: 'agreement_resends', column, organisation: 'agreement_resends.application_id' })

/** A repeated request finds its own. */
export async function recordResend(trx: Trx, resend: NewResend): Promise<void> {
  const { id, applicationId, memberId, signer } = resend
  const { name, email } = signer
  await trx
    .insertInto('agreementResends')
    .values({
      ...{ id, applicationId, memberId },
      ...(name ? { signerNameSealed: sealed(place('signer_name_sealed', resend), name) } : {}),
      ...(email ? { signerEmailSealed: sealed(place('signer_email_sealed', resend), email) } : {}),
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

export async function findResend(db: Db, id: string) {
  return db
    .selectFrom('agreementResends')
    .select(['id', 'memberId'])
    .select([field('signer_name_sealed').as('name'), field('signer_email_sealed').as('email')])
    .where('id', '=', id)
    .executeTakeFirst() as Promise<
    { id: string; memberId: string; name: string | null; email: string | null } | undefined
  >
}
