/** Seals the documents that earlier versions have kept in clear, once. */
import { type Kysely, sql } from 'kysely'
import { documentPlace } from './onboarding/documents.ts'
import type { VaultOf } from './seal-clear-fields.ts'

/** Documents are large: few at a time are in memory. */
const batch = 20

interface ClearDocument {
  id: string
  holderId: string | null
  content: Buffer
}

/**
 * Part of migrating, between the migration that adds the sealed column and the one that drops the
 * clear one. @throws Error where there are documents and no vault.
 */
export async function sealDocuments(db: Kysely<unknown>, vaultOf?: VaultOf): Promise<void> {
  for (;;) {
    const { rows } = await sql<ClearDocument>`
      select id, holder_id, content from documents where content_sealed is null
      order by id limit ${batch}`.execute(db)
    if (rows.length === 0) return
    const vault = vaultOf?.(db)
    if (!vault) throw new Error('there are documents to seal: set KEKS or KEKS_FILE, and migrate')
    const sealed = await vault.sealMany(
      rows.map((row) => ({ place: documentPlace(row), text: row.content.toString('base64') })),
    )
    for (const [i, { id }] of rows.entries()) {
      await sql`update documents set content_sealed = ${sealed[i]} where id = ${id}`.execute(db)
    }
  }
}
