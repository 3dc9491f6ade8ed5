/** What every command shares: flags, exit codes, one JSON document on standard output. */
import { parseArgs } from 'node:util'
import { readToolEnvironment } from '../config.ts'
import type { LauncherEnvironment } from './launch/environment.ts'
import { reasonOf } from './launch/not-ready.ts'
import { createProgress, type Progress } from './launch/progress.ts'

/** 0 done, 1 it ran and the result is bad, 2 wrong use or bad input, 3 not ready. */
export class CommandError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: 1 | 2 | 3) {
    super(message)
    this.name = 'CommandError'
    this.exitCode = exitCode
  }
}

type Flags = Record<string, { type: 'boolean' | 'string'; describe: string }>

export interface CommandInput {
  env: LauncherEnvironment
  /** Goes to standard error. */
  progress: Progress
  flags: Record<string, string | boolean | undefined>
  args: string[]
  json: boolean
  /** Prints the result: the document with `--json`, else the text for people. */
  print(document: unknown, text: () => string): void
}

export interface Command {
  /** As in `npm run NAME -- …`. */
  name: string
  usage: string
  flags?: Flags
  run(input: CommandInput): Promise<number>
}

function helpOf(command: Command): string {
  const flags: Flags = {
    ...command.flags,
    json: { type: 'boolean', describe: 'one JSON document on standard output, nothing else' },
    help: { type: 'boolean', describe: 'this text' },
  }
  const lines = Object.entries(flags).map(
    ([name, { type, describe }]) =>
      `  ${`--${name}${type === 'string' ? ' VALUE' : ''}`.padEnd(20)} ${describe}`,
  )
  return `${command.usage}\n\n${lines.join('\n')}\n`
}

function parse(command: Command) {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        ...Object.fromEntries(
          Object.entries(command.flags ?? {}).map(([name, { type }]) => [name, { type }]),
        ),
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw new CommandError(`${reasonOf(error)}\n\n${helpOf(command)}`, 2)
  }
}

/** Runs a command and sets the exit code; errors are told in words, never as a stack. */
export async function runCommand(command: Command): Promise<void> {
  try {
    const { values, positionals } = parse(command)
    if (values.help) {
      process.stdout.write(helpOf(command))
      return
    }
    const json = values.json === true
    process.exitCode = await command.run({
      env: readToolEnvironment(),
      progress: createProgress(),
      flags: values as CommandInput['flags'],
      args: positionals,
      json,
      print: (document, text) =>
        process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : `${text()}\n`),
    })
  } catch (error) {
    process.stderr.write(`${command.name}: ${reasonOf(error)}\n`)
    const { exitCode } = error as { exitCode?: unknown }
    process.exitCode = typeof exitCode === 'number' ? exitCode : 1
  }
}
