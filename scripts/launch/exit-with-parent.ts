/**
 * A supervisor that is killed closes the pipe to its children's standard input; a child that was
 * started with `--exit-with-parent` then ends the way it ends on SIGTERM.
 */
export function exitWithParent(): void {
  if (!process.argv.includes('--exit-with-parent')) return
  process.stdin.resume().once('close', () => process.kill(process.pid, 'SIGTERM'))
}
