/** What a person sees while things start: one line per step, with its reason and its time. */
export interface Progress {
  step(what: string, why?: string): Step
  note(text: string): void
}

export interface Step {
  /** `fraction` runs from 0 to 1; when output is piped it prints one line per 10 %. */
  update(text: string, fraction?: number): void
  done(result?: string): void
  failed(reason: string): void
}

export interface ProgressOutput {
  write(text: string): unknown
  isTTY?: boolean | undefined
  columns?: number | undefined
}

/** A step that says nothing for so long is named in piped output, so that a log shows a hang. */
const quietMs = 3_000
const stillQuietMs = 30_000

export function createProgress(output: ProgressOutput = process.stderr): Progress {
  return output.isTTY ? terminalProgress(output) : pipedProgress(output)
}

export function silentProgress(): Progress {
  const step: Step = { update() {}, done() {}, failed() {} }
  return { step: () => step, note() {} }
}

/** Keeps the lines instead of printing them. */
export function recordedProgress(): Progress & { readonly lines: string[] } {
  const lines: string[] = []
  const progress = pipedProgress({ write: (text) => lines.push(text.trimEnd()) })
  return { ...progress, lines }
}

function pipedProgress(output: ProgressOutput): Progress {
  const print = (line: string) => output.write(`${line}\n`)
  return {
    note: print,
    step(what, why) {
      const started = performance.now()
      let shownTenths = 0
      let last = ''
      let reminder: NodeJS.Timeout | undefined
      const remindAfter = (delayMs: number) => {
        clearTimeout(reminder)
        reminder = setTimeout(() => {
          print(`… ${headline(what, why)}${last} (${since(started)})`)
          remindAfter(stillQuietMs)
        }, delayMs).unref()
      }
      remindAfter(quietMs)
      const end = (mark: string, text: string | undefined) => {
        clearTimeout(reminder)
        print(`${mark} ${headline(what, why)}${text ? `: ${text}` : ''} (${since(started)})`)
      }
      return {
        update(text, fraction) {
          last = `: ${text}`
          if (fraction === undefined) return
          const tenths = Math.floor(Math.min(1, fraction) * 10)
          if (tenths <= shownTenths) return
          shownTenths = tenths
          remindAfter(stillQuietMs)
          print(`… ${what}: ${tenths * 10} %, ${text} (${since(started)})`)
        },
        done: (result) => end('✓', result),
        failed: (reason) => end('✗', reason),
      }
    },
  }
}

/** Steps may run side by side, so the one updating line shows all that are under way. */
function terminalProgress(output: ProgressOutput): Progress {
  const running = new Map<symbol, string>()
  const width = () => Math.max(20, (output.columns ?? 80) - 1)
  const redraw = () => {
    const line = [...running.values()].join(' · ')
    output.write(`\r\u001b[2K${line.slice(0, width())}`)
  }
  const print = (line: string) => {
    output.write(`\r\u001b[2K${line}\n`)
    if (running.size > 0) redraw()
  }
  return {
    note: print,
    step(what, why) {
      const id = Symbol(what)
      const started = performance.now()
      running.set(id, `… ${headline(what, why)}`)
      redraw()
      const end = (mark: string, text: string | undefined) => {
        running.delete(id)
        print(`${mark} ${headline(what, why)}${text ? `: ${text}` : ''} (${since(started)})`)
      }
      return {
        update(text, fraction) {
          const share = fraction === undefined ? '' : ` ${Math.floor(fraction * 100)} %`
          running.set(id, `… ${what}:${share} ${text} (${since(started)})`)
          redraw()
        },
        done: (result) => end('✓', result),
        failed: (reason) => end('✗', reason),
      }
    },
  }
}

function headline(what: string, why: string | undefined): string {
  return why ? `${what} – ${why}` : what
}

function since(started: number): string {
  const exact = (performance.now() - started) / 1_000
  if (exact < 10) return `${exact.toFixed(2)} s`
  const seconds = Math.round(exact)
  return seconds < 90 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
