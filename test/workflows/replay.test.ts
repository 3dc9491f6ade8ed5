import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from '@temporalio/worker'
import { quietRuntime } from '../support/product.ts'
import { suiteFacts } from '../support/suite.ts'

const folder = join(import.meta.dirname, '..', 'replay')
const files = readdirSync(folder).filter((file) => file.endsWith('.json'))

const stored = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'))

describe('a process that was started with an earlier version', () => {
  beforeAll(quietRuntime)

  it.each(files)('goes on with this one: %s', async (file) => {
    const { workflowId, ...history } = stored(file)
    const workflowBundle = { codePath: suiteFacts().bundle }
    await Worker.runReplayHistory({ workflowBundle }, history, workflowId)
  })

  it('is stopped by a change that would lead it elsewhere', async () => {
    const { workflowId, ...history } = stored('tierReview-1.json')
    const scheduled = JSON.stringify(history).replaceAll('reviewTierPage', 'anotherStep')
    const workflowBundle = { codePath: suiteFacts().bundle }
    const replay = Worker.runReplayHistory({ workflowBundle }, JSON.parse(scheduled), workflowId)
    await expect(replay).rejects.toThrow(/TMPRL1100|[Nn]ondeterminism/)
  })

  it('holds ids, counts and codes only: no name and no address of a person', () => {
    const words = ['Harbor', 'Bright Web', 'Pizza', '@', 'recommended', 'knows the market']
    for (const file of files) {
      const text = readFileSync(join(folder, file), 'utf8')
      const payloads = [...text.matchAll(/"data":"([A-Za-z0-9+/=]+)"/g)]
        .map(([, data = '']) => Buffer.from(data, 'base64').toString())
        .join('\n')
      const found = words.filter((word) => payloads.includes(word))
      expect({ file, found }).toEqual({ file, found: [] })
    }
  })
})
