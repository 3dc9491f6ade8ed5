/** Times each stage of a demo and shows it as a step. */
import { reasonOf } from '../launch/not-ready.ts'
import type { Progress } from '../launch/progress.ts'
import type { Stage } from '../story/demo.ts'

export function stageClock(progress: Progress): { stage: Stage; seconds: Record<string, number> } {
  const seconds: Record<string, number> = {}
  const stage: Stage = async (name, why, work) => {
    const step = progress.step(name, why)
    const start = performance.now()
    try {
      const result = await work()
      step.done()
      return result
    } catch (error) {
      // The command tells the rest when it ends.
      step.failed(reasonOf(error).split('\n')[0] ?? '')
      throw error
    } finally {
      seconds[name] = Math.round(performance.now() - start) / 1000
    }
  }
  return { stage, seconds }
}
