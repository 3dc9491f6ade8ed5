/** Invitations to apply, as the API makes them. */
import { createHash, randomUUIDv7 } from 'node:crypto'
import { type Db, inTransaction } from '../../db/database.ts'
import {
  type NewApplicationInvitation,
  recordApplicationInvitation,
} from '../../db/onboarding/application-invitations.ts'
import { makeMember, unique } from './factories.ts'

/** An open invitation to apply, of a partner or of the platform; `token` opens it. */
export async function makeApplicationInvitation(
  db: Db,
  partnerId: string | null,
  changes: Partial<NewApplicationInvitation> & { token?: string } = {},
): Promise<string> {
  const { token = unique('token'), ...columns } = changes
  const id = randomUUIDv7()
  const invitedBy = await makeMember(db, { partnerId })
  await inTransaction(db, (trx) =>
    recordApplicationInvitation(trx, {
      ...{ id, partnerId, invitedBy, name: 'Guest', email: `${id}@guest.example`, message: '' },
      ...{ level: 'reseller', type: null },
      tokenHash: createHash('sha256').update(token).digest(),
      ...columns,
    }),
  )
  return id
}
