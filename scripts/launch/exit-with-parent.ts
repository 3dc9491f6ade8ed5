/**
 * Loaded into a child before its own code (`node --import`): a supervisor that is killed closes
 * the pipe to the child's standard input, and the child then ends the way it ends on SIGTERM.
 * Node loads it into the child's threads too, and they have no such pipe.
 */
import { isMainThread } from 'node:worker_threads'

if (isMainThread) {
  process.stdin
    .on('end', () => process.kill(process.pid, 'SIGTERM'))
    .resume()
    .unref()
}
