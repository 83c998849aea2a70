// Does what the test asks for, one step at a time: opens writers and readers, publishes, holds, lets go, dies.
import { spawn } from 'node:child_process';
import {
  openReader,
  openWriter,
  type Reader,
  type ReaderOptions,
  type Snapshot,
  type Writer,
  type WriterOptions,
} from '../../../src/index.ts';
import { collect, given, serve, turn } from '../../support/child.ts';
import { isPayload, payload, stampOf } from '../../support/payload.ts';

const { prefix } = given<{ prefix: string }>();

let writer: Writer<Uint8Array> | undefined;
let reader: Reader<Uint8Array> | undefined;
const held = new Map<number, Snapshot<Uint8Array>>();
let lastHeld = 0;
const watched = { version: 0, stamp: 0, versions: 0, faults: [] as string[], look: () => {} };

serve({
  openWriter(options: WriterOptions<Uint8Array>): number {
    writer = openWriter(prefix, { codec: 'bytes', ...options });
    return writer.version;
  },
  closeWriter: () => writer?.close(),
  destroy: () => writer?.destroy(),
  writerStats: () => writer?.stats(),

  /** Publishes so many payloads of this length, each of its own number; returns the last number. */
  publish({ count = 1, byteLength = 64 * 1024 }: { count?: number; byteLength?: number }): number {
    for (let i = 0; i < count; i += 1) {
      const number = writer!.version + 1;
      if (writer!.publish(payload(number, byteLength)) !== number)
        throw new Error(`not the number ${number}`);
    }
    return writer!.version;
  },

  /** Goes on publishing, over its turns, until that fails. */
  async publishUntilError(): Promise<never> {
    for (;;) {
      writer!.publish(payload(writer!.version + 1, 64 * 1024));
      await turn();
    }
  },

  openReader(options: ReaderOptions): void {
    reader = openReader(prefix, options);
  },
  closeReader: () => reader?.close(),
  readerStats: () => reader?.stats(),

  /** What `current()` gives, proven. */
  current(): { version: number; byteLength: number; isWhole: boolean } {
    const bytes = reader!.current();
    const { version } = reader!;
    return { version, byteLength: bytes.byteLength, isWhole: isPayload(bytes, version) };
  },
  currentError(): string | undefined {
    try {
      reader!.current();
      return undefined;
    } catch (error) {
      return (error as { code?: string }).code;
    }
  },

  /** Takes a snapshot and a window over its bytes, keeps both; returns an id. */
  hold(): { id: number; version: number } {
    const snapshot = reader!.snapshot();
    lastHeld += 1;
    held.set(lastHeld, snapshot);
    return { id: lastHeld, version: snapshot.version };
  },
  verifyHeld({ id }: { id: number }): boolean {
    const snapshot = held.get(id)!;
    return isPayload(snapshot.value, snapshot.version);
  },
  release({ id, detach = false }: { id: number; detach?: boolean }): void {
    held.get(id)!.release({ detach });
    held.delete(id);
  },
  /** Forgets a snapshot without releasing it. */
  forget: ({ id }: { id: number }) => held.delete(id),
  forgetReader(): void {
    reader = undefined;
  },
  collect,

  /** From now on adopts every version it can and proves it: payloads are stamped (crash-writer.ts). */
  watch(): void {
    const look = () => {
      try {
        const stamp = stampOf(reader!.current());
        const { version } = reader!;
        if (version < watched.version) watched.faults.push(`version ${version} after ${watched.version}`);
        if (stamp < watched.stamp) watched.faults.push(`stamp ${stamp} after ${watched.stamp}`);
        if (version > watched.version) watched.versions += 1;
        watched.version = version;
        watched.stamp = stamp;
      } catch (error) {
        if ((error as { code?: string }).code !== 'NOT_PUBLISHED') watched.faults.push(String(error));
      }
    };
    setInterval(look, 0).unref();
    watched.look = look;
  },
  /** What it has seen, with a last look. */
  watched() {
    watched.look();
    const { version, versions, faults } = watched;
    return { version, versions, faults };
  },

  /** Starts a process that does nothing and outlives this one; returns its pid. */
  startHeir(): number {
    const heir = spawn('sleep', ['3600'], { detached: true, stdio: 'ignore' });
    heir.unref();
    return heir.pid!;
  },
  exit: ({ code = 0 }: { code?: number }) => process.exit(code),
  rejectUnhandled(): void {
    Promise.reject(new Error('on purpose'));
  },
  /** Has nothing more to do. */
  finish: () => process.disconnect(),
  terminate(): void {
    process.once('SIGTERM', () => process.exit());
    process.kill(process.pid, 'SIGTERM');
  },
  throwUncaught(): void {
    setImmediate(() => {
      throw new Error('on purpose');
    });
  },
});
