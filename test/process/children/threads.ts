// Starts and terminates worker threads (thread.ts) as the test asks; its main thread may never touch a store.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { openWriter, type Writer } from '../../../src/index.ts';
import { given, serve, until } from '../../support/child.ts';
import { payload } from '../../support/payload.ts';

const { prefix } = given<{ prefix: string }>();
const program = new URL('./thread.ts', import.meta.url).href;

/** On Node 20 tsx does not reach into worker threads by itself. */
const BOOTSTRAP = `import('tsx/esm/api').then(({ register }) => { register(); return import('${program}'); })`;

const threads: { worker: Worker; steps: Int32Array; messages: unknown[]; failure: unknown }[] = [];
let writer: Writer<Uint8Array> | undefined;

serve({
  start({ role, byteLength = 64 * 1024 }: { role: string; byteLength?: number }): number {
    const steps = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(BOOTSTRAP, { eval: true, workerData: { prefix, role, byteLength, steps } });
    const thread = { worker, steps, messages: [] as unknown[], failure: undefined as unknown };
    worker.on('message', (message) => thread.messages.push(message));
    worker.on('error', (error) => {
      thread.failure = error;
    });
    return threads.push(thread) - 1;
  },
  /** Waits until the thread has taken so many steps. */
  async steps({ id, count }: { id: number; count: number }): Promise<number> {
    const thread = threads[id]!;
    await until(() => Atomics.load(thread.steps, 0) >= count || thread.failure !== undefined);
    if (thread.failure !== undefined) throw thread.failure;
    return Atomics.load(thread.steps, 0);
  },
  async message({ id }: { id: number }): Promise<unknown> {
    const thread = threads[id]!;
    await until(() => thread.messages.length > 0 || thread.failure !== undefined);
    if (thread.failure !== undefined) throw thread.failure;
    return thread.messages.shift();
  },
  terminate: ({ id }: { id: number }) => threads[id]!.worker.terminate(),
  /** Tells the thread to finish, and waits until it has. */
  async end({ id }: { id: number }): Promise<void> {
    const { worker } = threads[id]!;
    const exit = once(worker, 'exit');
    worker.postMessage('go on');
    await exit;
  },

  openWriter(): number {
    writer = openWriter(prefix, { codec: 'bytes' });
    return writer.version;
  },
  publish({ count, byteLength = 64 * 1024 }: { count: number; byteLength?: number }): number {
    for (let i = 0; i < count; i += 1) writer!.publish(payload(writer!.version + 1, byteLength));
    return writer!.version;
  },
  closeWriter: () => writer?.close(),
  exit: () => process.exit(0),
});
