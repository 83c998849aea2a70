import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** A TypeScript program of this repository, as a user starts it: with tsx, and vitrine from dist. */
export class Program {
  readonly lines: string[] = [];
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #process: ChildProcess;
  #isClosed = false;
  #onLine = (): void => {};

  constructor(file: string, env: Readonly<Record<string, string>> = {}) {
    this.#process = spawn(process.execPath, ['--import', 'tsx', file], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: this.#process.stdout! });
    lines.on('line', (line) => {
      this.lines.push(line);
      this.#onLine();
    });
    lines.on('close', () => {
      this.#isClosed = true;
      this.#onLine();
    });
    this.exit = once(this.#process, 'close').then(([code, signal]) => ({ code, signal }));
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** Resolves when the lines so far pass the test; rejects when the output ends before. */
  async until(passes: (lines: readonly string[]) => boolean): Promise<void> {
    while (!passes(this.lines)) {
      if (this.#isClosed) throw new Error(`the program ended after:\n${this.lines.join('\n')}`);
      await new Promise<void>((resolve) => {
        this.#onLine = resolve;
      });
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }
}
