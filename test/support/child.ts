import { writeSync } from 'node:fs';

/** Tells the test an event: at once, even if this process never yields or is about to be killed. */
export function tell(event: string, details: object = {}): void {
  const line = Buffer.from(`${JSON.stringify({ event, ...details })}\n`);
  for (let offset = 0; offset < line.byteLength; ) {
    try {
      offset += writeSync(1, line, offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

/** What the test gave this program. */
export function given<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

type Command = { id?: number; command: string; args: unknown };

/** Carries out what the test asks for. The channel to the test keeps the process; without it, it ends. */
export function serve(commands: Readonly<Record<string, (args: never) => unknown>>): void {
  process.on('message', async ({ id, command, args }: Command) => {
    let answer: object;
    try {
      const run = commands[command];
      if (run === undefined) throw new Error(`no command ${command}`);
      answer = { value: await run(args as never) };
    } catch (error) {
      answer = { error: { ...(error as object), message: (error as Error).message } };
    }
    if (id !== undefined) tell(`answer ${id}`, answer);
  });
  tell('ready');
}

/** Runs a program that is not asked anything; what it throws is told. */
export function run(program: () => void | Promise<void>): void {
  Promise.resolve()
    .then(program)
    .catch((error: unknown) => {
      tell('failed', { error: error instanceof Error ? `${error.stack}` : String(error) });
      process.exitCode = 1;
    });
}

/** One turn of the event loop: finalizers and timers get their chance. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Waits for a condition over as many turns as it takes, and leaves the processor to others meanwhile. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Collects garbage over several turns; takes `--expose-gc`. */
export async function collect(): Promise<void> {
  for (let i = 0; i < 4; i += 1) {
    globalThis.gc?.();
    await turn();
  }
}
