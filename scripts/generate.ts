/** `npm run generate`: writes the files that are made from other files. */
import { type CommandInput, runCommand } from './command.ts'
import { writeGenerated } from './generated.ts'

async function run({ env, progress, print }: CommandInput): Promise<number> {
  const files = await writeGenerated(env, progress)
  print({ files }, () => files.join('\n'))
  return 0
}

await runCommand({
  name: 'generate',
  usage: 'npm run generate: writes db/schema.ts and docs/openapi.json',
  run,
})
