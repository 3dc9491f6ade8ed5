/** What seals and opens personal fields for commands. */
import type { Kysely } from 'kysely'
import { type Config, readKeyEncryption } from '../../config.ts'
import { dataKeyStore } from '../../db/data-keys.ts'
import { type Db, openDatabase } from '../../db/database.ts'
import { createVault, type Vault } from '../../integrations/envelope.ts'
import { keyEncryptionOf } from '../../integrations/key-encryption.ts'
import { createKeyRing } from '../../integrations/key-ring.ts'
import { keksFileOf } from './secrets.ts'

export type Keks = Config['keyEncryption']

/** The keys that encrypt keys of a stack. */
export const keksIn = (directory: string): Keks =>
  readKeyEncryption({ KEKS_FILE: keksFileOf(directory) })

/** Makes vaults whose data keys are those of a database, or are made in its open transaction. */
export function vaultsOf(keks: Keks) {
  const keyEncryption = keyEncryptionOf(keks)
  return (db: Db | Kysely<unknown>): Vault =>
    createVault(createKeyRing({ keyEncryption, store: dataKeyStore(db as Db) }))
}

/** The vault of a database, on a connection of its own: it never waits for work that waits. */
export function openVault(url: string, keks: Keks) {
  const { db, close } = openDatabase({
    url,
    poolSize: 1,
    applicationName: 'tributary-script-keys',
    onError: () => {},
  })
  return { vault: vaultsOf(keks)(db), close }
}
