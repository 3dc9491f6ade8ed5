/** Brings a database to the newest schema: numbered `.sql` files, each applied once, in order. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type { Trx } from './database.ts'
import { guardTables } from './grants.ts'
import { sealClearFields, type VaultOf } from './seal-clear-fields.ts'
import { sealDocuments } from './seal-documents.ts'

const folder = join(import.meta.dirname, 'migrations')

/** What SQL cannot do, before a migration and in its transaction. */
type Before = Record<string, (db: Kysely<unknown>) => Promise<void>>

async function readMigrations(before: Before = {}): Promise<Record<string, Migration>> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort()
  const migrations = files.map(async (file) => {
    const text = await readFile(join(folder, file), 'utf8')
    const name = file.replace(/\.sql$/, '')
    const up = async (db: Kysely<unknown>) => {
      await before[name]?.(db)
      await sql.raw(text).execute(db)
    }
    return [name, { up }] as const
  })
  return Object.fromEntries(await Promise.all(migrations))
}

/** All migrations on an empty schema, within a transaction; nothing of them is remembered. */
export async function buildSchema(trx: Trx): Promise<void> {
  for (const migration of Object.values(await readMigrations())) {
    await migration.up(trx as unknown as Kysely<unknown>)
  }
}

function migratorOf<T>(db: Kysely<T>, vaultOf?: VaultOf): Migrator {
  const before: Before = {
    '0030-no-clear-fields': (trx) => sealClearFields(trx, vaultOf),
    '0034-sealed-documents': (trx) => sealDocuments(trx, vaultOf),
  }
  return new Migrator({
    db: db as unknown as Kysely<unknown>,
    provider: { getMigrations: () => readMigrations(before) },
  })
}

/**
 * Applies what is missing under Kysely's lock, so that several processes may try at once.
 * @param vaultOf seals what an earlier version has written in clear; an empty database needs none.
 * @returns the names of the migrations that were applied now.
 * @throws the error of the first migration that failed; nothing of it remains.
 */
export async function migrate<T>(db: Kysely<T>, vaultOf?: VaultOf): Promise<string[]> {
  const { error, results = [] } = await migratorOf(db, vaultOf).migrateToLatest()
  if (error) {
    const failed = results.find((result) => result.status === 'Error')
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`migration ${failed?.migrationName ?? '(none)'} failed: ${why}`, {
      cause: error,
    })
  }
  await guardTables(db)
  return results.map((result) => result.migrationName)
}

/** Whether every migration of this version of the product has been applied. */
export async function isMigrated<T>(db: Kysely<T>): Promise<boolean> {
  const migrations = await migratorOf(db).getMigrations()
  return migrations.every((migration) => migration.executedAt !== undefined)
}
