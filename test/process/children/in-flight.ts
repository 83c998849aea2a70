// Releases a snapshot while the operating system is still reading from its bytes, publishes on, and only then lets the
// operating system go on: what arrives must be what was released.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { open, read, write, writeSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { deflateRaw, inflateRawSync } from 'node:zlib';
import { openReader, openWriter } from '../../../src/index.ts';
import { collect, given, run, tell, until } from '../../support/child.ts';
import { pinCount } from '../../support/inspect.ts';
import { isPayload, payload } from '../../support/payload.ts';

const { prefix, way } = given<{ prefix: string; way: 'socket' | 'file' | 'zlib' }>();

const BYTE_LENGTH = 4 * 2 ** 20;

/** Begins to send the bytes; `finish` lets them through and gives what came. */
interface Transfer {
  begin(bytes: Uint8Array): void;
  finish(): Promise<Uint8Array>;
}

/** A pipe with a name, open for both, so that neither end waits for the other. */
async function makePipe(path: string): Promise<number> {
  execFileSync('mkfifo', [path]);
  return promisify(open)(path, 'r+');
}

async function received(socket: Socket): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let byteLength = 0;
  for await (const part of socket) {
    parts.push(part as Buffer);
    byteLength += (part as Buffer).byteLength;
    if (byteLength >= BYTE_LENGTH) break;
  }
  return Buffer.concat(parts);
}

/** Exactly what was written: one read more would wait for ever. */
async function readOut(descriptor: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(BYTE_LENGTH);
  for (let offset = 0; offset < BYTE_LENGTH; ) {
    offset += (await promisify(read)(descriptor, bytes, offset, BYTE_LENGTH - offset, null)).bytesRead;
  }
  return bytes;
}

const transfers: Record<typeof way, () => Promise<Transfer>> = {
  async socket() {
    const server = createServer({ pauseOnConnect: true }).listen(`${prefix}.sock`);
    await once(server, 'listening');
    const client = connect(`${prefix}.sock`);
    const [accepted] = (await once(server, 'connection')) as [Socket];
    return {
      begin: (bytes) => void client.write(bytes),
      async finish() {
        const bytes = await received(accepted.resume());
        client.destroy();
        accepted.destroy();
        server.close();
        return bytes;
      },
    };
  },

  async file() {
    const descriptor = await makePipe(`${prefix}.fifo`);
    let written = 0;
    return {
      // Blocks a thread of libuv's pool when 64 KiB are in the pipe.
      begin: (bytes) =>
        write(descriptor, bytes, (_, count) => {
          written = count;
        }),
      async finish() {
        const bytes = await readOut(descriptor);
        await until(() => written === BYTE_LENGTH);
        return bytes;
      },
    };
  },

  async zlib() {
    // The pool's only thread (UV_THREADPOOL_SIZE=1) waits for a byte, so that compression has not begun.
    const descriptor = await makePipe(`${prefix}.fifo`);
    read(descriptor, Buffer.alloc(1), () => {});
    let compressed: Buffer | undefined;
    return {
      begin: (bytes) =>
        deflateRaw(bytes, { level: 1 }, (_, result) => {
          compressed = result;
        }),
      async finish() {
        writeSync(descriptor, 'x');
        await until(() => compressed !== undefined);
        return inflateRawSync(compressed!);
      },
    };
  },
};

run(async () => {
  const transfer = await transfers[way]();
  const writer = openWriter<Uint8Array>(prefix, { codec: 'bytes' });
  const reader = openReader<Uint8Array>(prefix);
  const publish = () => writer.publish(payload(writer.version + 1, BYTE_LENGTH));
  publish();

  (() => {
    const snapshot = reader.snapshot();
    transfer.begin(snapshot.value);
    snapshot.release();
  })();
  for (let i = 0; i < 20; i += 1) {
    publish();
    // This reader goes on as well: version 1 is not the one it has as its newest.
    reader.snapshot().release();
    await collect();
  }
  const bytes = await transfer.finish();
  tell('arrived', { isWhole: isPayload(bytes, 1), byteLength: bytes.byteLength });

  // With the transfer ends the last use.
  for (let isFree = false; !isFree; isFree = pinCount(prefix) <= 1) await collect();
  tell('free', { regions: writer.stats().regions });
  process.exit();
});
