/** Files that are made from other files, and whether they are still what they should be. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ApiDeps } from '../api/deps.ts'
import { describeApi } from '../api/openapi.ts'
import { allRoutes } from '../api/routes.ts'
import { migrate } from '../db/migrations.ts'
import { schemaTypes } from '../db/table-types.ts'
import { createDatabase, databaseUrl } from './launch/databases.ts'
import type { LauncherEnvironment } from './launch/environment.ts'
import { freePort } from './launch/ports.ts'
import { startPostgres } from './launch/postgres.ts'
import type { Progress } from './launch/progress.ts'
import { withDatabase } from './stack/database.ts'

const root = join(import.meta.dirname, '..')

/** Declarations are read only; nothing of a route is called, so that nothing has to be there. */
function apiDescription(): string {
  const nothing = {} as ApiDeps
  const routes = allRoutes({ ...nothing, settings: {} as ApiDeps['settings'] })
  const document = describeApi(routes, 'https://api.example.com')
  return `${JSON.stringify(document, null, 2)}\n`
}

async function tableTypes(env: LauncherEnvironment, progress: Progress): Promise<string> {
  const port = await freePort()
  const server = await startPostgres({ env, progress, port, purpose: 'throwaway', inMemory: true })
  try {
    await createDatabase(server.url, 'types')
    const url = databaseUrl(server.url, 'types')
    await withDatabase(url, ({ db }) => migrate(db))
    return await schemaTypes(url)
  } finally {
    await server.remove()
  }
}

/** Every generated file with the content it must have. */
export async function generatedFiles(env: LauncherEnvironment, progress: Progress) {
  return [
    { file: join(root, 'db', 'schema.ts'), content: await tableTypes(env, progress) },
    { file: join(root, 'docs', 'openapi.json'), content: apiDescription() },
  ]
}

/** @returns the generated files whose content is not what it must be. */
export async function driftedFiles(env: LauncherEnvironment, progress: Progress) {
  const files = await generatedFiles(env, progress)
  const found = await Promise.all(
    files.map(async ({ file, content }) =>
      (await readFile(file, 'utf8').catch(() => '')) === content ? [] : [file],
    ),
  )
  return found.flat()
}

export async function writeGenerated(env: LauncherEnvironment, progress: Progress) {
  const files = await generatedFiles(env, progress)
  for (const { file, content } of files) await writeFile(file, content)
  return files.map(({ file }) => file)
}
