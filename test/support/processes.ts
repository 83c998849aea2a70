import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { test } from 'vitest';

const CHILDREN = fileURLToPath(new URL('../process/children/', import.meta.url));

/** Another Node.js than the one that runs the tests: `VITRINE_NODE=/path/to/node npm test`. */
export const NODE = process.env['VITRINE_NODE'] ?? process.execPath;

export interface StartOptions {
  /** Flags for Node.js. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
  /** A program, and its arguments, that starts Node.js with the arguments that follow: `prlimit`. */
  readonly through?: readonly string[];
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a child has told: an event and its details. */
type Told = { readonly event: string } & Readonly<Record<string, unknown>>;

/** A child program. It tells events as lines of JSON, and is told as much over its IPC channel. */
export class Child {
  readonly ended: Promise<Ending>;
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #told: Told[] = [];
  /** Whoever waits for something to be told. */
  #waiting: (() => void)[] = [];
  #ending: Ending | undefined;
  #stderr = '';
  #asked = 0;

  constructor(
    program: string,
    args: unknown,
    { flags = [], env = {}, uid, gid, through = [] }: StartOptions,
  ) {
    this.#name = program;
    const [command, ...rest] = [
      ...through,
      NODE,
      ...flags,
      '--import',
      'tsx',
      join(CHILDREN, `${program}.ts`),
      JSON.stringify(args),
    ];
    this.#process = spawn(command!, rest, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    createInterface({ input: this.#process.stdout! }).on('line', (line) => {
      this.#told.push(line.startsWith('{') ? (JSON.parse(line) as Told) : { event: 'output', line });
      this.#wake();
    });
    // 'close' comes when the last line has: what the child told before it ended is never missed.
    this.ended = once(this.#process, 'close').then(([code, signal]) => {
      this.#ending = { code, signal };
      this.#wake();
      return this.#ending;
    });
  }

  get stderr(): string {
    return this.#stderr;
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /**
   * The first event of this name that has not been taken yet.
   *
   * @throws if the child fails, or ends without having told it
   */
  async next<T = Record<string, unknown>>(event: string): Promise<T> {
    for (;;) {
      const index = this.#told.findIndex((told) => told.event === event);
      if (index >= 0) return this.#told.splice(index, 1)[0] as T;
      const failure = this.#told.find((told) => told.event === 'failed');
      if (failure !== undefined) throw new Error(`${this.#name} failed: ${String(failure['error'])}`);
      if (this.#ending !== undefined) {
        throw new Error(
          `${this.#name} ended (${this.#ending.signal ?? this.#ending.code}) before "${event}"\n${this.#stderr}`,
        );
      }
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  /** Events of this name that have come and were not taken. */
  count(event: string): number {
    return this.#told.filter((told) => told.event === event).length;
  }

  tell(command: string, args: unknown = {}): void {
    this.#process.send({ command, args });
  }

  /** Tells a command and waits for its answer; what the command throws is thrown here. */
  async ask<T>(command: string, args: unknown = {}): Promise<T> {
    this.#asked += 1;
    const id = this.#asked;
    this.#process.send({ id, command, args });
    const { value, error } = await this.next<{ value: T; error?: Record<string, unknown> }>(`answer ${id}`);
    if (error !== undefined) throw Object.assign(new Error(String(error['message'])), error);
    return value;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Sends a signal to this one process. */
  signal(signal: NodeJS.Signals): void {
    // Not process.kill(): it would throw for one that has ended and has not said so yet.
    this.#process.kill(signal);
  }

  /** Stops the process and waits until the kernel has. */
  async stop(): Promise<void> {
    this.signal('SIGSTOP');
    while (stateOf(this.pid) !== 'T') await new Promise((resolve) => setImmediate(resolve));
  }

  /** Ends the process whatever it is doing, and waits until it is gone. */
  async kill(): Promise<Ending> {
    this.signal('SIGKILL');
    return this.ended;
  }

  /** Ends the process if it has not ended, and throws if it had crashed. */
  async reap(): Promise<void> {
    const { signal } = this.#ending ?? { signal: null };
    await this.kill();
    const crashes: (string | null)[] = ['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGILL', 'SIGFPE', 'SIGTRAP'];
    if (crashes.includes(signal)) throw new Error(`${this.#name} crashed (${signal})\n${this.#stderr}`);
  }
}

/** A directory for what several tests of a file share. */
export function scratch(): { open(): string; close(): void } {
  let directory = '';
  return {
    open() {
      directory = mkdtempSync('/dev/shm/vitrine-shared-');
      return directory;
    },
    close: () => rmSync(directory, { recursive: true }),
  };
}

/** What a test gets, and gives back at its end: no process and no file is left. */
export interface Place {
  /** A fresh directory in memory. */
  readonly directory: string;
  /** The path prefix of a store in it. */
  readonly prefix: string;
  /** The names of the files in it, sorted. */
  files(): string[];
}

export type Start = (program: string, args?: unknown, options?: StartOptions) => Child;

/** A process that is not our child. */
export interface Orphan {
  readonly pid: number;
  /** What it has written, when it has ended. */
  output(): Promise<string>;
}

export type Adopted = (program: string, args: object) => Promise<Orphan>;

/** `it` with a place in memory and a way to start child programs. */
export const it = test.extend<{ place: Place; start: Start; orphan: Adopted }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern what a fixture needs
  place: async ({}, use) => {
    const directory = mkdtempSync('/dev/shm/vitrine-test-');
    try {
      await use({
        directory,
        prefix: join(directory, 'store'),
        files: () => readdirSync(directory).sort(),
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
  // After `place` in order, so that children are gone when their directory goes.
  start: async ({ place }, use) => {
    const children: Child[] = [];
    await use((program, args = {}, options = {}) => {
      if (!existsSync(place.directory)) throw new Error('the place is gone');
      const child = new Child(program, { prefix: place.prefix, ...(args as object) }, options);
      children.push(child);
      return child;
    });
    const reaped = await Promise.allSettled(children.map((child) => child.reap()));
    for (const outcome of reaped) if (outcome.status === 'rejected') throw outcome.reason;
  },
  orphan: async ({ place }, use) => {
    const orphans: Orphan[] = [];
    await use(async (program, args) => {
      const outputPath = join(place.directory, `output-${orphans.length}`);
      const orphan = await abandon(program, { prefix: place.prefix, ...args }, outputPath);
      orphans.push(orphan);
      return orphan;
    });
    for (const { pid } of orphans) {
      if (hasEnded(pid)) continue;
      process.kill(pid, 'SIGKILL');
      await until(() => hasEnded(pid));
    }
  },
});

/** Runs a child program whose parent is gone, in a session of its own; its output goes to a file. */
async function abandon(program: string, args: unknown, outputPath: string): Promise<Orphan> {
  const script = '"$@" >"$0" 2>&1 & echo $!';
  const command = [
    outputPath,
    NODE,
    '--import',
    'tsx',
    join(CHILDREN, `${program}.ts`),
    JSON.stringify(args),
  ];
  const parent = spawn('sh', ['-c', script, ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let text = '';
  parent.stdout!.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await once(parent, 'close');
  const pid = Number(text);
  return {
    pid,
    async output() {
      await until(() => hasEnded(pid));
      return readFileSync(outputPath, 'utf8');
    },
  };
}

/** What the kernel says the process is doing: R, S, T (stopped), Z …; nothing if there is none. */
function stateOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.slice(0, 1) ?? '';
  } catch {
    return '';
  }
}

/** A zombie has ended; who is to reap it is not us. */
const hasEnded = (pid: number): boolean => ['', 'Z', 'X'].includes(stateOf(pid));

/** Waits for a condition over as many turns of the event loop as it takes. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 1));
}
