/** A stack for one run, as demos, benchmarks and chaos start it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readToolEnvironment } from '../../config.ts'
import { silentProgress } from '../../scripts/launch/progress.ts'
import { startThrowaway } from '../../scripts/stack/throwaway.ts'

test('a stack that was stopped is gone, and stopping it again finds nothing to do', async () => {
  const root = join(import.meta.dirname, '..', '..')
  const env = { ...readToolEnvironment(), root }
  const stack = await startThrowaway({ env, progress: silentProgress(), name: 'test' })
  const told: string[] = []
  try {
    const { status } = await fetch(`${stack.urls.api}/healthz`)
    expect(status).toBe(200)
    await stack.stop(async () => {
      told.push('once')
    })
  } finally {
    await stack.stop(async () => {
      told.push('twice')
    })
  }
  expect(told).toEqual(['once'])
  expect(existsSync(stack.directory)).toBe(false)
  await expect(fetch(`${stack.urls.api}/healthz`)).rejects.toThrow()
})
