/** Taking back what earlier steps made: each undo is registered before its step. */
import { log } from '@temporalio/workflow'
import { failureType } from './steps.ts'

/** An undo, by the name under which it is reported when it fails. */
export interface Undo {
  name: string
  run: () => Promise<void>
}

/** The last one first; one that fails is reported and stops no other. @returns their names. */
export async function undoAll(undos: Undo[]): Promise<string[]> {
  const failed: string[] = []
  for (const undo of undos.reverse()) {
    try {
      await undo.run()
    } catch (error) {
      log.error('an undo failed', { undo: undo.name, reason: failureType(error) })
      failed.push(undo.name)
    }
  }
  return failed
}
