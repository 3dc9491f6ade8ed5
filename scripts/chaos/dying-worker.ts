/**
 * Loaded into a worker before its own code (`node --import`): kills the process right before and
 * right after steps, by chance, while the file of the query exists. What it does is a line of
 * another file, written before the process is gone.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { Worker, type WorkerOptions } from '@temporalio/worker'
import { seededRandom } from './random.ts'

const asked = new URL(import.meta.url).searchParams
const deathsFile = asked.get('deaths') ?? ''
const whileFile = asked.get('while') ?? ''
const most = Number(asked.get('most'))
const rate = Number(asked.get('rate'))

type Step = (input: unknown) => Promise<unknown>

function deathsSoFar(): number {
  return existsSync(deathsFile) ? readFileSync(deathsFile, 'utf8').split('\n').length - 1 : 0
}

function mortal(steps: Record<string, Step>): Record<string, Step> {
  const before = deathsSoFar()
  const chance = seededRandom(Number(asked.get('seed')) + before)
  const maybeDie = (kind: string, step: string) => {
    if (!existsSync(whileFile) || before >= most || chance() >= rate) return
    appendFileSync(deathsFile, `${kind} ${step}\n`)
    process.kill(process.pid, 'SIGKILL')
  }
  return Object.fromEntries(
    Object.entries(steps).map(([name, step]) => [
      name,
      async (input: unknown) => {
        maybeDie('killed_before_step', name)
        const answer = await step(input)
        maybeDie('killed_after_step', name)
        return answer
      },
    ]),
  )
}

if (isMainThread) {
  const create = Worker.create.bind(Worker)
  Worker.create = (options: WorkerOptions) =>
    create({ ...options, activities: mortal(options.activities as Record<string, Step>) })
}
