/** The workflow bundle: made once for one state of the code, then read from a file. */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker'
import { failureConverterPath } from '../integrations/payload-codec.ts'

const root = join(import.meta.dirname, '..')
const workflowsPath = join(root, 'workflows', 'index.ts')

async function sourceFiles(folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true })
  return entries
    .filter((entry) => entry.endsWith('.ts'))
    .map((entry) => join(folder, entry))
    .sort()
}

/** Names the state of all that makes the bundle what it is; activities enter as types only. */
async function bundleKey(): Promise<string> {
  const hash = createHash('sha256')
  const files = [...(await sourceFiles('workflows')), ...(await sourceFiles('domain'))]
  for (const file of [...files, 'package-lock.json', join('worker', 'bundle.ts')]) {
    hash.update(`${file}\n`).update(await readFile(join(root, file)))
  }
  return hash.digest('hex').slice(0, 16)
}

/** @returns the path of the bundle for the code as it is now. */
export async function workflowBundle(folder: string): Promise<string> {
  const codePath = join(folder, `workflows-${await bundleKey()}.js`)
  const known = await stat(codePath).catch(() => undefined)
  if (known) return codePath
  await mkdir(folder, { recursive: true })
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    failureConverterPath,
    // Once for all processes instead of once for each: no module keeps anything (test/house).
    preloadModules: [workflowsPath],
    logger: new DefaultLogger('WARN'),
  })
  // Written whole under another name first: a second worker never reads half a bundle.
  const unfinished = `${codePath}.${process.pid}`
  await writeFile(unfinished, code)
  await rename(unfinished, codePath)
  return codePath
}
