/** A worker as a process of its own that is killed without warning and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Product } from './product.ts'
import { compiled } from './suite.ts'

export interface MortalWorker {
  deaths(): number
  /** Ends the present life now, whatever it is in the middle of. */
  kill(): void
  stop(): Promise<void>
}

/** @param lifeMs how long a life lasts after its first word, by its number; null is for good. */
export function mortalWorker(
  product: Pick<Product, 'variables'>,
  lifeMs: (life: number) => number | null,
): MortalWorker {
  const root = join(import.meta.dirname, '..', '..')
  let child: ChildProcess | undefined
  let deaths = 0
  let ending = false
  const start = () => {
    child = spawn(
      process.execPath,
      ['--import', './scripts/launch/exit-with-parent.ts', 'worker/main.ts'],
      {
        cwd: root,
        env: { PATH: product.variables.PATH ?? '', ...compiled, ...product.variables },
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    )
    const own = child
    const life = lifeMs(deaths + 1)
    own.stdout?.once('data', () => {
      // It lives long enough to do something, and dies in the middle of something else.
      if (life !== null) setTimeout(() => own.kill('SIGKILL'), life).unref()
    })
    own.once('exit', () => {
      if (ending) return
      deaths += 1
      start()
    })
  }
  start()
  return {
    deaths: () => deaths,
    kill() {
      child?.kill('SIGKILL')
    },
    async stop() {
      ending = true
      const gone = new Promise((resolve) => child?.once('exit', resolve))
      child?.kill('SIGKILL')
      await gone
    },
  }
}
