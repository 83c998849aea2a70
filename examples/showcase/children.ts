import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Commands, Reply, Request } from './serve.ts';

/** How long a process may take to clean up: it may be in the middle of encoding or decoding. */
const PATIENCE_MS = 10_000;

const running = new Set<Child<Commands>>();

/** A process of its own: Node, with nothing of ours in it but the module it runs. */
export class Child<C extends Commands> {
  readonly name: string;
  readonly #process: ChildProcess;
  /** What it ended by. */
  readonly #exit: Promise<Error>;
  readonly #waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  #requests = 0;

  constructor(name: string, module: string, args: readonly string[]) {
    this.name = name;
    this.#process = fork(fileURLToPath(new URL(module, import.meta.url)), args, {
      execArgv: ['--import', import.meta.resolve('tsx')],
    });
    this.#process.on('message', (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ('error' in reply) waiting?.reject(new Error(`${name}: ${reply.error}`));
      else waiting?.resolve(reply.result as never);
    });
    this.#exit = once(this.#process, 'exit').then(([code, signal]) => {
      running.delete(this as unknown as Child<Commands>);
      const error = new Error(`${name} ended (${signal ?? code})`);
      for (const { reject } of this.#waiting.values()) reject(error);
      return error;
    });
    running.add(this as unknown as Child<Commands>);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  call<K extends keyof C & string>(name: K, ...args: Parameters<C[K]>): Promise<Awaited<ReturnType<C[K]>>> {
    this.#requests += 1;
    const request: Request = { id: this.#requests, name, args };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      this.#process.send(request, (error) => {
        // Nobody is there to answer.
        if (error !== null) void this.#exit.then(reject);
      });
    });
  }

  /** Lets the process end by itself. */
  async end(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    await this.#exit;
  }

  /** What the kernel's out-of-memory killer does, or a container that is being stopped. */
  async kill(): Promise<string> {
    this.#process.kill('SIGKILL');
    return (await this.#exit).message;
  }
}

/** Ends every process that was started here, at the latest after a few seconds. */
export async function endAll(): Promise<void> {
  const timer = setTimeout(() => {
    for (const child of running) void child.kill();
  }, PATIENCE_MS);
  await Promise.all([...running].map((child) => child.end()));
  clearTimeout(timer);
}
