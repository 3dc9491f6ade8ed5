/** People of the platform owner with keys, for what takes two of them. */
import { randomUUIDv7 } from 'node:crypto'
import { generateKey } from '../../api/keys.ts'
import type { Scope } from '../../api/policies.ts'
import { recordApiKey, recordMember } from '../../db/access.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import type { MemberRole } from '../../domain/members.ts'

/** A key of the member with this address, who is made where it is not there. */
export async function keyOf(
  db: Db,
  person: { email: string; role?: MemberRole; scopes?: Scope[] },
): Promise<string> {
  const { email, role = 'admin', scopes = ['read', 'write', 'approvals:write'] } = person
  const { secret, ...stored } = generateKey('test')
  await inTransaction(db, async (trx) => {
    const member = { id: randomUUIDv7(), partnerId: null, name: 'Person', email, role }
    await recordApiKey(trx, {
      ...stored,
      id: randomUUIDv7(),
      memberId: await recordMember(trx, member),
      label: 'test',
      scopes,
      expiresAt: new Date(Date.now() + 3_600_000),
    })
  })
  return secret
}
