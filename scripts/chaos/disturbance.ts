/** What can go wrong, by chance: steps that die, servers that are killed, vendors that fail. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ThrowawayStack } from '../stack/throwaway.ts'
import type { Story } from '../story/client.ts'
import { tally } from '../story/traces.ts'

const filesIn = (directory: string) => ({
  deaths: join(directory, 'deaths'),
  disturbing: join(directory, 'disturbing'),
})

/** How a worker dies at its steps: each with this chance, so many of them at the most. */
export interface StepDeaths {
  seed: number
  most: number
  rate: number
}

/** The module that lets the worker die, with what it has to know in its address. */
export function dyingWorker(directory: string, { seed, most, rate }: StepDeaths): string {
  const url = pathToFileURL(join(import.meta.dirname, 'dying-worker.ts'))
  const { deaths, disturbing } = filesIn(directory)
  const query = { deaths, while: disturbing, seed, most, rate }
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value))
  return url.href
}

/** From here on steps die. @returns what ends it. */
export function letStepsDie(directory: string): () => void {
  const { disturbing } = filesIn(directory)
  writeFileSync(disturbing, '')
  return () => rmSync(disturbing)
}

export function deathsAtSteps(directory: string): string[] {
  const { deaths } = filesIn(directory)
  if (!existsSync(deaths)) return []
  const lines = readFileSync(deaths, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => line.split(' ')[0] ?? '')
}

export async function firedFaults(story: Story): Promise<Record<string, number>> {
  const { data } = await story.sandbox<{ data: { kind: string; fired: number }[] }>('/faults')
  return tally(data.flatMap(({ kind, fired }) => Array<string>(fired).fill(kind)))
}

/** Kills a child of the stack, which is started again. @returns whether there was one to kill. */
export function killChild(stack: ThrowawayStack, wanted: string): boolean {
  const child = stack.processes().find(({ name }) => name === wanted)
  if (!child?.pid || child.state !== 'running') return false
  process.kill(child.pid, 'SIGKILL')
  return true
}

/** One way to kill something; false where there was nothing to kill. */
export type Kill = () => boolean | Promise<boolean>

export interface KillPlan {
  /** By the name under which each is counted. */
  kills: Record<string, Kill>
  most: number
  /** Between two of them, in milliseconds. */
  pause: { atLeast: number; atMost: number }
  chance: () => number
}

/** Kills at moments of its own choice. @returns what stops it and says what was killed. */
export function killAtRandom({ kills, most, pause, chance }: KillPlan) {
  const killed: string[] = []
  const names = Object.keys(kills)
  let timer: NodeJS.Timeout
  let running: Promise<void> = Promise.resolve()
  const plan = () => {
    const wait = pause.atLeast + chance() * (pause.atMost - pause.atLeast)
    timer = setTimeout(() => {
      running = kill()
    }, wait)
  }
  const kill = async () => {
    const name = names[Math.floor(chance() * names.length)] ?? ''
    if (await kills[name]?.()) killed.push(name)
    if (killed.length < most) plan()
  }
  plan()
  return async () => {
    clearTimeout(timer)
    await running
    clearTimeout(timer)
    return tally(killed)
  }
}
